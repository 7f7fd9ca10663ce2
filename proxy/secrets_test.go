package proxy_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
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

// A report is what testify would say of a test that fails.
type report struct{ strings.Builder }

func (r *report) Errorf(format string, args ...any) { fmt.Fprintf(r, format, args...) }

// noSecret looks for the password in all that can be printed of a value.
func noSecret(t *testing.T, what string, value any) {
	t.Helper()
	var text report
	fmt.Fprintf(&text, "%v %+v %#v %q %s %x", value, value, value, value, value, value)
	noSecretIn(t, what, text.String())
}

func noSecretIn(t *testing.T, what, text string) {
	t.Helper()
	for form, leak := range map[string]string{
		"plain": password, "base64": base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
		"base64 alone": base64.RawStdEncoding.EncodeToString([]byte(password)), "hex": hex.EncodeToString([]byte(password)),
		"bytes": strings.Trim(fmt.Sprint([]byte(password)), "[]"),
	} {
		assert.False(t, strings.Contains(text, leak), "%s holds the password (%s): %s", what, form, text)
	}
}

// deep is what testify and encoding/json show of a value, to its depths.
func deep(value any) string {
	var text report
	assert.Equal(&text, 0, value)
	encoded, _ := json.Marshal(value)
	return text.String() + string(encoded)
}

func TestNothingPrintsThePassword(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range fronts(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			way, dialer := f.transport(), f.dialer()
			c := hawser.Connection{Name: "box", Protocol: hawser.SSH, Proxy: f.proxy}
			conn, err := way.DialNet(t.Context(), c, "tcp", target)
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			noSecret(t, "a connection", conn)
			noSecret(t, "an address", conn.RemoteAddr())
			if binder, ok := conn.(hawser.Binder); ok {
				b, err := binder.Bind(t.Context())
				require.NoError(t, err)
				noSecret(t, "a binding", b)
				require.NoError(t, b.Close())
			}
			second, err := dialer.DialContext(t.Context(), "tcp", target)
			require.NoError(t, err)
			require.NoError(t, second.Close())
			for what, value := range map[string]any{"a Transport": way, "a Dialer": dialer} {
				noSecret(t, what, value)
				noSecretIn(t, what, deep(value))
			}
		})
	}
}

func TestNoErrorHoldsThePassword(t *testing.T) {
	t.Parallel()
	refusing := start(t, testserver.ProxyConfig{User: user, Password: "another-word"})
	digest := start(t, testserver.ProxyConfig{User: user, Password: "another-word", Schemes: []string{"Digest SHA-256"}})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	silent := serve(t, testserver.Silent)
	repeating := serve(t, echo) // says the login that it is sent
	late, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	for what, row := range map[string]struct {
		ctx  context.Context
		addr string
	}{
		"a refused login":           {t.Context(), refusing.Addr()},
		"a refused digest":          {t.Context(), digest.Addr()},
		"an ended context":          {ended, refusing.Addr()},
		"a deadline":                {late, silent.Addr()},
		"a proxy that is not there": {t.Context(), testserver.ClosedAddr(t)},
		"an echo":                   {t.Context(), repeating.Addr()},
	} {
		for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS5, hawser.ProxySOCKS5H} {
			d := &proxy.Dialer{Proxy: to(kind, row.addr, user)}
			_, err := d.DialContext(row.ctx, "tcp", "127.0.0.1:9")
			require.Error(t, err, what)
			noSecret(t, what, err)
			noSecretIn(t, what, deep(err))
			_, err = d.DialContext(row.ctx, "tcp", "not an address")
			noSecret(t, what, err)
		}
	}
}

// A proxy that repeats the login in its refusal has it in no error.
func TestRefusalsThatQuoteTheLogin(t *testing.T) {
	t.Parallel()
	login := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	for _, head := range []string{
		"HTTP/1.1 400 Bad\r\nX-Was: " + login + "\r\n",
		"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm=\"" + login + "\"\r\n",
		"Proxy-Authorization: Basic " + login + "\r\n",
		"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\n" + login + "\r\n",
	} {
		_, err := refused(t, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(password), password), user)
		require.ErrorIs(t, err, hawser.ErrProxy)
		noSecret(t, "a refusal", err)
	}
}

// Traces tell which proxy it was, and how long it took, and no secret.
func TestStepsHoldNoPassword(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range fronts(t) {
		var mu sync.Mutex
		var steps []hawser.Step
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(name string, s hawser.Step) {
			mu.Lock()
			defer mu.Unlock()
			assert.Equal(t, "box", name)
			steps = append(steps, s)
		}})
		c := hawser.Connection{Name: "box", Protocol: hawser.SSH, Proxy: f.proxy}
		conn, err := f.transport().DialNet(ctx, c, "tcp", target)
		require.NoError(t, err, f.name)
		require.NoError(t, conn.Close())
		_, err = f.transport().DialNet(ctx, c, "tcp", testserver.ClosedAddr(t))
		require.Error(t, err, f.name)
		mu.Lock()
		proxied := 0
		for _, s := range steps {
			noSecret(t, "a step", s)
			if s.Phase == hawser.PhaseProxy && s.Err == nil {
				proxied++
				assert.Equal(t, string(f.proxy.Type)+" "+f.addr(), s.Detail, f.name)
			}
		}
		assert.Equal(t, 1, proxied, f.name)
		mu.Unlock()
	}
}
