//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package wire

import "net"

// stirred reports whether the peer has closed conn, or has sent what nobody has
// read yet, as far as that can be known without waiting: not here.
func stirred(net.Conn) bool { return false }
