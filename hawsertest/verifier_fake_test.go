package hawsertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hawser/hawser"
	"golang.org/x/crypto/ssh"
)

// fakeVerifier is a correct Verifier that remembers in a map, but for its bug.
type fakeVerifier struct {
	bug string

	mu      sync.Mutex        // guards all below
	pins    map[string]string // fingerprints, by kind and address
	types   map[string]string // of host keys, likewise
	raw     map[string][]byte // for bugs, this and all below
	count   map[string]int
	roots   string
	current hawser.Peer
}

func newFakeVerifier(bug string) *fakeVerifier {
	return &fakeVerifier{
		bug: bug, pins: map[string]string{}, types: map[string]string{},
		raw: map[string][]byte{}, count: map[string]int{},
	}
}

func (f *fakeVerifier) is(bug string) bool { return f.bug == bug }

// sight is what a fakeVerifier makes of a peer.
type sight struct {
	kind, key string // "certificate" or "host key"; under which it is remembered
	print     string
	typ       string // of a host key
	good      bool   // in itself
	never     bool   // to be trusted, whatever is remembered
	auto      bool
	why       string // it is not good
}

// is reports whether f has a bug with peers of the kind.
func (s sight) is(f *fakeVerifier, bug string) bool { return f.bug == s.kind+": "+bug }

func (f *fakeVerifier) Verify(ctx context.Context, c hawser.Connection, p hawser.Peer) error {
	if err := ctx.Err(); err != nil {
		switch {
		case f.is("an ended context is trust"):
			return nil
		case f.is("a question outlives its context") && p.TLS == nil:
			time.Sleep(prompt + 100*time.Millisecond)
		}
		return err
	}
	p = f.mixedUp(c, p)
	if f.is("a goroutine is left") {
		go func() { <-ctx.Done() }() // long after Verify
	}
	s, err := f.look(c, p)
	s.auto = s.auto && !f.is("AutoAccept is not heeded")
	if err == nil {
		if err = f.decide(c, p, s); err == nil {
			return nil
		}
	}
	return f.refusal(c, p, err)
}

// mixedUp is p, but for the bug in which it is another goroutine's. That is of
// connections without AutoAccept, of which races are another rule.
func (f *fakeVerifier) mixedUp(c hawser.Connection, p hawser.Peer) hawser.Peer {
	if !f.is("peers are mixed up") || c.TLS.AutoAccept || c.SSH.AutoAccept {
		return p
	}
	f.locked(func() { f.current = p })
	time.Sleep(time.Millisecond)
	f.locked(func() { p = f.current })
	return p
}

func (f *fakeVerifier) locked(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

var errNothing = errors.New("it presented nothing")

func (f *fakeVerifier) refusal(c hawser.Connection, p hawser.Peer, err error) error {
	text := hawser.Printable(err.Error())
	switch {
	case f.is("nothing is good enough") && errors.Is(err, errNothing):
		return nil
	case f.is("a refusal quotes the certificate") && p.TLS != nil, f.is("a refusal quotes the host key") && p.TLS == nil:
		text = err.Error()
	case f.is("a refusal does not match ErrUntrusted") && ordinary(c, p) && strings.Contains(text, "expired"):
		return err
	case f.is("roots that cannot be read are an error of their own") && strings.Contains(text, "tls.roots"):
		return err
	case f.is("a refusal does not name the address"):
		return fmt.Errorf("%w: %s", hawser.ErrUntrusted, text)
	}
	return fmt.Errorf("%w: %s: %s", hawser.ErrUntrusted, hawser.Printable(p.Addr), text)
}

func (f *fakeVerifier) look(c hawser.Connection, p hawser.Peer) (sight, error) {
	switch {
	case f.is("refuses everything"):
		return sight{}, errors.New("no")
	case p.TLS != nil && !f.is("host keys alone"):
		return f.lookAtCertificate(c, p)
	case len(p.HostKey) > 0 && !f.is("certificates alone"):
		return f.lookAtHostKey(c, p)
	}
	return sight{}, errNothing
}

func (f *fakeVerifier) lookAtHostKey(c hawser.Connection, p hawser.Peer) (sight, error) {
	s := sight{kind: "host key", auto: c.SSH.AutoAccept, why: "its host key is unknown"}
	s.key = f.place(s, c, p)
	s.auto = s.auto || s.is(f, "one AutoAccept for both") && c.TLS.AutoAccept
	key, err := ssh.ParsePublicKey(p.HostKey)
	if err != nil {
		if f.is("AutoAccept takes what cannot be read") && s.auto {
			return sight{good: true}, nil
		}
		return s, err
	}
	s.print, s.typ = ssh.FingerprintSHA256(key), key.Type()
	if cert, ok := key.(*ssh.Certificate); ok {
		s.never, s.why = !f.is("a certificate vouches for itself"), "certificate "+cert.KeyId
		s.good = !s.never
		return s, nil
	}
	if listed := c.SSH.HostKeys; len(listed) > 0 {
		s.good = f.lists(listed, key)
		s.never = !s.good && (!f.is("AutoAccept beats the list") || !s.auto)
	}
	if f.is("an unknown RSA key is good") && len(c.SSH.HostKeys) == 0 && !s.auto {
		s.good = key.Type() == ssh.KeyAlgoRSA
	}
	return s, nil
}

func (f *fakeVerifier) lists(listed []string, key ssh.PublicKey) bool {
	print := ssh.FingerprintSHA256(key)
	switch {
	case f.is("the first of the list counts alone"):
		listed = listed[:1]
	case f.is("listed keys are Ed25519") && key.Type() != ssh.KeyAlgoED25519:
		return false
	case f.is("the list is for Ed25519 alone") && key.Type() != ssh.KeyAlgoED25519:
		return true
	case f.is("the beginning of a fingerprint will do"):
		return slices.ContainsFunc(listed, func(l string) bool { return strings.HasPrefix(print, l) })
	case f.is("fingerprints are compared without case"):
		return slices.ContainsFunc(listed, func(l string) bool { return strings.EqualFold(print, l) })
	}
	return slices.Contains(listed, print)
}

// place is where a peer is remembered.
func (f *fakeVerifier) place(s sight, c hawser.Connection, p hawser.Peer) string {
	host, _, _ := strings.Cut(p.Addr, ":")
	switch {
	case s.is(f, "each connection remembers for itself"):
		return s.kind + " " + c.Name + " " + p.Addr
	case s.is(f, "the ports of a host are one server"):
		return s.kind + " " + host
	}
	return s.kind + " " + p.Addr
}

func (f *fakeVerifier) decide(c hawser.Connection, p hawser.Peer, s sight) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.is("host keys are kept as given") && s.kind == "host key" && s.auto {
		if f.raw[s.key] == nil {
			f.raw[s.key] = p.HostKey
		}
		s.never = s.never || !bytes.Equal(f.raw[s.key], p.HostKey)
	}
	print, known := f.pins[s.key]
	same := known && print == s.print
	if s.is(f, "what is remembered holds anywhere") {
		for _, print := range f.pins {
			same = same || print == s.print
		}
	}
	switch {
	case f.wronglyTrusts(c, s, known, same):
		return nil
	case s.never:
		return errors.New(s.why)
	case s.good && !(f.is("a good change is refused") && known && !same):
		if s.auto && !known && !f.is("good ones are not remembered") {
			f.pins[s.key] = s.print
		}
		if f.is("a good change forgets") && !same {
			delete(f.pins, s.key)
		}
		return nil
	case same:
		return f.again(s)
	case !known && s.auto:
		return f.remember(s)
	case known && s.is(f, "a change is remembered"):
		f.pins[s.key] = s.print
	}
	return errors.New(s.why)
}

// wronglyTrusts holds the bugs that trust a peer because of what is remembered.
func (f *fakeVerifier) wronglyTrusts(c hawser.Connection, s sight, known, same bool) bool {
	f.count[s.key+s.print]++
	switch {
	case s.is(f, "a change is accepted"):
		return known && s.auto
	case s.is(f, "what was seen is known"):
		return !s.auto && !s.never && f.count[s.key+s.print] > 1
	case f.is("what was accepted is not looked at"), f.is("what was accepted beats the list"):
		return same
	case f.is("AutoAccept takes forged ones"):
		return s.auto && !known && strings.Contains(s.why, string(hawser.BadSignature))
	case f.is("AutoAccept takes revoked ones"):
		return s.auto && !known && strings.Contains(s.why, string(hawser.Revoked))
	}
	return false
}

// again is the verdict on what is remembered.
func (f *fakeVerifier) again(s sight) error {
	if s.is(f, "is trusted twice") && f.count[s.key+s.print] > 2 {
		return errors.New("it comes too often")
	}
	return nil
}

// remember is called with f.mu held, and lets it go for its bugs.
func (f *fakeVerifier) remember(s sight) error {
	if s.is(f, "one address is remembered") && len(f.pins) > 0 {
		return errors.New("no room")
	}
	if s.is(f, "remembers without looking again") || s.is(f, "remembers but once") {
		f.mu.Unlock()
		time.Sleep(10 * time.Millisecond) // in which others come
		f.mu.Lock()
		if f.pins[s.key] != "" && s.is(f, "remembers but once") {
			return errors.New("it is remembered already")
		}
	}
	f.pins[s.key] = s.print
	f.types[s.key] = s.typ
	return nil
}

// HostKeyAlgorithms knows one type an address.
func (f *fakeVerifier) HostKeyAlgorithms(_ context.Context, _ hawser.Connection, addr string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch typ := f.types["host key "+addr]; {
	case f.is("the order of types is fixed"):
		return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSASHA512}, nil
	case typ == ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}, nil
	case typ != "":
		return []string{typ}, nil
	}
	return nil, nil
}
