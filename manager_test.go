package hawser_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newManager(t testing.TB, d hawser.Dialer, conns ...hawser.Connection) *hawser.Manager {
	m := &hawser.Manager{Registry: hawser.NewMemory(conns...), Dialer: d}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// named is a valid connection of protocol.
func named(name string, protocol hawser.Protocol, via string) hawser.Connection {
	c := valid(protocol)
	c.Name, c.Via = name, via
	return c
}

func TestManagerOpen(t *testing.T) {
	t.Parallel()
	t.Run("dials what the name means", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		s, err := newManager(t, d, valid(ftp)).Open(t.Context(), "bank")
		require.NoError(t, err)
		require.NoError(t, s.Ping(t.Context()))
		require.NoError(t, s.Close())
		require.Equal(t, "bank.example.com", d.last().Host)
		require.Equal(t, 1, d.sessions[0].closes())
	})
	t.Run("follows a change from the next open on", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		m := newManager(t, d, valid(ftp))
		c := valid(ftp)
		c.Host, c.Revision = "new.example.com", hawser.AnyRevision
		_, err := m.Registry.(*hawser.Memory).Put(t.Context(), c)
		require.NoError(t, err)
		s, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.Equal(t, "new.example.com", d.last().Host)
	})
	t.Run("resolves secrets of it and of its hops, and stores none", func(t *testing.T) {
		t.Parallel()
		c, hop := named("bank", sftp, "jump"), named("jump", ssh, "")
		c.Auth = hawser.Auth{User: "u", Password: hawser.SecretRef("vault:a")}
		c.ExtraSecrets = map[string]hawser.Secret{"ours.b": hawser.SecretRef("vault:b")}
		hop.Auth = hawser.Auth{User: "u", Password: hawser.SecretRef("vault:c")}
		d := &fakeDialer{}
		m := newManager(t, d, c, hop)
		m.Secrets = resolver(func(ref string) (string, error) { return "value of " + ref, nil })
		s, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.Equal(t, "value of vault:a", d.last().Auth.Password.Reveal())
		require.Equal(t, "value of vault:b", d.last().ExtraSecrets["ours.b"].Reveal())
		require.Equal(t, "value of vault:c", d.last().Hops[0].Auth.Password.Reveal())
		stored, err := m.Registry.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		requireSame(t, c, stored)
	})
	t.Run("fills in hops, nearest first", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		s, err := newManager(t, d, named("bank", sftp, "near"), named("near", ssh, "far"), named("far", ssh, "")).Open(t.Context(), "bank")
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.Len(t, d.last().Hops, 2)
		require.Equal(t, "near", d.last().Hops[0].Name)
		require.Equal(t, "far", d.last().Hops[1].Name)
	})
	t.Run("reports each step in order", func(t *testing.T) {
		t.Parallel()
		var steps []string
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(name string, s hawser.Step) {
			assert.Equal(t, "bank", name)
			assert.NoError(t, s.Err)
			steps = append(steps, string(s.Phase))
		}})
		s, err := newManager(t, &fakeDialer{}, valid(ftp)).Open(ctx, "bank")
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.Equal(t, []string{"lookup", "secrets"}, steps)
	})
}

type resolver func(ref string) (string, error)

func (r resolver) ResolveSecret(_ context.Context, ref string) (string, error) { return r(ref) }

func TestManagerOpenRefuses(t *testing.T) {
	t.Parallel()
	invalid := valid(ftp)
	invalid.Port, invalid.Auth.User = 0, ""
	unresolved := valid(ftp)
	unresolved.Auth.Password = hawser.SecretRef("env:HAWSER_TEST_NOT_SET")
	multiline := valid(ftp)
	multiline.Auth.Password = hawser.SecretRef("file:" + tempFile(t, "hush4711\r\nDELE x\n"))
	literalAsRef := valid(ftp)
	literalAsRef.Auth.Password = hawser.SecretRef("hush4711")
	badHop, hopSecret := named("jump", ssh, ""), named("jump", ssh, "")
	badHop.Host = ""
	hopSecret.Auth.Password = hawser.SecretRef("env:HAWSER_TEST_NOT_SET")

	for _, row := range []struct {
		name    string
		conns   []hawser.Connection
		phase   hawser.Phase
		matches error
		text    string
	}{
		{"an unknown name", nil, hawser.PhaseLookup, hawser.ErrNotFound, `open bank: lookup: connection not found: "bank"`},
		{"a misspelt name", []hawser.Connection{named("bonk", ftp, "")}, hawser.PhaseLookup, hawser.ErrNotFound, `open bank: lookup: connection not found: "bank"; did you mean "bonk"?`},
		{"an invalid connection", []hawser.Connection{invalid}, hawser.PhaseLookup, hawser.ErrInvalid, "open bank: lookup: auth.user: is empty; want the login name, or set auth.anonymous"},
		{"a secret that is not there", []hawser.Connection{unresolved}, hawser.PhaseSecrets, nil, `open bank: secrets: auth.password: environment variable "HAWSER_TEST_NOT_SET" is empty or not set`},
		{"a resolved secret that would break a line", []hawser.Connection{multiline}, hawser.PhaseSecrets, nil, `open bank: secrets: auth.password: secret holds CR, LF or NUL`},
		{"a reference without a scheme, and does not quote it", []hawser.Connection{literalAsRef}, hawser.PhaseSecrets, nil, `open bank: secrets: auth.password: secret reference has no scheme; write env:NAME or file:/path`},
		{"a cycle of two", []hawser.Connection{named("bank", ssh, "jump"), named("jump", ssh, "bank")}, hawser.PhaseLookup, hawser.ErrInvalid, `open bank: lookup: via: leads in a circle: "bank" again`},
		{"a cycle that it leads into", []hawser.Connection{named("bank", ssh, "a"), named("a", ssh, "b"), named("b", ssh, "a")}, hawser.PhaseLookup, hawser.ErrInvalid, `open bank: lookup: via: leads in a circle: "a" again`},
		{"a hop of another protocol", []hawser.Connection{named("bank", ssh, "files"), named("files", sftp, "")}, hawser.PhaseLookup, hawser.ErrInvalid, `open bank: lookup: via: "files" is a connection of protocol "sftp"; a hop is of protocol ssh`},
		{"a hop that is not there", []hawser.Connection{named("bank", ssh, "jump")}, hawser.PhaseLookup, hawser.ErrNotFound, `open bank: lookup: via: connection not found: "jump"; want one of bank`},
		{"a hop that is invalid", []hawser.Connection{named("bank", ssh, "jump"), badHop}, hawser.PhaseLookup, hawser.ErrInvalid, "open bank: lookup: via jump: host: is empty; want a DNS name or an IP address"},
		{"a secret of a hop that is not there", []hawser.Connection{named("bank", ssh, "jump"), hopSecret}, hawser.PhaseSecrets, nil, `open bank: secrets: via jump: auth.password: environment variable "HAWSER_TEST_NOT_SET" is empty or not set`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := &fakeDialer{}
			var failed []hawser.Step
			ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(_ string, s hawser.Step) {
				if s.Err != nil {
					failed = append(failed, s)
				}
			}})
			_, err := newManager(t, d, row.conns...).Open(ctx, "bank")
			var e *hawser.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "open", e.Op)
			assert.Equal(t, row.phase, e.Phase)
			assert.Equal(t, row.text, err.Error())
			if row.matches != nil {
				assert.ErrorIs(t, err, row.matches)
			}
			assert.False(t, hawser.Retryable(err))
			assert.Zero(t, d.calls(), "nothing must be dialed")
			if assert.Len(t, failed, 1, "the failed step is reported, once") {
				assert.Equal(t, row.phase, failed[0].Phase)
				assert.Equal(t, err, failed[0].Err)
			}
		})
	}
	t.Run("an empty secret of a resolver", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeDialer{}, unresolved)
		m.Secrets = resolver(func(string) (string, error) { return "", nil })
		_, err := m.Open(t.Context(), "bank")
		require.EqualError(t, err, "open bank: secrets: auth.password: reference leads to an empty secret")
	})
	t.Run("every secret that is not there at once", func(t *testing.T) {
		t.Parallel()
		c := unresolved.Clone()
		c.FTP.Account = hawser.SecretRef("file:" + filepath.Join(t.TempDir(), "none"))
		_, err := newManager(t, &fakeDialer{}, c).Open(t.Context(), "bank")
		require.ErrorContains(t, err, "auth.password: ")
		require.ErrorContains(t, err, "ftp.account: ")
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("to work without a Registry or a Dialer, in words", func(t *testing.T) {
		t.Parallel()
		_, err := (&hawser.Manager{Dialer: &fakeDialer{}}).Open(t.Context(), "bank")
		require.EqualError(t, err, "open bank: lookup: manager has no Registry")
		_, err = (&hawser.Manager{Registry: hawser.NewMemory(valid(ftp))}).Open(t.Context(), "bank")
		require.EqualError(t, err, "open bank: lookup: manager has no Dialer")
	})
	t.Run("what its Dialer refuses, with that error", func(t *testing.T) {
		t.Parallel()
		refusal := &hawser.Error{Op: "open", Phase: hawser.PhaseLogin, Err: hawser.ErrAuth}
		d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) { return nil, refusal }}
		_, err := newManager(t, d, valid(ftp)).Open(t.Context(), "bank")
		require.Equal(t, error(refusal), err)
	})
}

func tempFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func (onlyDials) Dial(context.Context, hawser.Connection) (hawser.Session, error) {
	return nil, errFake
}
