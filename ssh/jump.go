package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// A Jump is the Transport of connections with a Via: it logs in to their jump
// hosts and tunnels through the nearest. All connections through one jump host
// share a session, which is opened with the first tunnel and closed when there was
// none for as long as the Limits.Idle of the jump host says. One that was lost is
// opened anew with the next tunnel, and so is one that was silent. A jump host whose
// definition changed gets another session; the old one serves what still uses it.
//
// The zero value works. A Jump is safe for concurrent use while nobody changes its
// fields, and must not be copied after its first use. The caller closes it.
type Jump struct {
	// Dialer opens the jump hosts. A nil Transport in it is the Jump itself, so that
	// jump hosts may have a Via of their own. A program with proxies sets the one
	// that wraps the Jump, so that jump hosts may have a Proxy too.
	Dialer Dialer
	// Base is for connections without a Via. Nil: hawser.Direct.
	Base hawser.Transport

	running sync.WaitGroup // one a hop

	mu     sync.Mutex // guards all below, the users of each hop, and that none starts once closed is set
	hops   []*hop     // until their session is closed
	closed bool
}

var _ interface {
	hawser.Transport
	io.Closer
} = (*Jump)(nil)

// DialNet connects to addr from the jump host that c.Via names, whose definition
// and way are c.Hops, as a Manager fills them in. network is tcp, tcp4 or tcp6, and
// the jump host resolves names. The time of c stands still while the jump host is
// opened, which has a Timeout of its own. Errors of the jump host, and of what it
// says of the target, are a [*TunnelError]. The jump host is reported as a step of
// the opening; ctx and result are as in [hawser.Transport] and
// [Session.DialContext]. After Close, errors match net.ErrClosed.
func (j *Jump) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	if j.isClosed() {
		return nil, errJumpClosed()
	}
	if c.Via == "" {
		base := j.Base
		if base == nil {
			base = hawser.Direct{}
		}
		return base.DialNet(ctx, c, network, addr)
	}
	start := time.Now()
	t, err := j.dial(ctx, c, network, addr)
	opening.Report(ctx, c.Name, hawser.Step{
		Phase: hawser.PhaseProxy, Took: time.Since(start), Detail: "jump host " + c.Via, Err: err,
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (j *Jump) dial(ctx context.Context, c hawser.Connection, network, addr string) (*tunnel, error) {
	host, err := nearest(c)
	if err != nil {
		return nil, err
	}
	t, opened, err := j.tunnel(ctx, host, network, addr)
	// A session that was lost a moment ago may not know it yet. One that was silent
	// was waited for already.
	if opened && errors.Is(err, hawser.ErrLost) && !errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		t, _, err = j.tunnel(ctx, host, network, addr)
	}
	return t, err
}

// nearest is the connection that c.Via names.
func nearest(c hawser.Connection) (hawser.Connection, error) {
	if c.Proxy.Type != "" {
		return hawser.Connection{}, &hawser.FieldError{Field: "proxy.type", Problem: "this program was built without a transport for proxies"}
	}
	if len(c.Hops) == 0 || c.Hops[0].Name != c.Via {
		problem := fmt.Sprintf("%q was not looked up; open the connection through a Manager, which does that", c.Via)
		return hawser.Connection{}, &hawser.FieldError{Field: "via", Problem: problem}
	}
	host := c.Hops[0].Clone()
	host.Hops = slices.Clone(c.Hops[1:])
	return host, nil
}

// tunnel opens a tunnel through host, and before that host where it is not open.
// It reports whether host is open.
func (j *Jump) tunnel(ctx context.Context, host hawser.Connection, network, addr string) (*tunnel, bool, error) {
	var h *hop
	// What runs now is the clock of host.
	err := opening.Unhurried(ctx, func(ctx context.Context) error {
		var err error
		h, err = j.enter(ctx, host)
		return err
	})
	if err != nil {
		return nil, false, &TunnelError{Host: host.Name, Addr: host.Addr(), Err: err}
	}
	start := time.Now()
	t, err := h.session.dialTunnel(ctx, host.Name, network, addr, func() { j.leave(h) })
	if err != nil {
		if wasSilent(err) && time.Since(start) >= min(time.Second, h.session.calls.Timeout/2) {
			j.retire(h) // the next one gets another session
		}
		j.leave(h)
		return nil, true, err
	}
	return t, true, nil
}

// wasSilent reports whether the jump host itself gave no sign of life until the time
// was up. Its session may still know it as alive: the time of the target is often
// shorter than its own.
func wasSilent(err error) bool {
	var e *TunnelError
	return errors.As(err, &e) && e.Timeout() && !e.silent
}

// Close ends the sessions with all jump hosts, and with them every tunnel, and
// waits for what ran in them, so it is not for a Verifier or a Trace hook of a jump
// host. Later calls do nothing more.
func (j *Jump) Close() error {
	j.mu.Lock()
	j.closed = true
	for _, h := range j.hops {
		h.end()
	}
	j.mu.Unlock()
	j.running.Wait()
	return nil
}

func (j *Jump) isClosed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}
