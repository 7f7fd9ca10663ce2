package proxy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"all_proxy":  "socks5h://u:s3cretword@socks.example.com:1081",
		"ALL_PROXY":  "http://never:1",
		"FTP_PROXY":  "web.example.com:3128",
		"smtp_proxy": "https://secure.example.com",
		"no_proxy":   "internal.example.com, .below.example.com, 10.1.0.0/16, 192.0.2.7, port.example.com:25, 2001:db8::1",
	}
	choose := FromEnvironment(func(name string) string { return environment[name] })
	socks := hawser.Proxy{Type: hawser.ProxySOCKS5H, Host: "socks.example.com", Port: 1081, User: "u", Password: hawser.NewSecret("s3cretword")}
	web := hawser.Proxy{Type: hawser.ProxyHTTP, Host: "web.example.com", Port: 3128}
	secure := hawser.Proxy{Type: hawser.ProxyHTTPS, Host: "secure.example.com"}
	for _, row := range []struct {
		protocol hawser.Protocol
		addr     string
		want     hawser.Proxy
	}{
		{hawser.SSH, "a.example.com:22", socks},
		{hawser.SFTP, "192.0.2.8:22", socks},
		{"other", "a.example.com:1", socks},
		{hawser.FTP, "a.example.com:21", web},
		{hawser.SMTP, "a.example.com:25", secure},
		{hawser.SSH, "internal.example.com:22", hawser.Proxy{}},
		{hawser.SSH, "a.internal.example.com:22", hawser.Proxy{}},
		{hawser.SSH, "a.below.example.com:22", hawser.Proxy{}},
		{hawser.SSH, "below.example.com:22", socks},
		{hawser.SSH, "10.1.2.3:22", hawser.Proxy{}},
		{hawser.SSH, "10.2.2.3:22", socks},
		{hawser.FTP, "192.0.2.7:21", hawser.Proxy{}},
		{hawser.SMTP, "port.example.com:25", hawser.Proxy{}},
		{hawser.SMTP, "port.example.com:587", secure},
		{hawser.SSH, "[2001:db8::1]:22", hawser.Proxy{}},
		{hawser.SSH, "localhost:22", hawser.Proxy{}},
		{hawser.SSH, "127.0.0.2:22", hawser.Proxy{}},
	} {
		got, err := choose(hawser.Connection{Protocol: row.protocol}, row.addr)
		require.NoError(t, err, row.addr)
		assert.True(t, got.Password.Equal(row.want.Password), "%s %s", row.protocol, row.addr)
		got.Password, row.want.Password = hawser.Secret{}, hawser.Secret{}
		assert.Equal(t, row.want, got, "%s %s", row.protocol, row.addr)
	}
}

func TestFromEnvironmentWithoutVariables(t *testing.T) {
	t.Parallel()
	choose := FromEnvironment(func(string) string { return "" })
	got, err := choose(hawser.Connection{Protocol: hawser.SSH}, "a.example.com:22")
	require.NoError(t, err)
	assert.Empty(t, got.Type)
}

func TestFromEnvironmentNamesTheVariableAndNoSecret(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"gopher://u:s3cretword@h:1", "http://u:s3cretword@h:99999", "http://u:s3cret%zzword@h", "socks4://u:s3cretword@h", "http://:1", "http://",
	} {
		choose := FromEnvironment(func(name string) string { return map[string]string{"ALL_PROXY": value}[name] })
		_, err := choose(hawser.Connection{Protocol: hawser.SSH}, "a.example.com:22")
		require.ErrorIs(t, err, hawser.ErrInvalid, value)
		require.ErrorContains(t, err, "ALL_PROXY")
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

// What is not escaped makes another URL of a password.
func TestFromEnvironmentRefusesMoreThanAProxy(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"http://jobs:123/hunter2@proxy:8080", "http://jobs:65/hunter2@proxy", "http://proxy:8080/path", "http://proxy?hunter2",
		"http://jobs:pa#hunter2@proxy:8080", "http:hunter2",
	} {
		choose := FromEnvironment(func(name string) string { return map[string]string{"all_proxy": value}[name] })
		_, err := choose(hawser.Connection{Protocol: hawser.SSH}, "a.example.com:22")
		require.ErrorIs(t, err, hawser.ErrInvalid, value)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}
