package hawsertest

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// discretionRules are about what DialNet does with the Connection.
func discretionRules() []rule[*transport] {
	return []rule[*transport]{
		{"no error of the way holds a secret", "errors go to logs, tickets and mail", wayHoldsNoSecret},
		{"DialNet leaves the connection as it is", "others dial for it at the same time, and the pool compares it", leavesConnection},
	}
}

func wayHoldsNoSecret(s *transport) {
	server := s.target(echo)
	conns := searchable(s.Connection)
	if !slices.ContainsFunc(conns, func(c hawser.Connection) bool {
		for range c.Secrets() {
			return true
		}
		return false
	}) {
		s.Skip("skipped: the connection has no secret of eight bytes or more")
	}
	for what, err := range s.wayErrors(server) {
		noSecret(s, "the error of "+what, describe(err), conns...)
	}
	if c := s.Connection.Clone(); !c.Proxy.Password.IsZero() {
		c.Proxy.Password = hawser.NewSecret("wrong " + c.Proxy.Password.Reveal())
		if _, err := s.attempt(s.ctx, patience, c, "tcp", server.addr); err != nil {
			noSecret(s, "the error of a wrong password", describe(err), conns...)
		}
	}
	conn := s.dial(server.addr)
	require.NoError(s, conn.SetDeadline(time.Unix(1, 0)), "SetDeadline")
	noSecret(s, "the error of a deadline", describe(s.read(conn, "Read after the deadline")), conns...)
	require.NoError(s, conn.Close(), "Close")
	noSecret(s, "the error of a closed connection", describe(s.read(conn, "Read after Close")), conns...)
}

// wayErrors returns the errors of dials that must fail.
func (s *transport) wayErrors(server *target) map[string]error {
	s.Helper()
	s.dial(server.addr)
	errs := map[string]error{
		"a target that nobody listens at": s.fails(s.ctx, "tcp", unusedAddr(s)),
		"an ended context":                s.fails(ended(s.ctx), "tcp", server.addr),
		"a network that there is not":     s.fails(s.ctx, "ip", server.addr),
		"an address without a port":       s.fails(s.ctx, "tcp", "127.0.0.1"),
		"an address with a space":         s.fails(s.ctx, "tcp", "local host:80"),
	}
	for what, c := range s.closedWays() {
		_, err := s.attempt(s.ctx, patience, c, "tcp", server.addr)
		assert.Error(s, err, "DialNet by %s that nobody listens at", what)
		errs[what+" that nobody listens at"] = err
	}
	maps.DeleteFunc(errs, func(_ string, err error) bool { return err == nil })
	return errs
}

// searchable returns c and its hops without the secrets that are too short to be
// searched for.
func searchable(c hawser.Connection) []hawser.Connection {
	c = c.Clone()
	for _, secret := range c.Secrets() {
		if len(secret.Reveal()) < 8 {
			*secret = hawser.Secret{}
		}
	}
	conns := []hawser.Connection{c}
	for _, hop := range c.Hops {
		conns = append(conns, searchable(hop)...)
	}
	return conns
}

// leavesConnection has slices with room behind them, into which an append would
// write, and reads the connection before and after.
func leavesConnection(s *transport) {
	server, unused := s.target(echo), unusedAddr(s)
	c := s.to(server.addr)
	c.Extra = map[string]string{"hawsertest.setting": "as it was"}
	c.TLS.Allow = append(c.TLS.Allow, hawser.NameMismatch, hawser.Expired, "behind")
	c.TLS.Allow = c.TLS.Allow[:len(c.TLS.Allow)-1]
	c.Hops = append(c.Hops, hawser.Connection{Name: "behind"})
	c.Hops = c.Hops[:len(c.Hops)-1]
	before := c.Clone()
	for _, addr := range []string{server.addr, unused, "127.0.0.1"} {
		_, _ = s.attempt(s.ctx, patience, c, "tcp", addr)
		assert.True(s, unchanged(before, c), "the connection after DialNet of %q", addr)
		assert.Equal(s, hawser.Anomaly("behind"), c.TLS.Allow[:len(c.TLS.Allow)+1][len(c.TLS.Allow)], "what is behind tls.allow after DialNet of %q", addr)
		assert.Equal(s, "behind", c.Hops[:len(c.Hops)+1][len(c.Hops)].Name, "what is behind the hops after DialNet of %q", addr)
	}
}

// unchanged reports whether two connections are equal in all that they hold.
func unchanged(before, after hawser.Connection) bool {
	return before.Equivalent(after) && reflect.DeepEqual(withoutSecrets(before), withoutSecrets(after))
}

// withoutSecrets returns a copy that can be compared deeply, which secrets cannot.
func withoutSecrets(c hawser.Connection) hawser.Connection {
	c = c.Clone()
	for _, secret := range c.Secrets() {
		*secret = hawser.Secret{}
	}
	for i, hop := range c.Hops {
		c.Hops[i] = withoutSecrets(hop)
	}
	return c
}
