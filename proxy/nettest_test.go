package proxy_test

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/hawser/hawser"
)

// What a proxy opens is a net.Conn in all that golang.org/x/net asks of one. TLS is
// not: crypto/tls sends nothing more once a Write has timed out. What is asked of that
// is in TestTransport.
func TestConnectionsAreThoseOfPackageNet(t *testing.T) {
	t.Parallel()
	for _, f := range fronts(t) {
		if f.proxy.Type == hawser.ProxyHTTPS {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, f.pipe)
		})
	}
}

// pipe is a connection through the proxy and the accepted end of it.
func (f front) pipe() (through, accepted net.Conn, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = l.Close() }()
	if through, err = f.dialer().Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, nil, err
	}
	if accepted, err = l.Accept(); err != nil {
		return nil, nil, nil, errors.Join(err, through.Close())
	}
	stop = func() {
		_ = through.Close()
		_ = accepted.Close()
	}
	return through, accepted, stop, nil
}
