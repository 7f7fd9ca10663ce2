package standard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestReportOfRealServers(t *testing.T) {
	t.Parallel()
	s := realSite(t)
	details := map[string]string{"ftp": "in the clear", "ftp tls": `TLS 1\.3 resumed`}
	for _, kind := range kinds() {
		r := manage(t, []hawser.Connection{s[kind]}).TestSaved(t.Context(), kind)
		require.NoError(t, r.Err, "%v", r)
		if detail, ok := details[kind]; ok {
			assert.Regexp(t, `^passive 127\.0\.0\.1:\d+, `+detail+`$`, stepOf(r, hawser.PhaseData).Detail)
		}
		t.Log(r)
	}
	for _, row := range brokenReally(s) {
		row.check(t, s)
	}
}

func brokenReally(s site) []broken {
	const check = "check auth.user and auth.password"
	wrong := func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("incorrect-horse-7") }
	to := func(kind string) func(c *hawser.Connection) {
		return func(c *hawser.Connection) { c.Port = s[kind].Port }
	}
	return []broken{
		{"a password", "ftp tls", wrong, hawser.PhaseLogin, check},
		{"a password", "sftp", wrong, hawser.PhaseLogin, check},
		{"a password", "smtp starttls", wrong, hawser.PhaseLogin, check},
		{"no TLS where it is wanted", "ftp tls", func(c *hawser.Connection) { c.TLS = hawser.TLSOptions{Mode: hawser.TLSNone} }, hawser.PhaseLogin, check + "; if both are right, the server may want TLS: set tls.mode to explicit"},
		{"no TLS where it is wanted", "smtp starttls", func(c *hawser.Connection) { c.TLS = hawser.TLSOptions{Mode: hawser.TLSNone} }, hawser.PhaseLogin, "set tls.mode to explicit or implicit, or leave out auth.password if the server needs no login"},
		{"TLS where there is none", "ftp", func(c *hawser.Connection) { c.TLS.Mode = hawser.TLSExplicit }, hawser.PhaseTrust, "set tls.mode to implicit, with the port of that, or to none if files and password may travel in the clear"},
		{"FTP", "smtp starttls", to("ftp"), hawser.PhaseConnect, "the server knows neither EHLO nor HELO, so it is none of mail: check protocol and port"},
		{"SMTP", "ftp", to("smtp starttls"), hawser.PhaseLogin, "the server does not know how FTP logs in: check protocol and port, or set tls.mode to explicit"},
	}
}

func TestReportOfRealDataConnections(t *testing.T) {
	t.Parallel()
	real := testserver.VSFTPD(t, testserver.FTPServerConfig{Lines: []string{"pasv_enable=NO"}})
	s := site{}
	s.ftp(real.Port, "", real.User, real.Password)
	r := manage(t, []hawser.Connection{s["ftp"]}).TestSaved(t.Context(), "ftp")
	require.Error(t, r.Err)
	assert.Equal(t, "the server opens no passive port: set ftp.mode to active or auto", stepOf(r, hawser.PhaseData).Hint, "%v", r)

	c := s["ftp"].Clone()
	c.FTP.Mode = hawser.Auto
	r = manage(t, nil).Test(t.Context(), c)
	require.NoError(t, r.Err, "%v", r)
	assert.Regexp(t, `^active 127\.0\.0\.1:\d+, in the clear$`, r.Steps[len(r.Steps)-2].Detail, "%v", r)
}

func TestReportOfProFTPD(t *testing.T) {
	t.Parallel()
	real := testserver.ProFTPDFTP(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit, Require: true})
	s := site{}
	s.ftp(real.Port, real.CA, real.User, real.Password)
	r := manage(t, []hawser.Connection{s["ftp tls"]}).TestSaved(t.Context(), "ftp tls")
	require.NoError(t, r.Err, "%v", r)
	assert.Regexp(t, `^passive 127\.0\.0\.1:\d+, TLS 1\.[23] resumed$`, stepOf(r, hawser.PhaseData).Detail, "%v", r)
	(broken{"no TLS where it is wanted", "ftp tls", func(c *hawser.Connection) {
		c.TLS = hawser.TLSOptions{Mode: hawser.TLSNone}
	}, hawser.PhaseLogin, "check auth.user and auth.password; if both are right, the server may want TLS: set tls.mode to explicit"}).check(t, s)
}

// sshd ends connections beyond MaxStartups that have not logged in yet.
func TestTestAllOfAServerThatTakesFewLogins(t *testing.T) {
	t.Parallel()
	real := testserver.OpenSSH(t, testserver.OpenSSHConfig{Lines: []string{"MaxStartups 2:100:2"}})
	var conns []hawser.Connection
	for i := range 12 {
		c := server(fmt.Sprintf("shell %d", i), hawser.SSH, real.Port, real.User, real.Password)
		c.SSH.HostKeys, c.Timeout = []string{sshFingerprint(real.HostKeys[0])}, 30*time.Second
		conns = append(conns, c)
	}
	seen := 0
	for r := range manage(t, conns).TestAll(t.Context()) {
		require.NoError(t, r.Err, "%v", r)
		seen++
	}
	require.Equal(t, 12, seen)
}
