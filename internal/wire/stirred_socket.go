//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package wire

import (
	"net"
	"syscall"
)

// stirred reports whether the peer has closed conn, or has sent what nobody has
// read yet. It does not wait. A conn that is no socket never has.
func stirred(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	something := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		something = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
		return true
	})
	return something || err != nil
}
