package testserver

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

// served are the ways to reach a server that independent clients are to like.
func served() map[string]FTPConfig {
	versions := func(version uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version }
	}
	users := map[string]string{"ann": "secret"}
	return map[string]FTPConfig{
		"plain":        {Users: users},
		"explicit 1.2": {Users: users, TLS: FTPExplicit, TLSConfig: versions(tls.VersionTLS12), Require: true},
		"explicit 1.3": {Users: users, TLS: FTPExplicit, TLSConfig: versions(tls.VersionTLS13), RequireReuse: true},
		"implicit":     {Users: users, TLS: FTPImplicit, Require: true},
	}
}

func TestFTPServesCurl(t *testing.T) {
	t.Parallel()
	for name, cfg := range served() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startFTP(t, cfg)
			reached := &FTPServer{endpoint: endpoint{Host: s.Host(), Port: s.Port()}, User: "ann", Password: "secret", CA: s.CA()}
			want := pattern(300_000)
			source := testcert.File(t, "source", want)
			curl := func(args ...string) string {
				out, status := run(t, "curl", curlArgs(reached, FTPServerConfig{TLS: cfg.TLS}, args...)...)
				require.Zero(t, status)
				return out
			}
			curl("-T", source)
			requireFile(t, s, "f.bin", string(want))
			require.Equal(t, string(want[1000:]), curl("-C", "1000"))
			require.Equal(t, string(want), curl("--disable-epsv"))
			if cfg.TLS == "" {
				require.Equal(t, string(want), curl("--ftp-port", "127.0.0.1"))
				require.Equal(t, string(want), curl("--ftp-port", "127.0.0.1", "--disable-eprt"))
				curl("--append", "-T", source)
				requireFile(t, s, "f.bin", string(want)+string(want))
			}
		})
	}
}

func TestFTPServesLftp(t *testing.T) {
	t.Parallel()
	for name, cfg := range served() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startFTP(t, cfg)
			want := string(pattern(100_000))
			putIn(t, s, "in/deep/a.bin", want)
			local := t.TempDir()
			scheme, settings := "ftp", ""
			if cfg.TLS != "" {
				settings = "set ssl:ca-file " + s.CA() + "; set ftp:ssl-force yes; set ftp:ssl-protect-data yes;"
			}
			if cfg.TLS == FTPImplicit {
				scheme = "ftps"
			}
			_, status := run(t, "lftp", "-c", "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20;"+settings+
				"open -u ann,secret "+scheme+"://"+s.Addr()+"; lcd "+local+";"+
				"mirror in out; put out/deep/a.bin -o up; chmod 600 up;"+
				"set ftp:passive-mode no; get up -o active; put active -o again; mv again b.bin; rm -r in; ls")
			require.Zero(t, status)
			requireFile(t, s, "b.bin", want)
			info, err := os.Stat(filepath.Join(s.Root(), "up"))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode())
			require.NoDirExists(t, filepath.Join(s.Root(), "in"))
			got, err := os.ReadFile(filepath.Join(local, "out", "deep", "a.bin"))
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		})
	}
}
