package standard_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/standard"
)

// A chain is three jump hosts in a row: near, which is reached through middle, which
// is reached through far.
type chain struct {
	near, middle, far *testserver.SSH
	conns             []hawser.Connection
}

func startChain(t *testing.T) chain {
	t.Helper()
	x := chain{near: bastion(t), middle: bastion(t), far: bastion(t)}
	x.conns = []hawser.Connection{hop("near", x.near, "middle"), hop("middle", x.middle, "far"), hop("far", x.far, "")}
	return x
}

// accepted are the logins at near, middle and far.
func (x chain) accepted() []int {
	return []int{x.near.Accepted(), x.middle.Accepted(), x.far.Accepted()}
}

// bastion is a server that has nothing but tunnels.
func bastion(t *testing.T) *testserver.SSH {
	t.Helper()
	return startSSH(t, testserver.SSHConfig{Passwords: map[string]string{"jumper": password}})
}

func startSSH(t *testing.T, cfg testserver.SSHConfig) *testserver.SSH {
	t.Helper()
	cfg.Forward = func(addr string) (string, error) { return addr, nil }
	s, err := testserver.StartSSH(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func hop(name string, at *testserver.SSH, via string) hawser.Connection {
	c := server(name, hawser.SSH, at.Port(), "jumper", password)
	c.SSH.HostKeys, c.Via = []string{sshFingerprint(at.HostKey())}, via
	return c
}

// behind is every connection of s, behind the jump host called via.
func (s site) behind(via string, hops ...hawser.Connection) []hawser.Connection {
	return append(s.through(func(c *hawser.Connection) { c.Via = via }), hops...)
}

// Twenty jobs of every kind at once go through three jump hosts, each of which is
// logged in to once.
func TestEverythingThroughThreeJumpHosts(t *testing.T) {
	t.Parallel()
	x := startChain(t)
	m := manage(t, ownSite(t).behind("near", x.conns...))
	const jobs = 20
	var all sync.WaitGroup
	for i := range jobs {
		all.Go(func() {
			kind := kinds()[i%len(kinds())]
			assert.NoError(t, work(t.Context(), m, kind, kind), kind)
		})
	}
	all.Wait()
	assert.Equal(t, []int{1, 1, 1}, x.accepted())
}

// In the middle of whatever a connection is for, the second of three jump hosts dies.
func TestMiddleJumpHostDies(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	fill(t, s)
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			x := startChain(t)
			m := manage(t, s.behind("near", x.conns...))
			at := newMark()
			done := d.begin(t, m, at)
			begun := time.Now()
			x.middle.Drop()
			close(at.struck)
			requireLost(t, <-done, begun)
			require.NoError(t, work(t.Context(), m, d.kind, d.kind), "the next one")
			assert.Equal(t, []int{2, 2, 1}, x.accepted(), "far was not affected")
		})
	}
	t.Run("smtp, when the end of the message was sent", func(t *testing.T) {
		t.Parallel()
		x := startChain(t)
		at := newMark()
		c := holding(t, at)
		m := manage(t, site{c.Name: c}.behind("near", x.conns...))
		done := make(chan error, 1)
		go func() { done <- work(t.Context(), m, c.Name, c.Name) }()
		<-at.reached
		begun := time.Now()
		x.middle.Drop()
		err := <-done
		close(at.struck)
		assert.Less(t, time.Since(begun), soon)
		require.ErrorIs(t, err, hawser.ErrMaybeSent)
		require.ErrorIs(t, err, hawser.ErrLost)
		assert.False(t, hawser.Retryable(err))
		require.NoError(t, work(t.Context(), m, c.Name, c.Name), "the next one")
		assert.Equal(t, []int{2, 2, 1}, x.accepted())
	})
}

// holding is a mail server that holds its answer to the first message back, until at
// is struck.
func holding(t *testing.T, at *mark) hawser.Connection {
	t.Helper()
	var first sync.Once
	post, err := testserver.StartSMTP(testserver.SMTPConfig{TLS: testserver.SMTPExplicit, Users: map[string]string{"jobs": password}, Reply: func(command, reply string) string {
		if command == "." || strings.HasSuffix(command, " LAST") {
			first.Do(func() {
				close(at.reached)
				<-at.struck
			})
		}
		return reply
	}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = post.Close() })
	s := site{}
	s.smtp(post.Port(), post.CA(), "jobs", password)
	return s["smtp starttls"]
}

func TestMiddleOpenSSHDies(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	fill(t, s)
	var hops []hawser.Connection
	relays := map[string]*testserver.Relay{}
	for name, via := range map[string]string{"near": "middle", "middle": "far", "far": ""} {
		real := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
		relay, err := testserver.StartRelay(real.Addr(), testserver.RelayConfig{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = relay.Close() })
		c := server(name, hawser.SSH, relay.Port(), real.User, real.Password)
		c.SSH.HostKeys, c.Via = []string{sshFingerprint(real.HostKeys[0])}, via
		hops, relays[name] = append(hops, c), relay
	}
	m := manage(t, s.behind("near", hops...))
	for _, d := range deeds() {
		at := newMark()
		done := d.begin(t, m, at)
		begun := time.Now()
		relays["middle"].Drop()
		close(at.struck)
		requireLost(t, <-done, begun)
		require.NoError(t, work(t.Context(), m, d.kind, d.kind), "%s: the next one", d.name)
	}
}

// A jump host that moves takes nobody's transfer with it.
func TestJumpHostMovesDuringATransfer(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	fill(t, s)
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			x, moved := startChain(t), bastion(t)
			reg := hawser.NewMemory(s.behind("near", x.conns...)...)
			m := standard.New(reg, standard.Options{})
			defer func() { require.NoError(t, m.Close()) }()
			at := newMark()
			done := d.begin(t, m, at)
			c := hop("middle", moved, "far")
			c.Revision = hawser.AnyRevision
			_, err := reg.Put(t.Context(), c)
			require.NoError(t, err)
			require.NoError(t, work(t.Context(), m, d.kind, d.kind), "the next one")
			assert.Equal(t, 1, moved.Accepted())
			close(at.struck)
			require.NoError(t, <-done, "the one before")
			assert.Equal(t, []int{2, 1, 1}, x.accepted(), "near is reached in two ways")
			gone := func() bool { return x.near.Sessions() == 1 && x.middle.Sessions() == 0 }
			assert.Eventually(t, gone, longest, probing, "the old way is given up")
		})
	}
}

func TestManagerIsClosedDuringATransferThroughJumpHosts(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	fill(t, s)
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			x := startChain(t)
			m := manage(t, s.behind("near", x.conns...))
			at := newMark()
			done := d.begin(t, m, at)
			begun := time.Now()
			closed := make(chan error, 1)
			go func() { closed <- m.Close() }()
			close(at.struck)
			require.NoError(t, <-closed)
			require.Error(t, <-done)
			assert.Less(t, time.Since(begun), soon)
			gone := func() bool { return x.near.Sessions()+x.middle.Sessions()+x.far.Sessions() == 0 }
			assert.Eventually(t, gone, longest, probing)
		})
	}
}

// noticed is a context that tells when somebody waits for it.
type noticed struct {
	context.Context
	once  sync.Once
	waits chan struct{}
}

func (n *noticed) Done() <-chan struct{} {
	n.once.Do(func() { close(n.waits) })
	return n.Context.Done()
}

// Of two jobs that wait for the same jump host one is given up, whoever came first.
func TestJobIsGivenUpWhileItsJumpHostIsOpened(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"the first", "the second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := startChain(t)
			x.conns[1].SSH.HostKeys = nil
			asked, answers := make(chan struct{}, 2), make(chan struct{})
			m := standard.New(hawser.NewMemory(ownSite(t).behind("near", x.conns...)...), standard.Options{Ask: waiting(asked, answers)})
			defer func() { require.NoError(t, m.Close()) }()
			ended, end := context.WithCancel(t.Context())
			defer end()
			second := &noticed{Context: t.Context(), waits: make(chan struct{})}
			first := ended
			if name == "the second" {
				first, second.Context = t.Context(), ended
			}
			one, other := make(chan error, 1), make(chan error, 1)
			go func() { one <- work(first, m, "sftp", "sftp") }()
			<-asked
			go func() { other <- work(second, m, "ftp tls", "ftp tls") }()
			<-second.waits
			end()
			given, kept := one, other
			if name == "the second" {
				given, kept = other, one
			}
			err := <-given
			require.ErrorIs(t, err, context.Canceled)
			assert.False(t, hawser.Retryable(err))
			close(answers)
			require.NoError(t, <-kept)
		})
	}
}

// waiting is somebody who says yes once answers is closed.
func waiting(asked chan<- struct{}, answers <-chan struct{}) certs.Asker {
	return func(ctx context.Context, _ certs.Question) (certs.Answer, error) {
		asked <- struct{}{}
		select {
		case <-answers:
			return certs.Answer{Decision: certs.AcceptAlways}, nil
		case <-ctx.Done():
			return certs.Answer{}, ctx.Err()
		}
	}
}

// A tunnel is one connection more for the jump host, and none that is left over.
func TestTunnelsThroughJumpHostsEnd(t *testing.T) {
	t.Parallel()
	x := startChain(t)
	conns := ownSite(t).behind("near", x.conns...)
	for i := range conns {
		if conns[i].Via == "near" {
			conns[i].Limits.Idle = time.Millisecond // else the pool keeps the session
		}
	}
	m := manage(t, conns)
	for _, kind := range kinds() {
		require.NoError(t, work(t.Context(), m, kind, kind), kind)
	}
	assert.Eventually(t, func() bool { return x.near.Tunnels() == 0 }, longest, probing)
	assert.Equal(t, 1, x.middle.Tunnels(), "to near")
	assert.Equal(t, 1, x.far.Tunnels(), "to middle")
}
