package tlsconf_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

func TestNewNamesTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	invalid := func(edit func(*hawser.Connection), want string) func(*testing.T) {
		return func(t *testing.T) {
			t.Parallel()
			c := ftps(t)
			edit(&c)
			_, err := tlsconf.New(c, tlsconf.Options{})
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorContains(t, err, want)
		}
	}
	t.Run("a version that there is not", invalid(func(c *hawser.Connection) { c.TLS.MinVersion = "1.4" }, `tls.min_version: unknown TLS version "1.4"`))
	t.Run("a highest version that there is not", invalid(func(c *hawser.Connection) { c.TLS.MaxVersion = "ssl3" }, `tls.max_version: unknown TLS version "ssl3"`))
	t.Run("a highest version below the default", invalid(func(c *hawser.Connection) { c.TLS.MaxVersion = "1.1" }, "tls.max_version: 1.1 is below the lowest version, 1.2"))
	t.Run("no name to verify", invalid(func(c *hawser.Connection) { c.Host = "" }, "host: is empty"))
	t.Run("a client certificate that cannot be read", func(t *testing.T) {
		t.Parallel()
		c := ftps(t)
		c.TLS.Certificate.File = testcert.File(t, "x.pem", []byte("secret"))
		_, err := tlsconf.New(c, tlsconf.Options{})
		require.ErrorContains(t, err, "tls.certificate.file: ")
	})
	t.Run("a password without a client certificate", func(t *testing.T) {
		t.Parallel()
		c := ftps(t)
		c.TLS.Certificate.Password = hawser.NewSecret("Xyzzy")
		_, err := tlsconf.New(c, tlsconf.Options{})
		require.ErrorContains(t, err, "tls.certificate")
		require.NotContains(t, err.Error(), "Xyzzy")
	})
	t.Run("a proxy without a name, whatever the server's", func(t *testing.T) {
		t.Parallel()
		_, err := tlsconf.New(ftps(t), tlsconf.Options{Proxy: true})
		require.ErrorContains(t, err, "proxy.host: is empty")
	})
}

// seen is what a server noticed of its clients.
type seen struct{ names chan string }

func (s seen) edit(config *tls.Config) {
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		s.names <- hello.ServerName
		return nil, nil
	}
}

func TestServerName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, host, serverName string
		proxy                  bool
		sent, judged           string
	}{
		{"is the host", "localhost", "", false, "localhost", "localhost"},
		{"is tls.server_name if that is set", "localhost", "ftp.example.com", false, "ftp.example.com", "ftp.example.com"},
		{"is an IP address too, though that is not sent", "127.0.0.1", "", false, "", "127.0.0.1"},
		{"has no zone", "fe80::1%eth0", "", false, "", "fe80::1"},
		{"of a proxy is its host, whatever tls.server_name", "localhost", "ftp.example.com", true, "proxy.example.com", "proxy.example.com"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := seen{make(chan string, 1)}
			addr := startTLS(t, testcert.Server(t, nil), server.edit)
			c := ftps(t)
			c.Host, c.TLS.ServerName, c.Proxy.Host = row.host, row.serverName, "proxy.example.com"
			var peer hawser.Peer
			k := newClient(t, c, tlsconf.Options{Addr: "a:1", Proxy: row.proxy, Verifier: verifierFunc(
				func(_ context.Context, _ hawser.Connection, p hawser.Peer) error { peer = p; return nil },
			)})
			_, err := connect(t, k, addr)
			require.NoError(t, err)
			assert.Equal(t, row.sent, <-server.names)
			assert.Equal(t, row.judged, peer.ServerName)
			assert.Equal(t, "a:1", peer.Addr)
			assert.Equal(t, row.proxy, peer.Proxy)
			require.NotNil(t, peer.TLS)
			assert.Len(t, peer.TLS.PeerCertificates, 1)
		})
	}
}

func TestNothingOfTLSOptionsIsForAProxy(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	config := func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequestClientCert, tls.VersionTLS12 }
	c := ftps(t, root)
	login(t, &c, testcert.Server(t, nil, clientFor))
	c.TLS.MinVersion, c.TLS.Allow, c.TLS.AutoAccept = "1.3", []hawser.Anomaly{hawser.Expired}, true
	c.Proxy.Host = "localhost"

	var given hawser.Connection
	addr := startTLS(t, testcert.Server(t, root), config)
	k := newClient(t, c, tlsconf.Options{Proxy: true, Verifier: verifierFunc(
		func(_ context.Context, c hawser.Connection, _ hawser.Peer) error { given = c; return nil },
	)})
	_, err := connect(t, k, addr)
	require.NoError(t, err, "min_version is not for the proxy")
	assert.Empty(t, given.TLS, "nor is it shown to the Verifier")

	_, err = handshake(t, newClient(t, c, tlsconf.Options{Proxy: true}), addr)
	require.ErrorIs(t, err, hawser.ErrUntrusted, "roots are not")
	assert.Contains(t, err.Error(), "give the proxy a valid certificate")
	assert.NotContains(t, err.Error(), "tls.")

	strict := startTLS(t, testcert.Server(t, root), func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	_, err = connect(t, newClient(t, c, tlsconf.Options{Proxy: true, Verifier: anyone()}), strict)
	require.ErrorIs(t, err, hawser.ErrAuth, "the client certificate is not")
	assert.Contains(t, err.Error(), "a proxy is never given one")
	requireFinal(t, err)
}

func TestVerifierDecides(t *testing.T) {
	t.Parallel()
	addr := startTLS(t, testcert.Server(t, nil))
	refusal := errors.New("I do not like it")
	answering := func(err error) tlsconf.Options {
		return tlsconf.Options{Verifier: verifierFunc(func(context.Context, hawser.Connection, hawser.Peer) error { return err })}
	}
	t.Run("nil is trust, of a certificate that nobody signed", func(t *testing.T) {
		t.Parallel()
		_, err := connect(t, newClient(t, ftps(t), answering(nil)), addr)
		require.NoError(t, err)
	})
	t.Run("an error refuses and matches ErrUntrusted", func(t *testing.T) {
		t.Parallel()
		_, err := handshake(t, newClient(t, ftps(t), answering(refusal)), addr)
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		require.ErrorIs(t, err, refusal)
		requireFinal(t, err)
	})
	t.Run("an error that matches ErrUntrusted stays what it is", func(t *testing.T) {
		t.Parallel()
		own := errors.Join(hawser.ErrUntrusted, refusal)
		_, err := handshake(t, newClient(t, ftps(t), answering(own)), addr)
		require.Equal(t, own, err)
	})
	t.Run("a context error of its own is a refusal while ctx lives", func(t *testing.T) {
		t.Parallel()
		_, err := handshake(t, newClient(t, ftps(t), answering(context.DeadlineExceeded)), addr)
		require.ErrorIs(t, err, hawser.ErrUntrusted)
	})
	t.Run("a Verifier that is not called does not accept", func(t *testing.T) {
		t.Parallel()
		o := answering(nil)
		o.Unhurried = func(func(context.Context) error) error { return nil }
		_, err := handshake(t, newClient(t, ftps(t), o), addr)
		require.ErrorIs(t, err, hawser.ErrUntrusted)
	})
}

func TestNoCertificateIsRefused(t *testing.T) {
	t.Parallel()
	judged := false
	err := tlsconf.Verify(tls.ConnectionState{}, func(tls.ConnectionState) error { judged = true; return nil })
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	require.False(t, judged)
}

func TestDataConnectionPresentsTheCertificateOfTheControlConnection(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	server, other := testcert.Server(t, root), testcert.Server(t, root)
	addr, otherAddr := startTLS(t, server), startTLS(t, other)
	asked := 0
	count := verifierFunc(func(context.Context, hawser.Connection, hawser.Peer) error { asked++; return nil })
	k := newClient(t, ftps(t), tlsconf.Options{Verifier: count})

	_, err := data(t, k, addr)
	require.ErrorContains(t, err, "needs the TLS of its control connection first")
	_, err = connect(t, k, addr)
	require.NoError(t, err)
	c, err := data(t, k, addr)
	require.NoError(t, err)
	require.NoError(t, read(c))

	_, err = data(t, k, otherAddr)
	require.ErrorIs(t, err, hawser.ErrUntrusted, "though the Verifier would accept it")
	assert.Contains(t, err.Error(), tlsconf.Fingerprint(server.Cert))
	assert.Contains(t, err.Error(), tlsconf.Fingerprint(other.Cert))
	requireFinal(t, err)
	assert.Equal(t, 1, asked, "the Verifier is for the control connection alone")
}

func TestResumedSessionIsCheckedToo(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			addr := startTLS(t, testcert.Server(t, nil), func(c *tls.Config) { c.MaxVersion = version })
			k := newClient(t, ftps(t), tlsconf.Options{Verifier: anyone()})
			_, err := connect(t, k, addr)
			require.NoError(t, err)
			c, err := data(t, k, addr)
			require.NoError(t, err)
			require.True(t, c.ConnectionState().DidResume)

			k.SetControl(testcert.Server(t, nil).Cert)
			_, err = data(t, k, addr)
			require.ErrorIs(t, err, hawser.ErrUntrusted)
		})
	}
}

func TestClientCertificateIsSentWhateverAuthoritiesTheServerNames(t *testing.T) {
	t.Parallel()
	issuer, others := testcert.Root(t), testcert.Root(t)
	certificate := testcert.Server(t, issuer, clientFor)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, row := range []struct {
			name string
			auth tls.ClientAuthType
			want error
		}{
			{"accepted", tls.RequireAnyClientCert, nil},
			{"refused", tls.RequireAndVerifyClientCert, hawser.ErrAuth},
		} {
			t.Run(tls.VersionName(version)+" "+row.name, func(t *testing.T) {
				t.Parallel()
				server := testcert.Server(t, nil)
				subjects := make(chan []*x509.Certificate, 1)
				addr := startTLS(t, server, func(c *tls.Config) {
					c.MaxVersion, c.ClientAuth, c.ClientCAs = version, row.auth, testcert.Pool(others)
					c.VerifyConnection = func(cs tls.ConnectionState) error {
						subjects <- cs.PeerCertificates
						return nil
					}
				})
				c := ftps(t, server)
				login(t, &c, certificate)
				_, err := connect(t, newClient(t, c, tlsconf.Options{}), addr)
				if row.want == nil {
					require.NoError(t, err)
					require.Equal(t, certificate.Cert.Raw, (<-subjects)[0].Raw)
					return
				}
				require.ErrorIs(t, err, row.want)
				requireFinal(t, err)
				assert.Contains(t, err.Error(), "refused the client certificate that was sent")
				assert.Contains(t, err.Error(), tlsconf.Fingerprint(certificate.Cert))
				assert.Contains(t, err.Error(), "set tls.certificate")
			})
		}
	}
}

func TestConnOfAHandshakeCanEndInOneDirection(t *testing.T) {
	t.Parallel()
	k := newClient(t, ftps(t), tlsconf.Options{Verifier: anyone()})
	addr := startTLS(t, testcert.Server(t, nil))
	half := func(conn net.Conn) error {
		c, err := k.Handshake(t.Context(), conn)
		require.NoError(t, err)
		return c.NetConn().(interface{ CloseWrite() error }).CloseWrite()
	}
	require.NoError(t, half(dial(t, addr)))
	require.ErrorIs(t, half(watch(dial(t, addr))), errors.ErrUnsupported, "where the connection below cannot")
}
