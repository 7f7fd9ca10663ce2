package tlsconf_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/internal/tlsconf"
)

// explained is a handshake with a server that cannot be talked to.
func explained(t testing.TB, o tlsconf.Options, handle testserver.Handler, edits ...func(*hawser.Connection)) error {
	t.Helper()
	c := ftps(t)
	c.Proxy.Host = "proxy.example.com"
	for _, edit := range edits {
		edit(&c)
	}
	_, err := handshake(t, newClient(t, c, o), start(t, handle))
	require.Error(t, err)
	assert.Equal(t, hawser.Printable(err.Error()), err.Error())
	return err
}

func implicit(c *hawser.Connection) { c.TLS.Mode = hawser.TLSImplicit }

// alert says a fatal alert (RFC 8446, section 6).
func alert(code byte) testserver.Handler {
	return testserver.Say(string([]byte{21, 3, 3, 0, 2, 2, code}))
}

// serverHello says a ServerHello of an old version (RFC 5246, section 7.4.1.3).
func serverHello(minor byte) testserver.Handler { return testserver.Say(helloText(minor)) }

func helloText(minor byte) string {
	hello := append([]byte{3, minor}, make([]byte, 32+1)...) // random, no session
	hello = append(hello, 0, 0x2f, 0)                        // RSA with AES-128, no compression
	message := append([]byte{2, 0, 0, byte(len(hello))}, hello...)
	return string(append([]byte{22, 3, minor, 0, byte(len(message))}, message...))
}

func TestServerThatDoesNotSpeakTLS(t *testing.T) {
	t.Parallel()
	banner := testserver.Say("220 \x1b[2Jwelcome\r\nsecond line\r\n")
	for _, row := range []struct {
		name   string
		o      tlsconf.Options
		handle testserver.Handler
		edit   func(*hawser.Connection)
		want   string
	}{
		{
			"in implicit mode",
			tlsconf.Options{},
			banner, implicit,
			`the server does not speak TLS here: it begins with "220 \x1b[2Jwelcome"; set tls.mode to "explicit" or "none", or port to that of implicit TLS`,
		},
		{
			"in explicit mode",
			tlsconf.Options{},
			banner, func(*hawser.Connection) {},
			`the server does not speak TLS here: it begins with "220 \x1b[2Jwelcome"`,
		},
		{
			"as a proxy",
			tlsconf.Options{Proxy: true},
			testserver.Say("HTTP/1.1 400 Bad Request\r\n"), implicit,
			`the proxy does not speak TLS here: it begins with "HTTP/1.1 400 Bad Request"; set proxy.type to "http" if it takes no TLS`,
		},
		{
			"but what nobody speaks",
			tlsconf.Options{},
			testserver.Say("\xff\xfe\xfd\xfc\xfb"), func(*hawser.Connection) {},
			`the server does not speak TLS here: it begins with "\xff\xfe\xfd\xfc\xfb"`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := explained(t, row.o, row.handle, row.edit)
			require.EqualError(t, err, row.want)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			requireFinal(t, err)
		})
	}
	t.Run("but a line without end", func(t *testing.T) {
		t.Parallel()
		err := explained(t, tlsconf.Options{}, testserver.LongLine)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.Less(t, len(err.Error()), 200)
	})
	t.Run("on a data connection, whose content is not quoted", func(t *testing.T) {
		t.Parallel()
		k := newClient(t, ftps(t), tlsconf.Options{Verifier: anyone()})
		_, err := connect(t, k, startTLS(t, testcert.Server(t, nil)))
		require.NoError(t, err)
		_, err = data(t, k, start(t, testserver.Say("4711;secret\r\n")))
		require.EqualError(t, err, `the server does not speak TLS here but sends the data connection in the clear; set tls.data to "clear" to accept that`)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		requireFinal(t, err)
	})
}

func TestServerThatIsTooOld(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		o      tlsconf.Options
		handle testserver.Handler
		edit   func(*hawser.Connection)
		want   string
	}{
		{
			"and chooses TLS 1.0",
			tlsconf.Options{},
			serverHello(1), func(*hawser.Connection) {},
			`the server speaks TLS 1.0 at most, TLS 1.2 is the least that is accepted; set tls.min_version to "1.0" if it cannot be updated, and tls.legacy if no cipher is in common then`,
		},
		{
			"and chooses TLS 1.2 where 1.3 is wanted",
			tlsconf.Options{},
			serverHello(3), func(c *hawser.Connection) { c.TLS.MinVersion = "1.3" },
			`the server speaks TLS 1.2 at most, TLS 1.3 is the least that is accepted; set tls.min_version to "1.2" if it cannot be updated, and tls.legacy if no cipher is in common then`,
		},
		{
			"and chooses SSL 3.0",
			tlsconf.Options{},
			serverHello(0), func(c *hawser.Connection) { c.TLS.MinVersion = "1.0" },
			`the server speaks SSLv3 at most, TLS 1.0 is the least that is accepted; it is too old to be spoken to (RFC 7568)`,
		},
		{
			"as a proxy",
			tlsconf.Options{Proxy: true},
			serverHello(1), func(*hawser.Connection) {},
			`the proxy speaks TLS 1.0 at most, TLS 1.2 is the least that is accepted; it must be updated`,
		},
		{
			"and says so",
			tlsconf.Options{},
			alert(70), func(*hawser.Connection) {},
			`the server does not speak any of TLS 1.2 to TLS 1.3 (tls: protocol version not supported); set tls.min_version to "1.0" if it is old`,
		},
		{
			"or too new, and says so",
			tlsconf.Options{},
			alert(70), func(c *hawser.Connection) { c.TLS.MinVersion, c.TLS.MaxVersion = "1.0", "1.2" },
			`the server does not speak any of TLS 1.0 to TLS 1.2 (tls: protocol version not supported); set tls.max_version to "1.3" if it is new`,
		},
		{
			"for the ciphers",
			tlsconf.Options{},
			alert(40), func(*hawser.Connection) {},
			`the server has no cipher, key exchange or signature in common with what was offered (tls: handshake failure); set tls.legacy to offer RSA key exchange and 3DES too, and tls.min_version to "1.0" if it is old`,
		},
		{
			"for the ciphers, by another alert",
			tlsconf.Options{},
			alert(71), func(*hawser.Connection) {},
			`the server has no cipher, key exchange or signature in common with what was offered (tls: insufficient security level); set tls.legacy to offer RSA key exchange and 3DES too, and tls.min_version to "1.0" if it is old`,
		},
		{
			"for tls.legacy too",
			tlsconf.Options{},
			alert(40), func(c *hawser.Connection) { c.TLS.Legacy, c.TLS.MinVersion = true, "1.0" },
			`the server has no cipher, key exchange or signature in common with what was offered (tls: handshake failure); it may insist on what is not spoken here, such as DHE, RC4 or SHA-1`,
		},
		{
			"for the ciphers, as a proxy",
			tlsconf.Options{Proxy: true},
			alert(40), func(*hawser.Connection) {},
			`the proxy has no cipher, key exchange or signature in common with what was offered (tls: handshake failure)`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := explained(t, row.o, row.handle, row.edit)
			require.EqualError(t, err, row.want)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			requireFinal(t, err)
		})
	}
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	t.Run("about the name", func(t *testing.T) {
		t.Parallel()
		err := explained(t, tlsconf.Options{}, alert(112))
		require.EqualError(t, err, `the server does not go by the name "localhost" (tls: unrecognized name); set tls.server_name to its name`)
		requireFinal(t, err)
		err = explained(t, tlsconf.Options{Proxy: true}, alert(112))
		require.EqualError(t, err, `the proxy does not go by the name "proxy.example.com" (tls: unrecognized name); set proxy.host to its name`)
	})
	t.Run("that say nothing more", func(t *testing.T) {
		t.Parallel()
		err := explained(t, tlsconf.Options{}, alert(80))
		require.EqualError(t, err, "the server ended the TLS handshake: tls: internal error")
		require.ErrorIs(t, err, tls.AlertError(80))
		requireFinal(t, err)
	})
	for code, text := range map[byte]string{
		42: "bad certificate", 43: "unsupported certificate", 44: "revoked certificate", 45: "expired certificate",
		46: "unknown certificate", 48: "unknown certificate authority", 49: "access denied", 116: "certificate required",
	} {
		t.Run("about a certificate: "+text, func(t *testing.T) {
			t.Parallel()
			err := explained(t, tlsconf.Options{}, alert(code))
			require.EqualError(t, err, "login refused: the server refused the TLS connection (tls: "+text+"); it did not ask for a client certificate")
			require.ErrorIs(t, err, hawser.ErrAuth)
			require.ErrorIs(t, err, tls.AlertError(code))
			requireFinal(t, err)
		})
	}
	t.Run("that are ours do not count as the server's", func(t *testing.T) {
		t.Parallel()
		// A handshake message of a type that there is not: crypto/tls sends unexpected_message.
		err := explained(t, tlsconf.Options{}, testserver.Say("\x16\x03\x03\x00\x04\xff\x00\x00\x00"))
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.Contains(t, err.Error(), "what the server presented cannot be accepted")
		requireFinal(t, err)
	})
}

func TestServerThatBreaksTheProtocol(t *testing.T) {
	t.Parallel()
	t.Run("by a record of another version than was agreed", func(t *testing.T) {
		t.Parallel()
		err := explained(t, tlsconf.Options{}, testserver.Say(helloText(3)+"\x16\x02\x00\x00\x01x"),
			func(c *hawser.Connection) { c.TLS.Legacy = true }) // else its cipher is what breaks
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.Contains(t, err.Error(), "what the server presented cannot be accepted")
		requireFinal(t, err)
	})
	t.Run("by a version that there is not", func(t *testing.T) {
		t.Parallel()
		err := explained(t, tlsconf.Options{}, serverHello(9))
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.Contains(t, err.Error(), "what the server presented cannot be accepted")
		requireFinal(t, err)
	})
}

func TestServerWantsAClientCertificate(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	server := testcert.Server(t, nil)
	good, stranger := testcert.Server(t, root, clientFor), testcert.Server(t, nil, clientFor)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, row := range []struct {
			name  string
			login *testcert.Pair
			want  string
		}{
			{"and gets none", nil, "login refused: the server asked for a client certificate and none was sent; set tls.certificate (tls: "},
			{"and gets another", stranger, "login refused: the server refused the client certificate that was sent, "},
			{"and gets it", good, ""},
		} {
			t.Run(tls.VersionName(version)+" "+row.name, func(t *testing.T) {
				t.Parallel()
				addr := startTLS(t, server, func(c *tls.Config) {
					c.MaxVersion, c.ClientAuth, c.ClientCAs = version, tls.RequireAndVerifyClientCert, testcert.Pool(root)
				})
				c := ftps(t, server)
				if row.login != nil {
					login(t, &c, row.login)
				}
				k := newClient(t, c, tlsconf.Options{})
				_, err := connect(t, k, addr)
				if row.want == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, row.want)
				require.ErrorIs(t, err, hawser.ErrAuth)
				requireFinal(t, err)
				assert.Equal(t, err, k.Explain(err), "explained once")
			})
		}
	}
	t.Run("of a kind that ours is not", func(t *testing.T) {
		t.Parallel()
		addr := start(t, requestingRSA(t, server))
		c := ftps(t, server)
		login(t, &c, good)
		_, err := handshake(t, newClient(t, c, tlsconf.Options{}), addr)
		require.ErrorContains(t, err, "login refused: the key of the client certificate does not suit the server (")
		require.ErrorIs(t, err, hawser.ErrAuth)
		requireFinal(t, err)
	})
	t.Run("and hangs up without a word", func(t *testing.T) {
		t.Parallel()
		addr := start(t, func(_ context.Context, c net.Conn) {
			conn := tls.Server(c, &tls.Config{
				Certificates: []tls.Certificate{server.TLS()}, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert,
				VerifyConnection: func(tls.ConnectionState) error { _ = c.Close(); return io.EOF },
			})
			_ = conn.Handshake()
		})
		for _, row := range []struct {
			login *testcert.Pair
			want  string
		}{
			{nil, "; the server asked for a client certificate and none was sent; set tls.certificate"},
			{good, "; the server asked for a client certificate, and tls.certificate is "},
		} {
			c := ftps(t, server)
			if row.login != nil {
				login(t, &c, row.login)
			}
			_, err := handshake(t, newClient(t, c, tlsconf.Options{}), addr)
			require.ErrorContains(t, err, "connection lost: ")
			require.ErrorContains(t, err, " during the TLS handshake: ")
			require.ErrorContains(t, err, row.want)
			require.ErrorIs(t, err, hawser.ErrLost)
			require.True(t, opening.IsLoss(err))
		}
	})
}

// requestingRSA serves TLS 1.2 and asks for a client certificate that signs by
// RSA, which crypto/tls cannot be configured to do: it changes the
// CertificateRequest (RFC 5246, section 7.4.4) on its way.
func requestingRSA(t testing.TB, p *testcert.Pair) testserver.Handler {
	t.Helper()
	return func(_ context.Context, c net.Conn) {
		config := &tls.Config{
			Certificates: []tls.Certificate{p.TLS()}, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert,
		}
		_ = tls.Server(&rewriter{Conn: c}, config).Handshake()
	}
}

// A rewriter makes each signature algorithm of a CertificateRequest rsa_pkcs1_sha256.
type rewriter struct{ net.Conn }

func (w *rewriter) Write(b []byte) (int, error) {
	// The flight of a server holds one message a record: type 13 is the request.
	for rest := b; len(rest) >= 9; {
		n := 5 + int(rest[3])<<8 + int(rest[4])
		if n > len(rest) {
			break
		}
		if rest[0] == 22 && rest[5] == 13 {
			algorithms := rest[9+1+int(rest[9]) : n] // behind the types
			for i := 2; i < 2+int(algorithms[0])<<8+int(algorithms[1]); i += 2 {
				algorithms[i], algorithms[i+1] = 4, 1
			}
		}
		rest = rest[n:]
	}
	return w.Conn.Write(b)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	server := testcert.Server(t, nil)
	plain := newClient(t, ftps(t, server), tlsconf.Options{})
	t.Run("keeps what is not about a certificate", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{nil, io.EOF, errors.New("x"), &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}} {
			require.Equal(t, err, plain.Explain(err))
		}
	})
	t.Run("knows the alert of old that a missing certificate has", func(t *testing.T) {
		t.Parallel()
		err := tls.Client(dial(t, start(t, alert(40))), &tls.Config{ServerName: "localhost"}).Handshake()
		require.Error(t, err)
		require.Equal(t, err, plain.Explain(err), "but only where one was asked for")
		addr := startTLS(t, server, func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert })
		k := newClient(t, ftps(t, server), tlsconf.Options{})
		_, other := connect(t, k, addr)
		require.NoError(t, other)
		require.ErrorIs(t, k.Explain(err), hawser.ErrAuth)
	})
	t.Run("does not take for an alert what is like one", func(t *testing.T) {
		t.Parallel()
		err := &net.OpError{Op: "remote error", Err: likeAnAlert(48)}
		require.Equal(t, err, plain.Explain(err))
	})
	t.Run("adds to a loss that a certificate was asked for", func(t *testing.T) {
		t.Parallel()
		addr := startTLS(t, server, func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert })
		k := newClient(t, ftps(t, server), tlsconf.Options{})
		_, err := connect(t, k, addr)
		require.NoError(t, err)
		err = k.Explain(io.EOF)
		require.ErrorIs(t, err, io.EOF)
		require.EqualError(t, err, "EOF; the server asked for a client certificate and none was sent; set tls.certificate")
		require.EqualError(t, k.Explain(errors.New("x")), "x")
	})
}

type likeAnAlert uint8

func (likeAnAlert) Error() string { return "like an alert" }

// A liar claims a public key and signs by another.
type liar struct {
	crypto.Signer
	claim crypto.PublicKey
}

func (l liar) Public() crypto.PublicKey { return l.claim }

func TestCertificateThatCannotBeAccepted(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	claim := func(key crypto.PublicKey) *testcert.Pair {
		real, err := serverRSA()
		require.NoError(t, err)
		return testcert.Sign(t, root, liar{real, key})
	}
	ofBits := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
	}
	unreadable := testcert.Server(t, root)
	chain := unreadable.TLS()
	chain.Certificate[0] = negativeSerial(t, unreadable.Cert)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, certificate := range map[string]tls.Certificate{
			"not readable":  chain,
			"RSA too short": claim(ofBits(768)).TLS(),
			"RSA too long":  claim(ofBits(9000)).TLS(),
			"not the server's": {
				Certificate: testcert.Server(t, root).TLS().Certificate,
				PrivateKey:  testcert.NewKey(t).(*ecdsa.PrivateKey),
			},
		} {
			t.Run(fmt.Sprint(tls.VersionName(version), " ", name), func(t *testing.T) {
				t.Parallel()
				addr := start(t, greet(&tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: version}))
				_, err := handshake(t, newClient(t, ftps(t), tlsconf.Options{Verifier: anyone()}), addr)
				require.ErrorIs(t, err, hawser.ErrUntrusted)
				require.ErrorContains(t, err, "server identity refused: what the server presented cannot be accepted, by no setting: tls: ")
				requireFinal(t, err)
				t.Log(err)
			})
		}
	}
}

// negativeSerial returns cert with a serial number that RFC 5280, section
// 4.1.2.2, forbids and crypto/x509 refuses to read. Its signature is void.
func negativeSerial(t testing.TB, cert *x509.Certificate) []byte {
	t.Helper()
	serial := cert.SerialNumber.Bytes()
	raw := append([]byte(nil), cert.Raw...)
	for i := range raw {
		if raw[i] == 2 && int(raw[i+1]) >= len(serial) && string(raw[i+2+int(raw[i+1])-len(serial):i+2+int(raw[i+1])]) == string(serial) {
			raw[i+2] |= 0x80
			_, err := x509.ParseCertificate(raw)
			require.Error(t, err)
			return raw
		}
	}
	require.Fail(t, "no serial number")
	return nil
}

func TestLossInTheHandshakeStaysALoss(t *testing.T) {
	t.Parallel()
	t.Run("of a server that hangs up", func(t *testing.T) {
		t.Parallel()
		err := explained(t, tlsconf.Options{}, testserver.CloseAtOnce)
		require.ErrorContains(t, err, "connection lost: the server closed the connection during the TLS handshake: ")
		require.ErrorIs(t, err, hawser.ErrLost)
		require.True(t, opening.IsLoss(err))
	})
	t.Run("of a proxy that hangs up", func(t *testing.T) {
		t.Parallel()
		err := explained(t, tlsconf.Options{Proxy: true}, testserver.CloseAtOnce)
		require.ErrorContains(t, err, "connection lost: the proxy closed the connection during the TLS handshake: ")
	})
	t.Run("of a deadline of the caller's", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, start(t, testserver.Silent))
		require.NoError(t, conn.SetDeadline(time.Now()))
		_, err := newClient(t, ftps(t), tlsconf.Options{}).Handshake(t.Context(), conn)
		require.ErrorContains(t, err, "connection lost: the server did not answer during the TLS handshake: ")
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.True(t, opening.IsLoss(err))
	})
	t.Run("of a conn that the caller closed", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, start(t, testserver.Silent))
		require.NoError(t, conn.Close())
		_, err := newClient(t, ftps(t), tlsconf.Options{}).Handshake(t.Context(), conn)
		require.ErrorContains(t, err, "connection lost: the connection was closed during the TLS handshake: ")
		require.True(t, opening.IsLoss(err))
	})
	t.Run("but an error of a Transport stays its own", func(t *testing.T) {
		t.Parallel()
		own := fmt.Errorf("%w: it is tired", hawser.ErrProxy)
		conn := failing{dial(t, start(t, testserver.Silent)), own}
		_, err := newClient(t, ftps(t), tlsconf.Options{}).Handshake(t.Context(), conn)
		require.ErrorIs(t, err, own)
		require.NotErrorIs(t, err, hawser.ErrLost)
		require.NotErrorIs(t, err, hawser.ErrUntrusted)
	})
}

type failing struct {
	net.Conn
	err error
}

func (f failing) Read([]byte) (int, error) { return 0, f.err }
