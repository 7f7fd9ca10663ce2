// Package proxy reaches servers through HTTP and SOCKS proxies: CONNECT (RFC 9110,
// section 9.3.6), with and without TLS to the proxy, SOCKS4, SOCKS4a and SOCKS5
// (RFC 1928).
//
// A [Transport] does so for connections that have a [hawser.Proxy]; standard.New
// has one. A [Dialer] is one proxy for any other program: it is a ContextDialer of
// golang.org/x/net/proxy.
//
// What a proxy is told about a target is its address alone. Where the type resolves
// names at the proxy (http, https, socks4a, socks5h), a name is never resolved here.
// Every failure on the way is an [*Error], which says whether the proxy or the target
// failed, and what the proxy said of it.
package proxy
