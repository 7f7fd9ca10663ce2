//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package wire

import "net"

// A peek looks at whether the peer of a socket has sent something, as far as that
// can be known without waiting: not here.
type peek struct{}

func newPeek(net.Conn) *peek { return &peek{} }

// stirred is always false.
func (*peek) stirred() bool { return false }
