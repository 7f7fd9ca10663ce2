package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/hawser/hawser"
)

// echoDialer is a driver of a server that says what it is told.
type echoDialer struct{ addr string }

func (d echoDialer) Dial(ctx context.Context, _ hawser.Connection) (hawser.Session, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	return &echoSession{conn.(*net.TCPConn)}, nil
}

// echoSession may serve one user after another.
type echoSession struct{ conn *net.TCPConn }

func (s *echoSession) Ping(ctx context.Context) error { return s.chat(ctx) }

func (s *echoSession) Lease(context.Context, hawser.Connection) error { return nil }

func (s *echoSession) Reusable() bool { return true }

// chat is a few round trips.
func (s *echoSession) chat(context.Context) error {
	for range 20 {
		if _, err := s.conn.Write([]byte{1}); err != nil {
			return err
		}
		if _, err := io.ReadFull(s.conn, make([]byte, 1)); err != nil {
			return err
		}
	}
	return nil
}

// Close returns when the server knows that the session is over.
func (s *echoSession) Close() error {
	defer func() { _ = s.conn.Close() }()
	if err := s.conn.CloseWrite(); err != nil {
		return nil // it is closed already
	}
	if n, err := s.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %d bytes and %w, want the end", n, err)
	}
	return nil
}
