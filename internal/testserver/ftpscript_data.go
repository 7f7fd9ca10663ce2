package testserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// dataPlan is how the next data connection will be made, and the one that is open. One goroutine uses it.
type dataPlan struct {
	listener net.Listener // nil for an active connection
	port     port         // of the listener
	active   string       // what the client listens on

	raw      net.Conn    // the open connection, nil if there is none
	wire     *faultyConn // on top of raw
	conn     net.Conn    // on top of wire, or the same without TLS
	stranger net.Conn
}

// listen opens the listener for a passive connection.
func (d *dataPlan) listen(ctx context.Context) error {
	d.forget()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	addr, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		_ = l.Close()
		return fmt.Errorf("testserver: %w", err)
	}
	d.listener, d.port = l, port(addr.Port())
	return nil
}

// note remembers what a PORT or an EPRT asks for (RFC 959, section 4.1.2; RFC 2428, section 2).
func (d *dataPlan) note(line string) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "PORT":
		var h [4]byte
		var p [2]uint16
		_, err := fmt.Sscanf(rest, "%d,%d,%d,%d,%d,%d", &h[0], &h[1], &h[2], &h[3], &p[0], &p[1])
		if err == nil {
			d.forget()
			d.active = netip.AddrPortFrom(netip.AddrFrom4(h), p[0]<<8|p[1]&0xff).String()
		}
	case "EPRT":
		if parts := strings.Split(rest, "|"); len(parts) == 5 {
			d.forget()
			d.active = net.JoinHostPort(parts[2], parts[3])
		}
	}
}

// forget drops what was planned.
func (d *dataPlan) forget() {
	if d.listener != nil {
		_ = d.listener.Close()
	}
	d.listener, d.active = nil, ""
}

// open makes the connection, with TLS if the client asked for it.
func (d *dataPlan) open(ctx context.Context, p *player, how Transfer) error {
	raw, err := d.connect(ctx, how)
	if err != nil {
		return err
	}
	d.forget()
	d.raw, d.wire = raw, p.stream(ctx, raw, raw, FTPDownloadWire)
	d.conn = d.wire
	if p.private && !how.Clear {
		secure := tls.Server(d.conn, p.server.tls)
		// Whether the client liked what it saw is for the script to tell by its replies.
		_ = secure.HandshakeContext(ctx)
		d.conn = secure
	}
	return nil
}

func (d *dataPlan) connect(ctx context.Context, how Transfer) (net.Conn, error) {
	if d.listener != nil {
		l := d.listener
		stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // Accept does not know ctx.
		defer stop()
		c, err := l.Accept()
		if err != nil {
			return nil, fmt.Errorf("%w: it opened no data connection", errStrayed)
		}
		return c, nil
	}
	var dialer net.Dialer
	if how.Stranger != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(how.Stranger)}
		stranger, err := dialer.DialContext(ctx, "tcp", d.active)
		if err != nil {
			return nil, fmt.Errorf("testserver: the stranger: %w", err)
		}
		d.stranger = stranger
		_, _ = io.WriteString(stranger, "stranger")
		dialer.LocalAddr = nil
	}
	c, err := dialer.DialContext(ctx, "tcp", d.active)
	if err != nil {
		return nil, fmt.Errorf("%w: it does not listen for data on %q: %w", errStrayed, d.active, err)
	}
	return c, nil
}

// stream counts a stream of a data connection.
func (p *player) stream(ctx context.Context, c, raw net.Conn, on FTPStream) *faultyConn {
	return &faultyConn{Conn: c, actor: p.actor, stream: int(on), reads: on == FTPUpload, raw: raw, ctx: ctx}
}

// transfer does one, and leaves the connection open if it is told to.
func (p *player) transfer(ctx context.Context, how Transfer) error {
	d := &p.data
	if !how.Early {
		if err := d.open(ctx, p, how); err != nil {
			return err
		}
	}
	raw := d.raw
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if how.Receive {
		content := p.stream(ctx, d.conn, raw, FTPUpload)
		p.server.received(d.receive(content, how.Limit))
	} else {
		// A client that does not want all of it may leave.
		_, _ = io.WriteString(p.stream(ctx, d.conn, raw, FTPDownload), how.Send)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: it never came to an end with the transfer", errStrayed)
	}
	if !how.Open {
		d.end(how)
	}
	return nil
}

func (d *dataPlan) receive(r io.Reader, limit int64) Upload {
	if limit > 0 {
		r = io.LimitReader(r, limit)
	}
	content, err := io.ReadAll(r)
	// crypto/tls takes the end of the connection for the end of the content, but it does not look for it after a
	// close_notify.
	if _, secure := d.conn.(*tls.Conn); secure && err == nil && d.wire.eof {
		err = io.ErrUnexpectedEOF
	}
	return Upload{Content: string(content), Err: err}
}

// end ends the open connection.
func (d *dataPlan) end(how Transfer) {
	if d.raw == nil {
		return
	}
	if secure, ok := d.conn.(*tls.Conn); ok && !how.NoNotify && !how.Reset {
		_ = secure.CloseWrite()
	}
	if how.Reset {
		resetOnClose(d.raw)
	}
	_ = d.raw.Close()
	if d.stranger != nil {
		_ = d.stranger.Close()
	}
	d.raw, d.wire, d.conn, d.stranger = nil, nil, nil, nil
}

// close ends everything.
func (d *dataPlan) close() {
	d.forget()
	d.end(Transfer{NoNotify: true})
}
