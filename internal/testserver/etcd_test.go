package testserver

import (
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// etcdctl runs the client of etcd, which is not ours.
func etcdctl(t *testing.T, s *EtcdServer, args ...string) (string, error) {
	t.Helper()
	base := []string{"--endpoints", s.Endpoints[0]}
	if s.cfg.Login {
		base = append(base, "--user", s.User+":"+s.Password)
	}
	if s.CAFile != "" {
		base = append(base, "--cacert", s.CAFile, "--cert", s.ClientCertificateFile, "--key", s.ClientKeyFile)
	}
	cmd := exec.Command("etcdctl", slices.Concat(base, args)...)
	cmd.Env = append(cmd.Environ(), "ETCDCTL_API=3")
	out, err := cmd.Output()
	return string(out), err
}

func TestEtcd(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]EtcdConfig{
		"in the clear": {}, "with TLS": {TLS: true}, "with a login": {Login: true}, "with TLS and a login": {TLS: true, Login: true},
	} {
		t.Run(name+" keeps what is put over a stop and a start", func(t *testing.T) {
			t.Parallel()
			s := Etcd(t, cfg)
			_, err := etcdctl(t, s, "put", "key", "value")
			require.NoError(t, err)
			s.Stop()
			s.Start(t)
			out, err := etcdctl(t, s, "get", "key", "--print-value-only")
			require.NoError(t, err)
			require.Equal(t, "value\n", out)
		})
	}
	t.Run("refuses a wrong password", func(t *testing.T) {
		t.Parallel()
		s := Etcd(t, EtcdConfig{Login: true})
		s.Password = "guess"
		_, err := etcdctl(t, s, "get", "key")
		require.Error(t, err)
	})
	t.Run("refuses who has no certificate", func(t *testing.T) {
		t.Parallel()
		s := Etcd(t, EtcdConfig{TLS: true})
		s.ClientCertificateFile, s.ClientKeyFile = "", ""
		_, err := etcdctl(t, s, "--dial-timeout", "1s", "--command-timeout", "1s", "get", "key")
		require.Error(t, err)
	})
}
