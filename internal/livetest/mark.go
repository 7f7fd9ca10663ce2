package livetest

import (
	"context"
	"io"
	"sync"

	"github.com/hawser/hawser"
)

// A marker is a Dialer whose sessions know by which password they were opened,
// which differs from edition to edition.
type marker struct {
	hawser.Dialer
	mu   sync.Mutex // guards open
	open map[string]int
}

// Dial opens a session that is a *marked.
func (m *marker) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	password := c.Auth.Password.Reveal()
	m.add(password, 1)
	s, err := m.Dialer.Dial(ctx, c)
	if err != nil {
		m.add(password, -1)
		return nil, err
	}
	return &marked{Session: s, password: password, by: m}, nil
}

// Close closes the Dialer inside.
func (m *marker) Close() error { return m.Dialer.(io.Closer).Close() }

func (m *marker) add(password string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == nil {
		m.open = map[string]int{}
	}
	m.open[password] += n
}

// opened counts the sessions of password that are open or being opened.
func (m *marker) opened(password string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open[password]
}

// marked is a session that knows its password.
type marked struct {
	hawser.Session
	password string
	by       *marker
	once     sync.Once
}

// Unwrap returns the driver's session.
func (s *marked) Unwrap() hawser.Session { return s.Session }

// Close closes the session.
func (s *marked) Close() error {
	err := s.Session.Close()
	s.once.Do(func() { s.by.add(s.password, -1) })
	return err
}
