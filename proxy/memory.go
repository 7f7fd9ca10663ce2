package proxy

import (
	"sync"
)

// A memory knows what the HTTP proxies that were used want, so that later dials take
// one round trip, and which certificates are in use. Its zero value knows nothing.
// It is safe for concurrent use.
type memory struct {
	mu     sync.Mutex // guards both
	known  map[account]scheme
	judges map[meeting]*judge
}

// An account is a user of a proxy, which has its address where the way before it
// leads to: behind another jump host it may be another proxy.
type account struct{ before, proxy, user string }

func (w *way) account() account {
	return account{before: w.before(), proxy: w.String(), user: w.p.User}
}

// before is the way to the proxy.
func (w *way) before() string {
	before := w.c.Via
	for _, hop := range w.c.Hops {
		before += " " + hop.Addr()
	}
	return before
}

// login begins a dial. What is known of another password is not known of this one.
func (m *memory) login(w *way) *login {
	if w.p.User == "" {
		return &login{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := w.account()
	s, ok := m.known[key]
	if !ok || !s.password.Equal(w.p.Password) {
		return &login{}
	}
	if s.digest != nil { // each count of a nonce is used once
		s.count++
		m.known[key] = s
		s.count--
	}
	return &login{scheme: s, borrowed: true}
}

// keep remembers how l, of a dial that went well, logged in.
func (m *memory) keep(w *way, l *login) {
	if !l.sent || l.borrowed {
		return
	}
	const most = 1000 // users of proxies; where there are more, all are asked again
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= most {
		m.known = map[account]scheme{}
	}
	s := l.scheme
	s.password = w.p.Password
	m.known[w.account()] = s
}

// forget is for a login that was refused.
func (m *memory) forget(w *way) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, w.account())
}
