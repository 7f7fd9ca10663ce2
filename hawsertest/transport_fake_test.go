package hawsertest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser/hawser"
)

const (
	fakePassword    = "correct horse"
	fakeHopPassword = "battery staple"
)

// testTransport runs the suite on a fakeTransport with a bug, "" for none.
func testTransport(bug string) func(t *testing.T) {
	return func(t *testing.T) {
		l := listen(t)
		go func() { // ends with l
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				_ = conn.Close()
			}
		}()
		at := l.Addr().(*net.TCPAddr).AddrPort()
		TestTransport(t, TransportHarness{Transport: &fakeTransport{bug: bug}, Connection: hawser.Connection{
			Name: "bank", Protocol: hawser.FTP,
			Proxy: hawser.Proxy{Type: "fake", Host: at.Addr().String(), Port: at.Port(), Password: hawser.NewSecret(fakePassword)},
			Hops:  []hawser.Connection{{Name: "bastion", Auth: hawser.Auth{Password: hawser.NewSecret(fakeHopPassword)}}},
		}})
	}
}

func TestTransportOfFake(t *testing.T) { testTransport("")(t) }

// fakeTransport is a correct Transport, but for its bug. Its proxy is one that must
// be there, and says nothing.
type fakeTransport struct {
	bug  string
	one  sync.Mutex // for a bug
	mu   sync.Mutex // guards last
	last net.Conn   // for a bug
}

func (f *fakeTransport) is(bug string) bool { return f.bug == "transport: "+bug }

func (f *fakeTransport) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	f.spoil(c)
	dialing := ctx
	if f.is("an ended context is noticed late") {
		dialing = context.WithoutCancel(ctx)
	}
	conn, err := f.open(dialing, c, network, addr)
	if err == nil && (ctx.Err() == nil || dialing == ctx) {
		return conn, nil
	}
	if conn != nil {
		_ = conn.Close()
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return f.failed(ctx, c, err)
}

// failed is what becomes of an error.
func (f *fakeTransport) failed(ctx context.Context, c hawser.Connection, err error) (net.Conn, error) {
	switch f.bug {
	case "transport: a context that ends is a timeout":
		if ctx.Err() != nil {
			err = os.ErrDeadlineExceeded
		}
	case "transport: a connection beside an error":
		return &net.TCPConn{}, err
	case "transport: the password in an error":
		return nil, fmt.Errorf("%w, with the password %s", err, c.Proxy.Password.Reveal())
	case "transport: the encoded password in an error":
		return nil, fmt.Errorf("%w, said to %s", err, base64.StdEncoding.EncodeToString([]byte("job:"+c.Proxy.Password.Reveal())))
	case "transport: the password of a jump host in an error":
		return nil, fmt.Errorf("%w, with the password %s", err, c.Hops[0].Auth.Password.Reveal())
	}
	return nil, err
}

// spoil changes what is not its own.
func (f *fakeTransport) spoil(c hawser.Connection) {
	switch f.bug {
	case "transport: Allow is sorted":
		slices.Sort(c.TLS.Allow)
	case "transport: Allow is appended to":
		_ = append(c.TLS.Allow, hawser.SelfSigned)
	case "transport: hops are appended to":
		_ = append(c.Hops, hawser.Connection{Name: "last"})
	case "transport: a hop is changed":
		c.Hops[0].Timeout = hawser.DefaultTimeout
	case "transport: the secret of a hop is cleared":
		c.Hops[0].Auth.Password = hawser.Secret{}
	case "transport: Extra is written to":
		c.Extra["fake.dialed"] = "yes"
	}
}

func (f *fakeTransport) open(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	if f.is("a goroutine is left by each dial") {
		go func() { select {} }()
	}
	if f.is("connects before it looks") {
		if conn, err := net.Dial("tcp", c.Addr()); err == nil {
			_ = conn.Close()
		}
	}
	host, port, err := f.parse(network, addr)
	if err != nil {
		return nil, err
	}
	if f.is("one dial at a time") {
		if !f.one.TryLock() {
			return nil, hawser.ErrBusy
		}
		defer f.one.Unlock()
	}
	if err := f.reachProxy(ctx, c); err != nil {
		return nil, err
	}
	return f.connect(ctx, network, addr, net.JoinHostPort(host, port))
}

// parse returns host and port of addr, unless that is none.
func (f *fakeTransport) parse(network, addr string) (host, port string, err error) {
	if !slices.Contains([]string{"tcp", "tcp4", "tcp6"}, network) && !f.is("any network is tcp") {
		return "", "", net.UnknownNetworkError(network)
	}
	if addr == "" && f.is("no address makes it panic") {
		return "", "", errors.New(string(addr[len(addr)]))
	}
	host, port, err = net.SplitHostPort(addr)
	if err != nil {
		return "", "", err
	}
	host = f.lenient(host)
	var number uint16
	if _, err := fmt.Sscan(port, &number); err != nil || number == 0 || fmt.Sprint(number) != port {
		return "", "", &net.AddrError{Err: "no port from 1 to 65535", Addr: fmt.Sprintf("%q", addr)}
	}
	if host == "" || strings.ContainsAny(host, " \t\r\n\x00") {
		return "", "", &net.AddrError{Err: "no host", Addr: fmt.Sprintf("%q", addr)}
	}
	if host == "localhost" && f.is("names are refused") {
		return "", "", &net.AddrError{Err: "no IP address", Addr: addr}
	}
	return host, port, nil
}

// lenient understands what is no host.
func (f *fakeTransport) lenient(host string) string {
	switch {
	case f.is("a NUL ends a host"):
		host, _, _ = strings.Cut(host, "\x00")
	case f.is("hosts are trimmed"):
		host = strings.TrimSpace(host)
	case f.is("a line end ends a host"):
		host, _, _ = strings.Cut(host, "\r\n")
	case f.is("no host is this one") && host == "":
		host = "127.0.0.1"
	}
	return host
}

func (f *fakeTransport) reachProxy(ctx context.Context, c hawser.Connection) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", c.Proxy.Host, c.Proxy.Port))
	switch {
	case err != nil && f.is("trouble of the proxy is the target's"):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", hawser.ErrProxy, err)
	case c.Proxy.Password.Reveal() != fakePassword && f.is("a wrong password is quoted"):
		_ = conn.Close()
		return fmt.Errorf("%w: %w: %q", hawser.ErrProxy, hawser.ErrAuth, c.Proxy.Password.Reveal())
	case c.Proxy.Password.Reveal() != fakePassword:
		_ = conn.Close()
		return fmt.Errorf("%w: %w", hawser.ErrProxy, hawser.ErrAuth)
	}
	return conn.Close()
}

// connect connects to where, for addr.
func (f *fakeTransport) connect(ctx context.Context, network, addr, where string) (net.Conn, error) {
	six := strings.HasPrefix(where, "[")
	switch {
	case six && f.is("IPv6 hangs"):
		<-ctx.Done()
		return nil, ctx.Err()
	case six && f.is("IPv6 is refused without a word"):
		return nil, errors.New("general failure")
	case f.is("tcp4 and tcp6 are tcp"), f.is("any network is tcp"):
		network = "tcp"
	case f.is("a context that ends is a timeout"): // is most likely to end here
		<-time.After(5 * time.Millisecond)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, where)
	if err != nil {
		return f.refused(network, addr, err)
	}
	return f.streams(ctx, conn.(*net.TCPConn), addr), nil
}

// refused is what becomes of a target that nobody listens at.
func (f *fakeTransport) refused(network, addr string, err error) (net.Conn, error) {
	switch f.bug {
	case "transport: a refusal does not name the target":
		return nil, errors.New("connection refused")
	case "transport: a refusal is a timeout":
		return nil, fmt.Errorf("dial %s %s: %w", network, addr, context.DeadlineExceeded)
	case "transport: a refusal comes with the first Read":
		end, other := net.Pipe()
		return end, other.Close()
	}
	if f.is("a goroutine is left by a dial that failed") {
		go func() { select {} }()
	}
	return nil, fmt.Errorf("dial %s %s: %w", network, addr, err)
}
