//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package wire

import (
	"net"
	"syscall"
)

// A peek looks at whether the peer of a socket has sent something, or has closed it,
// and takes nothing. It is used by one goroutine at a time, and often: what it needs
// is made once.
type peek struct {
	raw       syscall.RawConn // nil: the conn is no socket
	look      func(fd uintptr) (done bool)
	one       [1]byte
	something bool
}

func newPeek(conn net.Conn) *peek {
	p := &peek{}
	if socket, ok := conn.(syscall.Conn); ok {
		p.raw, _ = socket.SyscallConn() // nil beside an error
	}
	p.look = func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), p.one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		p.something = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
		return true
	}
	return p
}

// stirred reports whether the peer has closed the socket, or has sent what nobody
// has read yet. It does not wait. A conn that is no socket never has.
func (p *peek) stirred() bool {
	if p.raw == nil {
		return false
	}
	p.something = false
	err := p.raw.Read(p.look)
	return p.something || err != nil
}
