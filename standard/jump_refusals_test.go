package standard_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/standard"
)

func TestWrongPasswordOfAJumpHost(t *testing.T) {
	t.Parallel()
	const wrong = "wrong-sesame-42"
	var attempts atomic.Int32
	x := startChain(t)
	strict := startSSH(t, testserver.SSHConfig{Passwords: map[string]string{"jumper": password}, ServerConfig: func(cfg *xssh.ServerConfig) {
		check := cfg.PasswordCallback
		cfg.PasswordCallback = func(c xssh.ConnMetadata, given []byte) (*xssh.Permissions, error) {
			attempts.Add(1)
			return check(c, given)
		}
	}})
	x.conns[1] = hop("middle", strict, "far")
	x.conns[1].Auth.Password = hawser.NewSecret(wrong)
	for _, kind := range kinds() {
		attempts.Store(0)
		m := manage(t, ownSite(t).behind("near", x.conns...))
		_, err := m.Open(t.Context(), kind)
		require.ErrorIs(t, err, hawser.ErrProxy, kind)
		require.ErrorIs(t, err, hawser.ErrAuth, kind)
		assert.False(t, hawser.Retryable(err), kind)
		assert.ErrorContains(t, err, "jump host middle: ", kind)
		assert.ErrorContains(t, err, strict.Addr(), kind)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), wrong, kind)
		var e *hawser.Error
		require.ErrorAs(t, err, &e, kind)
		assert.Equal(t, hawser.PhaseProxy, e.Phase, kind)
		assert.EqualValues(t, 1, attempts.Load(), kind)
		t.Log(err)
	}
	assert.Zero(t, x.near.Accepted())
}

func TestUnknownHostKeyOfAJumpHost(t *testing.T) {
	t.Parallel()
	x := startChain(t)
	x.conns[1].SSH.HostKeys = nil
	answer := certs.Deny
	var questions []certs.Question
	m := standard.New(hawser.NewMemory(ownSite(t).behind("near", x.conns...)...), standard.Options{
		Ask: func(_ context.Context, q certs.Question) (certs.Answer, error) {
			questions = append(questions, q)
			return certs.Answer{Decision: answer}, nil
		},
	})
	defer func() { require.NoError(t, m.Close()) }()
	_, err := m.Open(t.Context(), "sftp")
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	require.ErrorIs(t, err, hawser.ErrProxy)
	assert.False(t, hawser.Retryable(err))
	assert.ErrorContains(t, err, "jump host middle: ")
	answer = certs.AcceptOnce
	require.NoError(t, work(t.Context(), m, "sftp", "sftp"))
	require.NoError(t, work(t.Context(), m, "ssh", "ssh"), "the session is the same")
	require.Len(t, questions, 2)
	for _, q := range questions {
		assert.Equal(t, "middle", q.Connection)
		assert.Equal(t, x.middle.Addr(), q.Addr)
		assert.Equal(t, sshFingerprint(x.middle.HostKey()), q.Fingerprint)
	}
}

func TestJumpHostsThatCannotBe(t *testing.T) {
	t.Parallel()
	x := startChain(t)
	s := ownSite(t)
	for _, row := range []struct {
		name   string
		change func(near, middle, far *hawser.Connection)
		match  error
		text   string
	}{
		{"no such connection", func(_, middle, _ *hawser.Connection) { middle.Via = "fer" }, hawser.ErrNotFound, `via: connection not found: "fer"; did you mean "far"?`},
		{"a circle", func(_, _, far *hawser.Connection) { far.Via = "near" }, hawser.ErrInvalid, `via: leads in a circle: "near" again`},
		{"itself", func(near, _, _ *hawser.Connection) { near.Via = "near" }, hawser.ErrInvalid, "near"},
		{"no ssh connection", func(_, middle, _ *hawser.Connection) { middle.Via = "sftp" }, hawser.ErrInvalid, `"sftp" is a connection of protocol "sftp"; a hop is of protocol ssh`},
	} {
		near, middle, far := x.conns[0].Clone(), x.conns[1].Clone(), x.conns[2].Clone()
		row.change(&near, &middle, &far)
		m := manage(t, s.behind("near", near, middle, far))
		for _, kind := range []string{"ftp", "ssh", "smtp starttls"} {
			_, err := m.Open(t.Context(), kind)
			require.ErrorIs(t, err, row.match, row.name)
			assert.ErrorContains(t, err, row.text, row.name)
			assert.False(t, hawser.Retryable(err), row.name)
			var e *hawser.Error
			require.ErrorAs(t, err, &e, row.name)
			assert.Equal(t, hawser.PhaseLookup, e.Phase, row.name)
		}
	}
	assert.Equal(t, []int{0, 0, 0}, x.accepted())
}
