package ftp_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// What a login to a script shows, and what no text may show again.
const (
	scriptPassword = "pa55 of a person"
	scriptAccount  = "acc0unt of a firm"
)

// soon bounds what must end by itself, on a busy machine.
const soon = 2 * time.Second

// lenient is for a script whose client is free to stray, as a fault or a lie of
// the server makes it do.
type lenient struct{ testing.TB }

func (lenient) Errorf(string, ...any) {}

// scripted is how a script is reached. ca is a file, for TLS.
func scripted(t testing.TB, addr, ca string) hawser.Connection {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	c := hawser.Connection{Name: "script", Protocol: hawser.FTP, Host: host, Port: uint16(number), Timeout: 20 * time.Second}
	c.Auth.User, c.Auth.Password = "hawser", hawser.NewSecret(scriptPassword)
	if c.TLS.Mode = hawser.TLSNone; ca != "" {
		c.TLS.Mode, c.TLS.Roots = hawser.TLSExplicit, ca
	}
	return c
}

// loginSteps are a login in the clear. features are the lines of FEAT.
func loginSteps(features ...string) testserver.Steps {
	steps := testserver.Steps{
		{Reply: "220 hello"},
		{Want: "USER hawser", Reply: "331 password"},
		{Want: "PASS " + scriptPassword, Reply: "230 in"},
		featStep(features...),
		{Want: "TYPE I", Reply: "200 binary"},
	}
	if slices.Contains(features, "UTF8") {
		steps = append(steps, testserver.Step{Want: "OPTS UTF8 ON", Reply: "200 on"})
	}
	return append(steps, testserver.Step{Want: "PWD", Reply: `257 "/home" is it`})
}

func featStep(features ...string) testserver.Step {
	if len(features) == 0 {
		return testserver.Step{Want: "FEAT", Reply: "500 what"}
	}
	return testserver.Step{Want: "FEAT", Reply: "211-these\n " + strings.Join(features, "\n ") + "\n211 end"}
}

// secureSteps are a login with TLS, from the start or by AUTH.
func secureSteps(mode hawser.TLSMode, features ...string) testserver.Steps {
	plain := loginSteps(features...)
	steps := testserver.Steps{plain[0]}
	if mode == hawser.TLSExplicit {
		steps = append(steps, testserver.Step{Want: "AUTH TLS", Reply: "234 go", TLS: true})
	}
	steps = append(steps, plain[1], plain[2], testserver.Step{Want: "PBSZ 0", Reply: "200 ok"}, testserver.Step{Want: "PROT P", Reply: "200 ok"})
	return append(steps, plain[3:]...)
}

// play logs in to a script of a login in the clear and what comes after it.
func play(t *testing.T, features []string, steps ...testserver.Step) (*ftp.Session, *testserver.ScriptedFTP) {
	t.Helper()
	f := testserver.FTPScript{Steps: append(loginSteps(features...), steps...)}.Start(t)
	return open(t, scripted(t, f.Addr(), "")), f
}

// playFreely is play for a server that lies, after which the client may say
// anything.
func playFreely(t *testing.T, features []string, steps ...testserver.Step) (*ftp.Session, *testserver.ScriptedFTP) {
	t.Helper()
	f := testserver.FTPScript{Steps: append(loginSteps(features...), steps...)}.Start(lenient{t})
	return open(t, scripted(t, f.Addr(), "")), f
}

// overheard is a trace that keeps all that the wire log says.
type overheard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *overheard) note(m hawser.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.WriteString(m.Text + "\n")
}

func (o *overheard) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// in adds o to the traces of ctx.
func (o *overheard) in(ctx context.Context) context.Context {
	return hawser.WithTrace(ctx, &hawser.Trace{Sent: o.note, Received: o.note})
}

// assertNoSecret looks for what must not be shown.
func assertNoSecret(t testing.TB, what, text string) {
	t.Helper()
	for _, secret := range []string{scriptPassword, scriptAccount} {
		assert.NotContains(t, text, secret, what)
	}
}

// assertTyped checks that err is of the kinds that callers can tell apart.
func assertTyped(t testing.TB, where string, err error) {
	t.Helper()
	var ofPath *fs.PathError
	var ofSession *hawser.Error
	if !errors.As(err, &ofPath) && !errors.As(err, &ofSession) {
		t.Errorf("%s: an error of no type: %T %v", where, err, err)
	}
	assertNoSecret(t, where, err.Error())
}

// assertEnded checks that a session that is lost stays so, and says so at once.
func assertEnded(t testing.TB, where string, s *ftp.Session) {
	t.Helper()
	start := time.Now()
	ctx := context.WithoutCancel(t.Context())
	assert.False(t, s.Reusable(), where)
	require.Error(t, s.Cause(), where)
	_, open := s.Open(ctx, "x", 0)
	_, create := s.Create(ctx, "x", 0)
	_, stat := s.Stat(ctx, "x")
	for _, err := range []error{open, create, stat, s.Ping(ctx), s.Mkdir(ctx, "x")} {
		require.ErrorIs(t, err, hawser.ErrLost, where)
		assertTyped(t, where, err)
	}
	for _, err := range s.ReadDir(ctx, "x") {
		require.ErrorIs(t, err, hawser.ErrLost, where)
	}
	assert.Less(t, time.Since(start), soon, where)
}

// The steps and the questions by which a session shows that it is in step.
func probeSteps() testserver.Steps {
	return testserver.Steps{{Want: "NOOP", Reply: "200 alive"}, {Want: "SITE probe", Reply: "211 the probe"}}
}

// assertInStep checks that a session that calls itself reusable is, or notices
// that it is not, and never takes one answer for another.
func assertInStep(t testing.TB, where string, s *ftp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		assertTyped(t, where, err)
		assertEnded(t, where, s)
		return
	}
	code, lines, err := s.Quote(ctx, "SITE probe")
	if err != nil {
		assertTyped(t, where, err)
		assertEnded(t, where, s)
		return
	}
	assert.Equal(t, 211, code, where)
	assert.Equal(t, []string{"211 the probe"}, lines, where)
}

// within returns what fn returns, which must come soon after ctx has ended.
func within(t testing.TB, ctx context.Context, fn func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	<-ctx.Done()
	select {
	case err := <-done:
		return err
	case <-time.After(soon):
		t.Fatal("still not back")
		return nil
	}
}
