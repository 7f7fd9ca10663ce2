package livetest

import (
	"fmt"
	"slices"
	"sync"
)

// An edition is one definition of the name that a crew works with. Its password
// is its own, so that it tells which edition a session was opened by.
type edition struct {
	number   int
	at       *site
	password string
}

// A history is the editions of a name in the order of their edits.
type history struct {
	mu       sync.Mutex // guards all below
	editions []edition
	inForce  int // what opens now uses this edition or a later one
}

// next makes the edition of the next edit, and its site takes its password.
func (h *history) next(at *site) edition {
	h.mu.Lock()
	defer h.mu.Unlock()
	number := len(h.editions)
	e := edition{number: number, at: at, password: fmt.Sprintf("password of edition %d", number)}
	at.allow(e.password, true)
	h.editions = append(h.editions, e)
	return e
}

// enforce says that each open from now on has to use e, or a later edition.
func (h *history) enforce(e edition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inForce = e.number
}

func (h *history) least() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.inForce
}

// find returns the edition of password.
func (h *history) find(password string) (edition, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.editions, func(e edition) bool { return e.password == password })
	if i < 0 {
		return edition{}, fmt.Errorf("a session of no edition, with the password %q", password)
	}
	return h.editions[i], nil
}
