package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wire"
)

// A data is one data connection, and the command that it serves.
type data struct {
	s        *Session
	verb     string
	net.Conn            // what the content goes through
	tcp      net.Conn   // below TLS; Conn itself without
	out      *coalescer // between them; nil without TLS
	first    wire.Reply // 150, or 2xx where the server has said all with it
}

// openData opens a data connection for a command line. restart is where the
// server is to begin, in bytes. The caller has the turn, and ends the data.
func (s *Session) openData(ctx context.Context, line string, restart int64) (*data, error) {
	limited, cancel := s.untilEnded(ctx)
	defer cancel()
	var errs []error
	for _, way := range s.ways.order(s.settings.FTP.Mode) {
		start := time.Now()
		d, err := s.openDataBy(limited, way, line, restart)
		s.reportData(ctx, way, start, d, err)
		if err == nil {
			s.ways.worked(way)
			return d, nil
		}
		if cause := s.Cause(); cause != nil && ctx.Err() == nil { // also if it was Close
			return nil, cause
		}
		errs = append(errs, err)
		if !isOfWay(err) || ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, errors.Join(errs...)
}

// untilEnded is ctx, which ends also with the session. cancel waits for nobody.
func (s *Session) untilEnded(ctx context.Context) (opening context.Context, cancel func()) {
	opening, cancel = context.WithCancel(ctx)
	go func() { // ends with cancel, which the caller defers
		select {
		case <-s.life.Over():
			cancel()
		case <-opening.Done():
		}
	}()
	return opening, cancel
}

// ofWay is err of opening a data connection in a way, unless another way would fare
// no better: a proxy has refused the login or is not trusted, or a jump host is lost.
func ofWay(w way, addr string, err error) error {
	if errors.Is(err, hawser.ErrAuth) || errors.Is(err, hawser.ErrUntrusted) || errors.Is(err, hawser.ErrLost) {
		return fmt.Errorf("data connection: %w", err)
	}
	return &DataError{Mode: w.mode(), Addr: addr, Err: err}
}

func isOfWay(err error) bool {
	var w *DataError
	return errors.As(err, &w)
}

func (s *Session) openDataBy(ctx context.Context, w way, line string, restart int64) (*data, error) {
	if s.features.has("PRET") { // of distributed servers, which choose a machine by it
		if _, err := s.command("PRET " + line); err != nil {
			return nil, err
		}
	}
	open, err := s.prepare(ctx, w)
	if err != nil {
		return nil, err
	}
	d := &data{s: s, verb: verbOf(line)}
	if err := d.start(ctx, open, line, restart); err != nil {
		open.abandon()
		return nil, err
	}
	if err := d.protect(ctx); err != nil {
		d.reset() // without TLS the server takes nothing for a file
		return nil, s.afterData(err, d)
	}
	return d, nil
}

// start sends the command and connects.
func (d *data) start(ctx context.Context, open opener, line string, restart int64) error {
	if restart > 0 {
		r, err := d.s.exchange(fmt.Sprintf("REST %d", restart))
		if err != nil {
			return err
		}
		if r.Code != codeRestart {
			return refusal("REST", r)
		}
	}
	if err := send(d.s.wire, line, "", ""); err != nil {
		return err
	}
	r, err := receive(d.s.wire, d.verb)
	switch {
	case err != nil:
		return err
	case r.Code == codeNoData:
		return &DataError{Mode: open.way().mode(), Addr: open.addr(), Err: refusal(d.verb, r)}
	case r.Class() > 2, r.Class() == 2 && d.isUpload():
		return refusal(d.verb, r) // also if it says that it has what it was not yet sent
	}
	d.first = r
	d.tcp, err = open.connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return d.s.afterData(&DataError{Mode: open.way().mode(), Addr: open.addr(), Err: err}, d)
	}
	d.Conn = d.tcp
	return nil
}

// protect turns the data connection to TLS, where it is to be.
func (d *data) protect(ctx context.Context) error {
	if !d.s.protected() {
		return nil
	}
	d.out = &coalescer{Conn: d.tcp, timeout: d.s.timeout()}
	shaking, cancel := context.WithTimeout(ctx, d.s.timeout())
	defer cancel()
	conn, err := d.s.tls.Data(shaking, d.out)
	switch {
	case err != nil && ctx.Err() == nil && shaking.Err() != nil:
		return fmt.Errorf("data connection: no TLS within %v: %w", d.s.timeout(), os.ErrDeadlineExceeded)
	case err != nil:
		return fmt.Errorf("data connection: %w", err)
	}
	d.Conn = conn
	return nil
}

// afterData reads the reply that still comes to the command of d, whose data
// connection failed by err, so that the next one is answered in step.
func (s *Session) afterData(err error, d *data) error {
	if d.first.Class() == 2 {
		return err
	}
	r, broken := receiveLast(s.wire, d.verb)
	switch {
	case broken != nil:
		return fmt.Errorf("%w; then: %w", err, broken)
	case r.Class() > 2 && !errors.Is(err, hawser.ErrUntrusted):
		return fmt.Errorf("%w; the server says: %w", err, refusal(d.verb, r))
	}
	return err
}

// drop closes the data connection by a reset, which the server cannot take for the
// end of a file. Through a tunnel, and most proxies, there is none; see below.
func (d *data) drop() {
	if !d.isDirect() && d.isUpload() {
		// A tunnel knows no reset, and of the proxies dante alone passes one on. So
		// the control connection is closed first, for a server that looks at it before
		// it believes in the end. In the clear none has to.
		_ = d.s.wire.Close()
	}
	d.reset()
}

// reset closes the data connection, by a reset where there are any.
func (d *data) reset() {
	if tcp := d.plainTCP(); tcp != nil {
		_ = tcp.SetLinger(0)
	}
	_ = d.tcp.Close()
}

// refused is r as the error of a transfer. Servers that want the TLS session of
// the control connection on each data connection tell it so late.
func (d *data) refused(r wire.Reply) error {
	err := refusal(d.verb, r)
	conn, ok := d.Conn.(*tls.Conn)
	if !ok || conn.ConnectionState().DidResume || r.Code != codeNoData && r.Code != codeReuseTLS {
		return err
	}
	const cure = "let it speak TLS 1.3, or give tickets (ProFTPD: TLSSessionTickets on), or not insist (ProFTPD: TLSOptions NoSessionReuseRequired; vsftpd: require_ssl_reuse=NO)"
	return opening.WithHint(fmt.Errorf("%w; the server may want TLS sessions resumed and gave no ticket for one: %s", err, cure),
		"the server may want TLS sessions resumed, and gave no ticket for one: "+cure)
}

// wasCut reports whether the server left TLS without saying so (RFC 8446, section
// 6.1), so that the end may be anybody's.
func (d *data) wasCut() bool { return d.out != nil && d.out.ended }

func (d *data) isUpload() bool { return d.verb == "STOR" || d.verb == "APPE" }

// isTLS reports whether the content is encrypted.
func (d *data) isTLS() bool {
	_, ok := d.Conn.(*tls.Conn)
	return ok
}

// plainTCP is the socket that the content goes through as it is: that of the server,
// or of a proxy on the way. Nil: there is none.
func (d *data) plainTCP() *net.TCPConn {
	switch conn := d.tcp.(type) {
	case *net.TCPConn:
		return conn
	case interface{ TCPConn() *net.TCPConn }:
		return conn.TCPConn()
	}
	return nil
}

// isDirect reports whether the end of the data connection is the server's: a proxy
// that breaks ends it as well, and may do that in good order.
func (d *data) isDirect() bool {
	_, direct := d.tcp.(*net.TCPConn)
	return direct
}
