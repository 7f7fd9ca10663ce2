// Package wire speaks the line protocols, FTP and SMTP: a command out, a reply
// in, each bounded by a context and by a timeout, each told to the wire log.
package wire
