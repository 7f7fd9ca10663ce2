package testserver

import (
	"net"
	"syscall"
)

// ackAtOnce acknowledges what has come and what comes next without delay. The kernel forgets it soon.
func ackAtOnce(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
