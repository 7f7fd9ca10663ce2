package testserver

import (
	"context"
	"io"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Silent accepts and never says a byte. It reads what the client says, so that it notices when the client leaves.
func Silent(ctx context.Context, c net.Conn) {
	Say("")(ctx, c)
}

// CloseAtOnce accepts and closes.
func CloseAtOnce(context.Context, net.Conn) {}

// Say says text and then nothing more, until the client leaves. What the client says is read and ignored.
func Say(text string) Handler {
	return func(_ context.Context, c net.Conn) {
		// Over a net.Pipe the client may speak first and not listen before it has.
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(io.Discard, c)
		}()
		_, _ = io.WriteString(c, text)
		<-done
	}
}

// BannerOnly is a [Handler] that identifies itself as an SSH server and then says nothing.
func BannerOnly(ctx context.Context, c net.Conn) {
	Say("SSH-2.0-x\r\n")(ctx, c)
}

// Garbage is a [Handler] that says what no protocol says: bytes of every value, over and over, 64 KiB of them.
func Garbage(ctx context.Context, c net.Conn) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(255 - i)
	}
	Say(strings.Repeat(string(all), 256))(ctx, c)
}

// LongLine is a [Handler] that says 64 KiB of a line that does not end.
func LongLine(ctx context.Context, c net.Conn) {
	Say(strings.Repeat("x", 64<<10))(ctx, c)
}

// KeyExchangeOnly returns a [Handler] that is an SSH server up to the end of the key exchange and never answers an
// attempt to log in. It does not notice the client leaving: the connection counts as open until it is dropped.
func KeyExchangeOnly() (Handler, error) {
	key, err := newHostKey()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, c net.Conn) {
		config := &ssh.ServerConfig{
			NoClientAuth: true,
			NoClientAuthCallback: func(ssh.ConnMetadata) (*ssh.Permissions, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		}
		config.AddHostKey(key)
		// The callback never lets anybody in, so there is no connection to serve.
		_, _, _, _ = ssh.NewServerConn(c, config)
	}, nil
}
