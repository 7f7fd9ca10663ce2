// Package ssh opens SSH sessions (RFC 4251 to 4254) for hawser connections of
// protocol "ssh" and runs commands in them. Package sftp builds on it.
//
// # Login
//
// Methods are tried in the order agent, key, keyboard-interactive, password;
// all keys are offered in one go. A keyboard-interactive question is answered
// with the password, once; a server that asks for more, a one-time code for
// one, is told no and the error quotes its question. Keys are read before the
// server is reached, so a key file that cannot be used costs no attempt.
//
// # Trust
//
// The host key is judged by the Verifier; without one, only keys that
// Connection.SSH.HostKeys lists are accepted.
//
// # Algorithms
//
// Three profiles: the default has no SHA-1, CBC or RC4; "modern" keeps only
// authenticated encryption and elliptic curves, and "legacy" adds everything
// that golang.org/x/crypto/ssh still knows, for servers that cannot be
// replaced.
//
// # Dead links
//
// A server that is silent for Connection.SSH.KeepAlive is asked for a sign of
// life; after three times without one the session ends with hawser.ErrLost.
//
// A [Session] also leads further: [Session.DialContext] is a connection from the
// server to somewhere behind it, and a [Jump] is the Transport of connections with a
// Via, for every protocol.
package ssh
