package tlsconf_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

// hello is what a client of c offers.
func hello(t *testing.T, c hawser.Connection) *tls.ClientHelloInfo {
	t.Helper()
	offers := make(chan *tls.ClientHelloInfo, 1)
	server := testcert.Server(t, nil)
	addr := startTLS(t, server, func(config *tls.Config) {
		config.MinVersion = tls.VersionTLS10
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			offers <- hello
			return nil, nil
		}
	})
	_, _ = handshake(t, newClient(t, c, tlsconf.Options{Verifier: anyone()}), addr)
	return <-offers
}

func TestVersionsOffered(t *testing.T) {
	t.Parallel()
	const v10, v11, v12, v13 = tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13
	for _, row := range []struct {
		low, high string
		want      []uint16
	}{
		{"", "", []uint16{v13, v12}},
		{"1.0", "", []uint16{v13, v12, v11, v10}},
		{"1.1", "", []uint16{v13, v12, v11}},
		{"1.3", "", []uint16{v13}},
		{"", "1.2", []uint16{v12}},
		{"1.0", "1.0", []uint16{v10}},
		{"1.0", "1.1", []uint16{v11, v10}},
	} {
		t.Run("from "+row.low+" to "+row.high, func(t *testing.T) {
			t.Parallel()
			c := ftps(t)
			c.TLS.MinVersion, c.TLS.MaxVersion = row.low, row.high
			require.Equal(t, row.want, hello(t, c).SupportedVersions)
		})
	}
}

func TestCiphersOffered(t *testing.T) {
	t.Parallel()
	named := func(ids []uint16) map[string]bool {
		names := make(map[string]bool)
		for _, id := range ids {
			names[tls.CipherSuiteName(id)] = true
		}
		return names
	}
	plain, old := ftps(t), ftps(t)
	plain.TLS.MinVersion, old.TLS.MinVersion, old.TLS.Legacy = "1.0", "1.0", true
	usual, legacy := named(hello(t, plain).CipherSuites), named(hello(t, old).CipherSuites)
	t.Run("by default have neither RSA key exchange nor 3DES nor RC4, whatever the version", func(t *testing.T) {
		t.Parallel()
		for name := range usual {
			assert.NotContains(t, name, "TLS_RSA_")
			assert.NotContains(t, name, "3DES")
			assert.NotContains(t, name, "RC4")
		}
	})
	t.Run("by tls.legacy are all that crypto/tls has but RC4", func(t *testing.T) {
		t.Parallel()
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			assert.Equal(t, !strings.Contains(suite.Name, "RC4"), legacy[suite.Name], suite.Name)
		}
		assert.Subset(t, legacy, usual)
	})
}

func TestLegacyServers(t *testing.T) {
	t.Parallel()
	server := rsaServer(t)
	for _, row := range []struct {
		suite, version uint16
	}{
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.VersionTLS10},
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.VersionTLS12},
		{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.VersionTLS10},
		{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.VersionTLS12},
		{tls.TLS_RSA_WITH_RC4_128_SHA, tls.VersionTLS12},
	} {
		t.Run(tls.CipherSuiteName(row.suite)+" "+tls.VersionName(row.version), func(t *testing.T) {
			t.Parallel()
			addr := startTLS(t, server, func(c *tls.Config) {
				c.MinVersion, c.MaxVersion, c.CipherSuites = row.version, row.version, []uint16{row.suite}
			})
			c := ftps(t, server)
			c.TLS.MinVersion = "1.0"
			_, err := connect(t, newClient(t, c, tlsconf.Options{}), addr)
			require.ErrorContains(t, err, "set tls.legacy")
			requireFinal(t, err)

			c.TLS.Legacy = true
			conn, err := connect(t, newClient(t, c, tlsconf.Options{}), addr)
			if row.suite == tls.TLS_RSA_WITH_RC4_128_SHA {
				require.ErrorContains(t, err, "what is not spoken here, such as DHE, RC4")
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.suite, conn.ConnectionState().CipherSuite)
			require.Equal(t, row.version, conn.ConnectionState().Version)
		})
	}
}
