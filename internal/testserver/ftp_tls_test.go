package testserver

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

func TestFTPKnowsNoTLSUnlessItIsTold(t *testing.T) {
	t.Parallel()
	d := converse(t, startFTP(t, FTPConfig{}).Addr(), nil, false)
	d.say("AUTH TLS", 502)
	require.NotContains(t, d.say("FEAT", 211), "AUTH")
}

func TestFTPCanRequireTLS(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{TLS: FTPExplicit, Require: true})
	d := converse(t, s.Addr(), trusting(t, s.CA()), false)
	d.say("USER ann", 530)
	d.say("PBSZ 0", 503)
	d.say("PROT P", 503)
	d.auth()
	d.login("ann", "secret")
	d.say("PROT C", 534)
	d.passive()
	d.say("LIST", 521)
}

func TestFTPRefusesWhatCameBeforeTheHandshake(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{TLS: FTPExplicit})
	c := connect(t, s.Addr())
	_, err := io.WriteString(c, "AUTH TLS\r\nUSER ann\r\n")
	require.NoError(t, err)
	said, _ := io.ReadAll(c)
	require.Contains(t, string(said), "503 ")
	require.NotContains(t, string(said), "331 ")
}

func TestFTPSpeaksTLSOnDataAsPROTSays(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{TLS: FTPExplicit})
	d := meet(t, s)
	d.upload("STOR a", "hello")
	full, resumed := s.DataHandshakes()
	require.Equal(t, []int{0, 1}, []int{full, resumed})
	d.say("PROT C", 200)
	d.private = false
	require.Equal(t, "hello", d.download("RETR a"))
	full, resumed = s.DataHandshakes()
	require.Equal(t, []int{0, 1}, []int{full, resumed})
}

func TestFTPCanWantSessionsResumed(t *testing.T) {
	t.Parallel()
	for required, code := range map[bool]int{false: 226, true: 522} {
		s := startFTP(t, FTPConfig{TLS: FTPImplicit, RequireReuse: required})
		putIn(t, s, "a", "hello")
		d := meet(t, s)
		require.Equal(t, "hello", d.download("RETR a"))
		require.True(t, d.last.ConnectionState().DidResume)
		d.tls.ClientSessionCache = nil
		c := d.passive()
		require.NoError(t, d.text.PrintfLine("RETR a"))
		d.answer(150)
		_, _ = io.ReadAll(tls.Client(c, d.tls))
		d.answer(code)
	}
}

func TestFTPKnowsTheSessionsOfControlConnectionsApart(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{TLS: FTPExplicit, RequireReuse: true})
	one, two := meet(t, s), meet(t, s)
	two.tls.ClientSessionCache = one.tls.ClientSessionCache
	c := two.passive()
	require.NoError(t, two.text.PrintfLine("LIST"))
	two.answer(150)
	_, _ = io.ReadAll(tls.Client(c, two.tls))
	two.answer(522)
}

func TestFTPTakesAClientCertificateForAPassword(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	client := testcert.Server(t, root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	s := startFTP(t, FTPConfig{TLS: FTPExplicit, CertLogin: true, TLSConfig: func(c *tls.Config) {
		c.ClientCAs, c.ClientAuth = testcert.Pool(root), tls.VerifyClientCertIfGiven
	}})
	config := trusting(t, s.CA())
	config.Certificates = []tls.Certificate{client.TLS()}
	d := converse(t, s.Addr(), config, false)
	d.auth()
	d.say("USER ann", 232)
	d.say("PWD", 257)
	d = converse(t, s.Addr(), trusting(t, s.CA()), false)
	d.auth()
	d.say("USER ann", 331)
}
