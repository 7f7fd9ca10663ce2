package proxy_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// A fault is what happens to the proxy's answers.
type fault struct {
	name string
	flow func(after int64) testserver.Flow
	// lies may say anything.
	lies bool
}

func faults() []fault {
	flow := func(kind testserver.Fault) func(int64) testserver.Flow {
		return func(after int64) testserver.Flow { return testserver.Flow{Fault: kind, After: after} }
	}
	return []fault{
		{"cut", flow(testserver.Cut), false},
		{"reset", flow(testserver.Reset), false},
		{"stalled", flow(testserver.Stall), false},
		{"garbled", flow(testserver.Garble), true},
	}
}

// answerBytes is how much the proxy says before the tunnel is there.
func (f front) answerBytes(t *testing.T, target string) int64 {
	t.Helper()
	relay := f.relay(t, testserver.RelayConfig{})
	f.at(relay.Addr()).dial(t, target)
	_, down := relay.Bytes()
	return down
}

func (f front) relay(t *testing.T, cfg testserver.RelayConfig) *testserver.Relay {
	t.Helper()
	relay, err := testserver.StartRelay(f.addr(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = relay.Close() })
	return relay
}

// The answers of a proxy are cut, reset, stalled and garbled at every byte.
func TestAnswersAreBrokenAtEveryByte(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range fronts(t) {
		total := f.answerBytes(t, target)
		require.Positive(t, total)
		stride := int64(1)
		if f.proxy.Type == hawser.ProxyHTTPS {
			stride, total = 23, total-8 // of the handshake, whose signatures differ in length
		}
		for _, x := range faults() {
			t.Run(f.name+" "+x.name, func(t *testing.T) {
				t.Parallel()
				var slowest time.Duration
				runs := 0
				for after := int64(0); after < total; after += stride {
					slowest = max(slowest, f.strike(t, x, after, target))
					runs++
				}
				t.Logf("%d runs, slowest return %v", runs, slowest.Round(100*time.Microsecond))
			})
		}
	}
}

// strike dials with one fault, and returns how long the dial took to come back from
// it.
func (f front) strike(t *testing.T, x fault, after int64, target string) time.Duration {
	t.Helper()
	where := fmt.Sprintf("%s %s after %d bytes", f.name, x.name, after)
	relay := f.relay(t, testserver.RelayConfig{Down: x.flow(after)})
	defer relay.Close()
	ctx, stop := givenUp(t.Context(), x, relay, after)
	defer stop()
	start := time.Now()
	c, err := f.at(relay.Addr()).dialer().DialContext(ctx, "tcp", target)
	took := time.Since(start)
	assert.Less(t, took, prompt, where)
	if err == nil { // the byte did not matter, or another connection was made
		if !x.lies {
			works(t, c)
		}
		_ = c.Close()
		return took
	}
	f.check(t, x, where, relay.Addr(), err)
	if x.name == "stalled" {
		assert.ErrorIs(t, err, context.Canceled, where)
	}
	return took
}

// givenUp is a context that ends when nothing more can be expected of relay, whose
// fault comes after so many bytes. The caller calls stop.
func givenUp(parent context.Context, x fault, relay *testserver.Relay, after int64) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	moment := time.Millisecond
	switch {
	case x.lies: // the rest of an answer comes after the lie
		moment = 30 * time.Millisecond
	case x.name != "stalled":
		return ctx, cancel
	}
	var watching sync.WaitGroup
	watching.Go(func() { // ends with ctx
		tick := time.NewTicker(moment)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-tick.C:
				if _, down := relay.Bytes(); relay.Open() > 0 && down >= after {
					cancel()
				}
			}
		}
	})
	return ctx, func() {
		cancel()
		watching.Wait()
	}
}

// check is what holds of every failure.
func (f front) check(t *testing.T, x fault, where, addr string, err error) {
	t.Helper()
	var e *proxy.Error
	require.ErrorAs(t, err, &e, where)
	if !x.lies {
		assert.ErrorIs(t, err, hawser.ErrProxy, where)
	}
	assert.Contains(t, e.Proxy, addr, where)
	for _, secret := range []string{password, base64.StdEncoding.EncodeToString([]byte(user + ":" + password))} {
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, e), secret, where)
	}
	switch x.name {
	case "cut", "reset":
		// A proxy may refuse a login by hanging up.
		assert.Equal(t, e.Op != proxy.OpLogin, e.Temporary(), "%s: %v", where, err)
	case "stalled":
		assert.False(t, hawser.Retryable(&hawser.Error{Temporary: e.Temporary(), Err: e}), where)
	}
}

// slowly sends what comes through it byte by byte.
type slowly struct{ net.Conn }

func (s slowly) Read(p []byte) (int, error) { return s.Conn.Read(p[:min(len(p), 1)]) }

// byteByByte reaches the proxy so that each read brings one byte.
type byteByByte struct{}

func (byteByByte) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	return slowly{c}, err
}

func TestAnswersThatComeByteByByte(t *testing.T) {
	t.Parallel()
	target := serve(t, func(_ context.Context, c net.Conn) {
		_, _ = c.Write([]byte("220 hello\r\n"))
	})
	for _, f := range fronts(t) {
		d := f.dialer()
		d.Forward = byteByByte{}
		c, err := d.DialContext(t.Context(), "tcp", target.Addr())
		require.NoError(t, err, f.name)
		hear(t, c, "220 hello\r\n")
		require.NoError(t, c.Close())
	}
}

// Whatever else answers than a proxy is not believed, and ends soon.
func TestGarbageIsNoAnswer(t *testing.T) {
	t.Parallel()
	random := make([]byte, 64<<10)
	_, _ = rand.Read(random)
	random[0] = 0xfe // of no protocol
	for name, garbage := range map[string]string{
		"random bytes":             string(random),
		"one letter":               strings.Repeat("A", 64<<10),
		"a status line for ever":   "HTTP/1.1 200 " + strings.Repeat("x", 128<<10),
		"header fields for ever":   "HTTP/1.1 407 No\r\n" + strings.Repeat("X-Y: z\r\n", 16<<10),
		"interim answers for ever": strings.Repeat("HTTP/1.1 103 Wait\r\n\r\n", 4<<10),
		"zeros":                    strings.Repeat("\x00", 64<<10),
		"nothing":                  "",
	} {
		for _, f := range fronts(t) {
			t.Run(name+" for "+f.name, func(t *testing.T) {
				t.Parallel()
				server := serve(t, func(_ context.Context, c net.Conn) { _, _ = c.Write([]byte(garbage)) })
				start := time.Now()
				_, err := f.at(server.Addr()).dialer().DialContext(t.Context(), "tcp", "127.0.0.1:9")
				require.ErrorIs(t, err, hawser.ErrProxy)
				assert.Less(t, time.Since(start), prompt)
				assert.Contains(t, err.Error(), server.Addr())
				assert.Less(t, len(err.Error()), 600, "the answer is not all quoted")
				assert.NotContains(t, err.Error(), "\x00")
			})
		}
	}
}

// A proxy that answers later than anybody waits is the one that is named.
func TestSlowProxyIsNamed(t *testing.T) {
	t.Parallel()
	silent := serve(t, func(ctx context.Context, _ net.Conn) { <-ctx.Done() })
	for _, f := range fronts(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			d := f.at(silent.Addr()).dialer()
			_, err := d.DialContext(ctx, "tcp", "127.0.0.1:9")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, hawser.ErrProxy)
			assert.Contains(t, err.Error(), silent.Addr())

			d.Timeout = 50 * time.Millisecond // its own
			_, err = d.DialContext(t.Context(), "tcp", "127.0.0.1:9")
			require.ErrorIs(t, err, hawser.ErrProxy)
			require.NotErrorIs(t, err, context.Canceled)
			assert.ErrorContains(t, err, "no answer within 50ms")
			assert.True(t, failure(t, err).Temporary())
		})
	}
}

// Many dials at once, each of which may be given up at any moment, leave nothing.
func TestDialsAreGivenUpAtAnyMoment(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range fronts(t) {
		var all sync.WaitGroup
		d := f.dialer()
		for i := range 40 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*i)*20*time.Microsecond)
				defer cancel()
				c, err := d.DialContext(ctx, "tcp", target)
				switch {
				case err == nil:
					_ = c.Close()
				case !errors.Is(err, context.DeadlineExceeded):
					assert.NoError(t, err, f.name)
				}
			})
		}
		all.Wait()
	}
}
