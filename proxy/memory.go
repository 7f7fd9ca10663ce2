package proxy

import (
	"sync"

	"github.com/hawser/hawser"
)

// A memory knows what the HTTP proxies that were used want, so that later dials take
// one round trip, and which certificates are in use. Its zero value knows nothing.
// It is safe for concurrent use.
type memory struct {
	mu     sync.Mutex // guards both
	known  map[account]scheme
	judges map[meeting]*judge
}

// An account is a user of a proxy.
type account struct{ proxy, user string }

func accountOf(p hawser.Proxy) account {
	return account{proxy: string(p.Type) + " " + address(p), user: p.User}
}

// login begins a dial.
func (m *memory) login(p hawser.Proxy) *login {
	if p.User == "" {
		return &login{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := accountOf(p)
	s, ok := m.known[key]
	if ok && s.digest != nil { // each count of a nonce is used once
		s.count++
		m.known[key] = s
		s.count--
	}
	return &login{scheme: s, borrowed: ok}
}

// keep remembers how l, of a dial that went well, logged in.
func (m *memory) keep(p hawser.Proxy, l *login) {
	if !l.sent || l.borrowed {
		return
	}
	const most = 1000 // proxies and users; more are hardly meant
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= most {
		m.known = map[account]scheme{}
	}
	m.known[accountOf(p)] = l.scheme
}

// forget is for a login that was refused.
func (m *memory) forget(p hawser.Proxy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, accountOf(p))
}
