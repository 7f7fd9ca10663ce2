package hawsertest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"path/filepath"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"golang.org/x/crypto/ocsp"
)

func certificateRules() []rule[*verifier] {
	return []rule[*verifier]{
		{"a good certificate is accepted", "a Verifier that refuses what is in order gets turned off", goodCertificate},
		{"a certificate for another name is refused", "whoever owns any name at all has a certificate of a good authority", otherName},
		{"a common name is no name", "no authority vouches for it as one, and it may hold anything (RFC 9525, section 2)", commonName},
		{"an IP address is compared with IP addresses", "a DNS name may be spelt as one (RFC 9525, section 6.5)", addressName},
		{"a wildcard stands for one label", "*.example.com is neither example.com nor a.b.example.com (RFC 9525, section 6.3)", wildcard},
		{"Peer.ServerName is the name that counts", "the driver knows what the certificate must be for: tls.server_name, or the host, or the proxy", serverName},
		{"without a name to compare a certificate is refused", "crypto/x509 compares nothing then, and any name would do", noName},
		{"an expired certificate is refused", "its key may have been lost since, and revocations of it are no longer told", expired},
		{"a certificate that is not yet valid is refused", "the authority does not vouch for it yet", notYetValid},
		{"a self-signed certificate is refused", "everybody can make one", selfSigned},
		{"a certificate of an unknown authority is refused", "everybody can be one; what the server sends as its root proves nothing", unknownAuthority},
		{"a certificate of an authority that only shares the name is refused", "names are free; what counts is the key", impostor},
		{"a forged certificate is refused", "its text is not what the authority signed", forgedCertificate},
		{"a certificate for clients alone is refused", "each user has one, and could pass for the server (RFC 5280, section 4.2.1.12)", clientUse},
		{"a revoked certificate is refused", "the server itself says so, by the answer that it staples (RFC 6066, section 8)", revoked},
		{"a server without a certificate is refused", "nothing was presented, so nothing is proven", noCertificate},
		{"tls.roots is that of each connection", "two connections may trust different authorities, with one Verifier", rootsOfEach},
		{"tls.roots that cannot be read refuses the server", "and nobody else is trusted instead", unreadableRoots},
	}
}

func goodCertificate(v *verifier) {
	v.needs(certificates())
	c, server := v.overTLS(), testcert.Server(v, v.root)
	v.accepts(c, v.shakes(server.TLS(), &tls.Config{MaxVersion: tls.VersionTLS12}), "a good certificate of a TLS 1.2 server")
	v.accepts(c, v.shakes(server.TLS(), &tls.Config{MinVersion: tls.VersionTLS13}), "a good certificate of a TLS 1.3 server")
	v.accepts(c, called(v.presents(server), "LOCALHOST", "LOCALHOST:990"), "a good certificate by a name in other case")
	v.accepts(c, v.staples(ocsp.Good, server, v.root), "a good certificate with an OCSP answer that says so")
	c.TLS.Roots = testcert.File(v, "more.pem", append([]byte("# ours\n"), testcert.PEM(testcert.Root(v), v.root)...))
	v.accepts(c, v.presents(server), "a certificate of the second authority in tls.roots")
}

func otherName(v *verifier) {
	c := v.overTLS()
	for _, name := range []string{"other.example.com", "localhost.example.com", "xlocalhost", "localhos"} {
		v.refuses(c, v.presents(testcert.Server(v, v.root, testcert.For(name))), "a certificate for "+name+" alone")
	}
}

func commonName(v *verifier) {
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, v.root, testcert.For(), func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "localhost"}
	})), "a certificate that names the server as its common name alone")
}

func addressName(v *verifier) {
	c := v.overTLS()
	c.Host = "bank.example.com"
	spelt := v.presents(testcert.Server(v, v.root, testcert.For("127.0.0.1")))
	server := v.presents(testcert.Server(v, v.root))
	v.refuses(c, called(spelt, "127.0.0.1", "127.0.0.1:990"), "a DNS name that is spelt as an IP address")
	v.refuses(c, called(server, "127.0.0.2", "127.0.0.2:990"), "another IP address")
	v.needs(certificates())
	v.accepts(c, called(server, "127.0.0.1", "127.0.0.1:990"), "the right IPv4 address")
	v.accepts(c, called(server, net.IPv6loopback.String(), "[::1]:990"), "the right IPv6 address")
}

func wildcard(v *verifier) {
	c, server := v.overTLS(), v.presents(testcert.Server(v, v.root, testcert.For("*.example.com")))
	for _, name := range []string{"example.com", "a.b.example.com", ".example.com"} {
		v.refuses(c, called(server, name, name+":990"), "*.example.com for "+name)
	}
	v.needs(certificates())
	v.accepts(c, called(server, "ftp.example.com", "ftp.example.com:990"), "*.example.com for ftp.example.com")
}

func serverName(v *verifier) {
	c, server := v.overTLS(), v.presents(testcert.Server(v, v.root))
	v.refuses(c, called(server, "other.example.com", "localhost:990"), "a certificate for Host and Addr, but not for ServerName")
	proxy := called(server, "proxy.example.com", "proxy.example.com:443")
	proxy.Proxy = true
	c.Host, c.TLS.ServerName = "bank.example.com", "localhost"
	v.refuses(c, proxy, "a proxy's certificate for tls.server_name, but not for ServerName")
	v.needs(certificates())
	c.TLS.ServerName = ""
	v.accepts(c, called(server, "localhost", "bank.example.com:990"), "a certificate for ServerName, but not for Host or Addr")
}

func noName(v *verifier) {
	server := v.presents(testcert.Server(v, v.root, testcert.For("other.example.com")))
	v.refuses(v.overTLS(), called(server, "", "localhost:990"), "a certificate for another name than Host, with no ServerName")
}

func expired(v *verifier) {
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, v.root, testcert.Expired)), "an expired certificate")
}

func notYetValid(v *verifier) {
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, v.root, early)), "a certificate that is not yet valid")
}

func selfSigned(v *verifier) {
	c := v.overTLS()
	v.refuses(c, v.presents(testcert.Server(v, nil)), "a self-signed certificate")
	v.refuses(c, v.presents(testcert.Server(v, nil), v.root), "a self-signed certificate that is followed by the good root")
	v.refuses(c, v.presents(testcert.Server(v, nil, func(cert *x509.Certificate) {
		cert.IsCA, cert.KeyUsage = true, x509.KeyUsageCertSign
	})), "a self-signed certificate that calls itself an authority")
}

func unknownAuthority(v *verifier) {
	c, other := v.overTLS(), testcert.Root(v)
	server := testcert.Server(v, other)
	v.refuses(c, v.presents(server), "a certificate of an unknown authority")
	v.refuses(c, v.presents(server, other), "a certificate that is followed by its unknown authority")
	v.refuses(c, v.shakes(server.TLS(), &tls.Config{RootCAs: testcert.Pool(other)}), "a certificate that a handshake verified by other roots")
	c.TLS.Roots = ""
	v.refuses(c, v.presents(testcert.Server(v, v.root)), "a certificate of none of the system's roots")
}

// impostor is an authority of the name of v.root, once with a key id of its own
// and once with the same one.
func impostor(v *verifier) {
	for _, id := range [][]byte{nil, v.root.Cert.SubjectKeyId} {
		other := testcert.Root(v, func(c *x509.Certificate) { c.Subject, c.SubjectKeyId = v.root.Cert.Subject, id })
		server := testcert.Server(v, other)
		v.refuses(v.overTLS(), v.presents(server), "a certificate of an authority of the good one's name")
		v.refuses(v.overTLS(), v.presents(server, other), "a certificate that is followed by an authority of the good one's name")
	}
}

func forgedCertificate(v *verifier) {
	v.refuses(v.overTLS(), v.presents(forged(v, testcert.Server(v, v.root))), "a certificate whose signature does not verify")
	middle := forged(v, testcert.Intermediate(v, v.root))
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, middle), middle), "a certificate of a forged authority")
}

func clientUse(v *verifier) {
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, v.root, forClients)), "a certificate for clients alone")
}

func revoked(v *verifier) {
	v.refuses(v.overTLS(), v.staples(ocsp.Revoked, testcert.Server(v, v.root), v.root), "a certificate that the stapled answer calls revoked")
}

func noCertificate(v *verifier) {
	for _, state := range []tls.ConnectionState{{}, {Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: "localhost"}} {
		c := v.overTLS()
		v.refuses(c, hawser.Peer{Addr: "localhost:990", ServerName: "localhost", TLS: &state}, "no certificate")
		c.TLS.AutoAccept = true
		v.refuses(c, hawser.Peer{Addr: "localhost:990", ServerName: "localhost", TLS: &state}, "no certificate, with AutoAccept")
	}
}

func rootsOfEach(v *verifier) {
	v.needs(certificates())
	other := testcert.Root(v)
	ours, theirs := v.overTLS(), v.overTLS()
	theirs.Name, theirs.TLS.Roots = "other bank", testcert.File(v, "theirs.pem", testcert.PEM(other))
	v.accepts(ours, v.presents(testcert.Server(v, v.root)), "a certificate of the connection's own authority")
	v.refuses(theirs, v.presents(testcert.Server(v, v.root)), "a certificate of the authority of another connection")
	v.accepts(theirs, v.presents(testcert.Server(v, other)), "a certificate of the second connection's own authority")
	v.refuses(ours, v.presents(testcert.Server(v, other)), "a certificate of the authority of the second connection")
}

func unreadableRoots(v *verifier) {
	c, server := v.overTLS(), v.presents(testcert.Server(v, v.root))
	c.TLS.Roots = filepath.Join(v.TempDir(), "missing.pem")
	v.refuses(c, server, "a certificate, where tls.roots is not there")
	for name, text := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("roots"), "half a certificate": testcert.PEM(v.root)[:200],
		"no certificate": bytes.ReplaceAll(testcert.PEM(v.root), []byte("CERTIFICATE"), []byte("PUBLIC KEY")),
	} {
		c.TLS.Roots = testcert.File(v, "bad.pem", text)
		v.refuses(c, server, "a certificate, where tls.roots holds "+name)
	}
}
