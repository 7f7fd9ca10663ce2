package testserver

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

// startsFTP starts a real server.
type startsFTP func(testing.TB, FTPServerConfig) *FTPServer

// eachFTP runs test against both servers.
func eachFTP(t *testing.T, test func(t *testing.T, start startsFTP)) {
	for name, start := range map[string]startsFTP{"vsftpd": VSFTPD, "proftpd": ProFTPDFTP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

// curlArgs are what curl needs to reach a server.
func curlArgs(s *FTPServer, cfg FTPServerConfig, args ...string) []string {
	scheme, args := "ftp", append([]string{"-sv", "--max-time", "20", "-u", s.User + ":" + s.Password}, args...)
	switch cfg.TLS {
	case FTPImplicit:
		scheme = "ftps"
		fallthrough
	case FTPExplicit:
		args = append(args, "--ssl-reqd", "--cacert", s.CA)
	}
	return append(args, scheme+"://"+s.Addr()+"/f.bin")
}

func TestRealFTPServesCurl(t *testing.T) {
	t.Parallel()
	modes := map[string]FTPServerConfig{
		"plain":        {},
		"plain, IPv6":  {IPv6: true},
		"explicit 1.2": {TLS: FTPExplicit, MaxTLS: tls.VersionTLS12, Require: true},
		"explicit 1.3": {TLS: FTPExplicit, MinTLS: tls.VersionTLS13},
		"implicit 1.2": {TLS: FTPImplicit, MaxTLS: tls.VersionTLS12},
		"implicit 1.3": {TLS: FTPImplicit, MinTLS: tls.VersionTLS13, Require: true},
	}
	eachFTP(t, func(t *testing.T, start startsFTP) {
		for mode, cfg := range modes {
			t.Run(mode, func(t *testing.T) {
				t.Parallel()
				s := start(t, cfg)
				// Of more, curl 7.88 loses the end in uploads to vsftpd with TLS 1.3: it closes without reading.
				want := pattern(30_000)
				source := filepath.Join(t.TempDir(), "source")
				require.NoError(t, os.WriteFile(source, want, 0o600))
				_, status := run(t, "curl", curlArgs(s, cfg, "-T", source)...)
				require.Zero(t, status)
				got, err := os.ReadFile(filepath.Join(s.Dir, "f.bin"))
				require.NoError(t, err)
				require.Equal(t, want, got)
				ways := [][]string{nil}
				if cfg.TLS == "" {
					// With TLS, curl 7.88 connects data actively and then forgets to begin TLS.
					ways = append(ways, []string{"--ftp-port", s.Host})
				}
				for _, args := range ways {
					out, status := run(t, "curl", curlArgs(s, cfg, args...)...)
					require.Zero(t, status)
					require.Equal(t, string(want), out)
				}
			})
		}
	})
}

func TestRealFTPServesLftp(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		for scheme, mode := range map[string]string{"ftp": FTPExplicit, "ftps": FTPImplicit} {
			t.Run(mode, func(t *testing.T) {
				t.Parallel()
				s := start(t, FTPServerConfig{TLS: mode})
				want := pattern(100_000)
				s.Put(t, "in/deep/a.bin", string(want))
				local := t.TempDir()
				_, status := run(t, "lftp", "-c", "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20;"+
					"set ssl:ca-file "+s.CA+"; set ftp:ssl-force yes; set ftp:ssl-protect-data yes;"+
					"open -u "+s.User+","+s.Password+" "+scheme+"://"+s.Addr()+"; lcd "+local+";"+
					"get in/deep/a.bin -o passive; put passive -o up;"+
					"set ftp:passive-mode no; get up -o active; put active -o again; mv again b.bin; rm -r in")
				require.Zero(t, status)
				for _, name := range []string{filepath.Join(local, "active"), filepath.Join(s.Dir, "b.bin")} {
					got, err := os.ReadFile(name)
					require.NoError(t, err)
					require.Equal(t, want, got)
				}
				require.NoDirExists(t, filepath.Join(s.Dir, "in"))
			})
		}
	})
}

func TestRealFTPPinsTheVersionOfTLS(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		for name, cfg := range map[string]FTPServerConfig{
			"1.2": {TLS: FTPImplicit, MaxTLS: tls.VersionTLS12},
			"1.3": {TLS: FTPImplicit, MinTLS: tls.VersionTLS13},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := start(t, cfg)
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					client := trusting(t, s.CA)
					client.MinVersion, client.MaxVersion = version, version
					err := tls.Client(connect(t, s.Addr()), client).Handshake()
					require.Equal(t, tls.VersionName(version) == "TLS "+name, err == nil, "%v", err)
				}
			})
		}
	})
}

// enterFTP logs in to a server that speaks TLS.
func enterFTP(t *testing.T, s *FTPServer, cfg FTPServerConfig) *dialogue {
	t.Helper()
	d := converse(t, s.Addr(), trusting(t, s.CA), cfg.TLS == FTPImplicit)
	if cfg.TLS == FTPExplicit {
		d.auth()
	}
	d.login(s.User, s.Password)
	d.protect()
	return d
}

func TestRealFTPWantsSessionsResumed(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		for name, cfg := range map[string]FTPServerConfig{
			"required":     {TLS: FTPExplicit},
			"not required": {TLS: FTPExplicit, NoReuse: true},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := start(t, cfg)
				d := enterFTP(t, s, cfg)
				d.upload("STOR a.txt", "hello")
				require.True(t, d.last.ConnectionState().DidResume)
				require.Equal(t, "hello", d.download("RETR a.txt"))

				d.tls.ClientSessionCache = nil
				c := d.passive()
				require.NoError(t, d.text.PrintfLine("RETR a.txt"))
				data := tls.Client(c, d.tls)
				got := make([]byte, 5)
				_, _, err := d.text.ReadResponse(1)
				if err == nil {
					_, err = data.Read(got)
				}
				if cfg.NoReuse {
					require.NoError(t, err)
					require.Equal(t, "hello", string(got))
					return
				}
				if err == nil {
					_, _, err = d.text.ReadResponse(226)
				}
				require.Error(t, err)
				require.NotEqual(t, "hello", string(got))
			})
		}
	})
}

func TestRealFTPDemandsClientCertificates(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	forClient := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	good := testcert.Server(t, root, forClient)
	bad := testcert.Server(t, testcert.Root(t), forClient)
	ca := testcert.File(t, "ca.pem", testcert.PEM(root))
	require.NoError(t, os.Chmod(ca, 0o644))
	eachFTP(t, func(t *testing.T, start startsFTP) {
		for _, mode := range []string{FTPExplicit, FTPImplicit} {
			t.Run(mode, func(t *testing.T) {
				t.Parallel()
				cfg := FTPServerConfig{TLS: mode, ClientCA: ca}
				s := start(t, cfg)
				s.Put(t, "f.bin", "hello")
				certificate := func(p *testcert.Pair) []string {
					return []string{
						"--cert", testcert.File(t, "cert.pem", testcert.PEM(p)),
						"--key", testcert.File(t, "key.pem", testcert.KeyPEM(t, p)),
					}
				}
				out, status := run(t, "curl", curlArgs(s, cfg, certificate(good)...)...)
				require.Zero(t, status)
				require.Equal(t, "hello", out)
				for _, args := range [][]string{nil, certificate(bad)} {
					out, status = run(t, "curl", curlArgs(s, cfg, args...)...)
					require.NotZero(t, status)
					require.Empty(t, out)
				}
			})
		}
	})
}

func TestRealFTPRefusesClearTextWhereTLSIsRequired(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		s := start(t, FTPServerConfig{TLS: FTPExplicit, Require: true})
		d := converse(t, s.Addr(), nil, false)
		require.NoError(t, d.text.PrintfLine("USER %s", s.User))
		if code, _, _ := d.text.ReadResponse(0); code != 331 {
			require.Contains(t, []int{530, 550}, code)
			return
		}
		d.say("PASS "+s.Password, 530)
	})
}
