package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// A DataError is a data connection that did not come about, where another mode of
// opening one may do. It matches what Err does.
type DataError struct {
	Mode hawser.DataMode // Passive or Active
	// Addr is where it was to lead, host:port: of the server in passive mode, else
	// of this machine or of the proxy that waited for the server. "": it did not come
	// to that.
	Addr string
	Err  error // why: of the network, or an *Error of the server's
}

// Error says which mode it was, why it failed, and what to do.
func (e *DataError) Error() string {
	return fmt.Sprintf("%s data connection: %v: %s", e.Mode, e.Err, e.cure())
}

// Unwrap returns Err.
func (e *DataError) Unwrap() error { return e.Err }

// Hint is what to do, in one sentence, such as "passive port 40123 cannot be reached:
// open the port range of the server in the firewall, or set ftp.mode to active or auto".
func (e *DataError) Hint() string {
	var refused *Error
	_, port, err := net.SplitHostPort(e.Addr)
	switch isReply, isActive := errors.As(e.Err, &refused), e.Mode == hawser.Active; {
	case e.isOnTheWay(), errors.Is(e.Err, errors.ErrUnsupported) && !isReply:
		return e.cure()
	case isReply && err != nil && isActive:
		return "the server does not connect to clients: set ftp.mode to passive"
	case isReply && err != nil:
		return "the server opens no passive port: set ftp.mode to active or auto"
	case err != nil, isReply && !isActive:
		return e.cure()
	case isActive:
		return fmt.Sprintf("the server did not connect to %s: %s", e.Addr, activeCure)
	}
	return fmt.Sprintf("passive port %s cannot be reached: %s", port, e.cure())
}

const activeCure = "set ftp.ports and ftp.external as the firewall has them, or set ftp.mode to passive"

func (e *DataError) cure() string {
	switch isActive := e.Mode == hawser.Active; {
	case isActive && (e.isOnTheWay() || errors.Is(e.Err, errors.ErrUnsupported)):
		return "set ftp.mode to passive, or reach the server through a SOCKS proxy that can bind"
	case e.isOnTheWay():
		return "have the proxy or jump host allow connections to the ports of the server's data"
	case isActive:
		return "the server must be able to reach this machine: " + activeCure
	}
	return "open the port range of the server in the firewall, or set ftp.mode to active or auto"
}

func (e *DataError) isOnTheWay() bool { return errors.Is(e.Err, hawser.ErrProxy) }

// reportData tells the traces of ctx of a data connection: d, or err.
func (s *Session) reportData(ctx context.Context, w way, start time.Time, d *data, err error) {
	if len(hawser.ContextTraces(ctx)) == 0 {
		return
	}
	step := hawser.Step{Phase: hawser.PhaseData, Took: time.Since(start), Detail: w.String()}
	if err == nil {
		step.Detail = d.describe(w)
	} else {
		e := s.life.Fail("open", err)
		e.Phase = hawser.PhaseData
		step.Err = e
	}
	opening.Report(ctx, s.life.Name(), step)
}

// describe is what d is, for a report: "passive 192.0.2.1:40123, TLS 1.3 resumed".
func (d *data) describe(w way) string {
	text := fmt.Sprintf("%s %s", w, d.tcp.RemoteAddr())
	conn, ok := d.Conn.(*tls.Conn)
	if !ok {
		return text + ", in the clear"
	}
	state := conn.ConnectionState()
	text += ", " + tls.VersionName(state.Version)
	if state.DidResume {
		text += " resumed"
	}
	return text
}
