// Package ftp is the driver for FTP (RFC 959) and for FTP over TLS (RFC 4217),
// explicit and implicit, with passive and active data connections (RFC 2428).
//
// A [Session] is a hawser.FileSystem for one user at a time: one file may be open
// at once, and everything else matches hawser.ErrBusy meanwhile.
//
// What the protocol leaves open is asked twice rather than guessed: an upload is
// complete when the server has said 226 and, where it tells sizes, has the file
// in its full size; a refusal that can mean anything (550) is told apart by a
// second question; a line of a listing that cannot be understood is an error.
//
// Data connections take the way of the control connection, through its proxy and its
// jump host, to the name or address that it was dialed by. Active ones need a SOCKS
// proxy that can bind, or none. In the clear, an upload that is given up looks whole
// to a server behind most proxies and behind jump hosts, which end in good order what
// was cut; over TLS it does not.
package ftp
