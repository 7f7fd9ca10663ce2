package hawsertest

import (
	"sync"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
)

// pinRules are about what AutoAccept remembers of peers of a kind.
func pinRules(k kind) []rule[*verifier] {
	of := func(check func(v *verifier, k kind)) func(v *verifier) {
		return func(v *verifier) { check(v, k) }
	}
	what := k.name
	return []rule[*verifier]{
		{"AutoAccept accepts the first " + what + ", and that one again", "it trusts on first use, and a server that stays the same stays trusted", of(pinFirst)},
		{"AutoAccept refuses a changed " + what, "the change is what somebody in between looks like", of(pinChanged)},
		{"a refused change of a " + what + " changes nothing", "else whoever comes twice is let in, or locks the server out", of(pinKept)},
		{"a changed " + what + " is refused under another connection name", "two connections to one server meet the same somebody in between", of(pinOtherName)},
		{"AutoAccept takes the first " + what + " of each address", "two ports of a host may be two servers", of(pinEach)},
		{"a " + what + " accepted for one address is not for another", "else one server that is broken into passes for all others", of(pinElsewhere)},
		{"AutoAccept accepts one " + what + " of many at once", "jobs start together, and only one of the servers that they met can have been the first", of(pinRace)},
		{"AutoAccept accepts the same " + what + " from many at once", "twenty jobs that meet a new server together all get in", of(pinTogether)},
		{"AutoAccept of the other kind does not accept a " + what, "tls.auto_accept and ssh.auto_accept are each about their own", of(pinOther)},
		{"a refused " + what + " is refused again", "to have been seen is not to have been accepted", of(refusedAgain)},
	}
}

// automatic is k.conn with AutoAccept.
func (v *verifier) automatic(k kind) hawser.Connection {
	c := k.conn(v)
	k.auto(&c)
	return c
}

// first returns a connection with AutoAccept and a stranger at addr that was
// accepted by it. It skips the rule where that is not heeded.
func (v *verifier) first(k kind, addr string) (hawser.Connection, hawser.Peer) {
	v.Helper()
	c, p := v.automatic(k), k.stranger(v, addr)
	if err := v.verify(c, p); err != nil {
		v.Skipf("skipped: the Verifier does not heed AutoAccept of a %s: %v", k.name, err)
	}
	return c, p
}

func pinFirst(v *verifier, k kind) {
	c, p := v.first(k, "localhost:2121")
	v.accepts(c, p, "what it had accepted")
	v.accepts(c, p, "what it had accepted twice")
}

func pinChanged(v *verifier, k kind) {
	c, _ := v.first(k, "localhost:2121")
	v.refuses(c, k.stranger(v, "localhost:2121"), "a changed "+k.name)
}

func pinKept(v *verifier, k kind) {
	c, first := v.first(k, "localhost:2121")
	second := k.stranger(v, "localhost:2121")
	v.refuses(c, second, "a changed "+k.name)
	v.refuses(c, second, "a changed "+k.name+" that comes again")
	v.accepts(c, first, "the first "+k.name+" after a change that was refused")
}

func pinOtherName(v *verifier, k kind) {
	c, first := v.first(k, "localhost:2121")
	c.Name, c.Group, c.Auth.User = "other bank", "others", "other"
	v.refuses(c, k.stranger(v, "localhost:2121"), "a changed "+k.name)
	v.accepts(c, first, "the first "+k.name+" of the address")
}

func pinEach(v *verifier, k kind) {
	c, _ := v.first(k, "localhost:2121")
	v.accepts(c, k.stranger(v, "localhost:2122"), "the first "+k.name+" of another port")
	v.accepts(c, k.stranger(v, "127.0.0.1:2121"), "the first "+k.name+" of another host")
}

func pinElsewhere(v *verifier, k kind) {
	_, p := v.first(k, "localhost:2121")
	for _, addr := range []string{"localhost:2122", "127.0.0.1:2121", "localhost:212"} {
		p.Addr = addr
		v.refuses(k.conn(v), p, "a "+k.name+" that AutoAccept took for another address")
	}
}

// concurrency is how many jobs a rule starts together.
const concurrency = 20

// together verifies peers at once and returns which were accepted.
func (v *verifier) together(c hawser.Connection, peers []hawser.Peer) map[int]bool {
	v.Helper()
	var (
		mu       sync.Mutex // guards accepted
		accepted = map[int]bool{}
		start    = make(chan struct{})
		jobs     sync.WaitGroup
	)
	for i, p := range peers {
		jobs.Go(func() {
			<-start
			err := v.Verify(v.Context(), c, p)
			mu.Lock()
			defer mu.Unlock()
			accepted[i] = err == nil
		})
	}
	close(start)
	within(v, patience, "Verify of many at once", func() error { jobs.Wait(); return nil })
	return accepted
}

func pinRace(v *verifier, k kind) {
	v.first(k, "localhost:2121") // skips
	var peers []hawser.Peer
	for range 8 {
		peers = append(peers, k.stranger(v, "localhost:2122"))
	}
	c := v.automatic(k)
	accepted := v.together(c, peers)
	for i, p := range peers { // also of those that come afterwards
		accepted[i] = v.verify(c, p) == nil || accepted[i]
	}
	var count int
	for _, ok := range accepted {
		if ok {
			count++
		}
	}
	assert.LessOrEqual(v, count, 1, "how many of %d that claim one address were accepted", len(peers))
}

func pinTogether(v *verifier, k kind) {
	v.first(k, "localhost:2121") // skips
	p := k.stranger(v, "localhost:2122")
	peers := make([]hawser.Peer, concurrency)
	for i := range peers {
		peers[i] = p
	}
	for i, ok := range v.together(v.automatic(k), peers) {
		assert.True(v, ok, "job %d of %d that met a new server was refused", i, concurrency)
	}
}

func pinOther(v *verifier, k kind) {
	c := k.conn(v)
	for _, other := range kinds() {
		if other.name != k.name {
			other.auto(&c)
		}
	}
	v.refuses(c, k.stranger(v, "localhost:2121"), "an unknown "+k.name)
}

func refusedAgain(v *verifier, k kind) {
	c, p := k.conn(v), k.stranger(v, "localhost:2121")
	for range 3 {
		v.refuses(c, p, "an unknown "+k.name)
	}
}
