package etcd

import (
	"context"
	"crypto/x509"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// enter is Dial for the length of the test.
func enter(t testing.TB, c Config) *clientv3.Client {
	t.Helper()
	client, err := Dial(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestDial(t *testing.T) {
	t.Parallel()
	s := testserver.Etcd(t, testserver.EtcdConfig{TLS: true, Login: true})
	password := hawser.NewSecret(s.Password)
	files, err := TLSFiles(s.CAFile, s.ClientCertificateFile, s.ClientKeyFile)
	require.NoError(t, err)
	good := Config{Endpoints: s.Endpoints, User: s.User, Password: password, TLS: files}

	t.Run("a certificate and a login open a registry and a limiter", func(t *testing.T) {
		client := enter(t, good)
		r := openAt(t, client, Options{Key: newKey(t)})
		w := startWatch(t, r)
		require.NoError(t, put(t, r, "bank"))
		w.tells(t, "bank")
		acquire(t, limiterAt(t, client, LimiterOptions{}), limited(1)).Release()
	})
	t.Run("a wrong password matches ErrAuth, and is not shown", func(t *testing.T) {
		c := good
		c.Password = hawser.NewSecret("correct horse battery staple")
		_, err := Dial(t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrAuth)
		require.ErrorContains(t, err, `does not know the user "root" with this password`)
		require.NotContains(t, err.Error(), "battery")
	})
	t.Run("without a login the error says what etcd asks for", func(t *testing.T) {
		plain := testserver.Etcd(t, testserver.EtcdConfig{Login: true})
		_, err := Open(t.Context(), dial(t, plain), Options{})
		require.ErrorIs(t, err, hawser.ErrAuth)
		require.ErrorContains(t, err, "asks for a user and a password")
	})
	t.Run("what the roles of a user do not cover matches ErrPermission", func(t *testing.T) {
		root := enter(t, good)
		_, err := root.UserAdd(t.Context(), "reader", "pw")
		require.NoError(t, err)
		_, err = root.RoleAdd(t.Context(), "read")
		require.NoError(t, err)
		end := clientv3.GetPrefixRangeEnd("/team/")
		_, err = root.RoleGrantPermission(t.Context(), "read", "/team/", end, clientv3.PermissionType(clientv3.PermRead))
		require.NoError(t, err)
		_, err = root.UserGrantRole(t.Context(), "reader", "read")
		require.NoError(t, err)
		c := good
		c.User, c.Password = "reader", hawser.NewSecret("pw")
		client := enter(t, c)
		r := openAt(t, client, Options{Prefix: "/team"})
		_, err = r.Lookup(t.Context(), "bank")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		startWatch(t, r)
		err = put(t, r, "bank")
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorContains(t, err, `etcd: put "bank": permission denied: the roles of the user "reader"`)
		_, err = Open(t.Context(), client, Options{Prefix: "/other"})
		require.ErrorIs(t, err, fs.ErrPermission)
		_, err = limiterAt(t, client, LimiterOptions{Prefix: "/team"}).Acquire(t.Context(), limited(1))
		require.ErrorIs(t, err, fs.ErrPermission)
	})
	t.Run("an end of the context ends a login that hangs", func(t *testing.T) {
		relay := startRelay(t, s)
		relay.Freeze()
		c := good
		c.Endpoints = []string{relay.Addr()}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := Dial(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
		_, err = Dial(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("a server that is not trusted is not asked", func(t *testing.T) {
		c := good
		c.TLS = files.Clone()
		c.TLS.RootCAs = nil
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := Dial(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
		c.User, c.Password = "", hawser.Secret{}
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = Open(ctx, enter(t, c), Options{})
		require.ErrorAs(t, err, new(x509.UnknownAuthorityError), "that is known, also without a login")
	})
	t.Run("a configuration shows no password when it is printed", func(t *testing.T) {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			require.NotContains(t, fmt.Sprintf(verb, good), s.Password)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	password := hawser.NewSecret("pw")
	secure, err := TLSFiles("", "", "")
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		config Config
		want   string
	}{
		{"no endpoint", Config{}, "endpoints: there is none"},
		{"no port", Config{Endpoints: []string{"https://etcd"}}, "endpoints[0]: "},
		{"a password in a URL", Config{Endpoints: []string{"https://root:pw@etcd:2379"}}, "endpoints[0]: has a user in it"},
		{"a password without a scheme", Config{Endpoints: []string{"root:pw@etcd:2379"}}, "endpoints[0]: has a user in it"},
		{"a password with a slash", Config{Endpoints: []string{"https://root:pw/x@etcd:2379"}}, "endpoints[0]: is not like"},
		{"a query", Config{Endpoints: []string{"http://etcd:2379/?password=pw"}, TLS: secure}, "has more than a scheme, a host and a port"},
		{"a path", Config{Endpoints: []string{"http://etcd:2379/pw"}, TLS: secure}, "has more than a scheme, a host and a port"},
		{"a fragment", Config{Endpoints: []string{"http://etcd:2379#pw"}, TLS: secure}, "has more than a scheme, a host and a port"},
		{"a URL that is none", Config{Endpoints: []string{"https://etcd:pw"}}, "endpoints[0]: is not like"},
		{"another scheme", Config{Endpoints: []string{"ftp://etcd:2379"}}, "unknown scheme"},
		{"TLS that would not be used", Config{Endpoints: []string{"http://etcd:2379"}, TLS: secure}, "write https"},
		{"a password in the clear", Config{Endpoints: []string{"http://etcd:2379"}, User: "u", Password: password}, "would go to \"http://etcd:2379\" in the clear"},
		{"a password without TLS", Config{Endpoints: []string{"etcd:2379"}, User: "u", Password: password}, "in the clear"},
		{"a password without a user", Config{Endpoints: []string{"https://etcd:2379"}, Password: password}, "user: "},
		{"a reference", Config{Endpoints: []string{"https://etcd:2379"}, User: "u", Password: hawser.SecretRef("env:X")}, "resolve it first"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			t.Parallel()
			_, err := Dial(t.Context(), row.config)
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), "pw")
		})
	}
	t.Run("what is no secret to the network is taken", func(t *testing.T) {
		t.Parallel()
		for _, c := range []Config{
			{Endpoints: []string{"https://etcd:2379"}, User: "u", Password: password},
			{Endpoints: []string{"etcd:2379"}, User: "u", Password: password, TLS: secure},
			{Endpoints: []string{"http://127.0.0.1:2379", "[::1]:2379", "localhost:2379"}, User: "u", Password: password},
			{Endpoints: []string{"http://etcd:2379"}, User: "u", Password: password, InsecureLogin: true},
			{Endpoints: []string{"http://etcd:2379", "http://etcd:2379/"}},
		} {
			require.NoError(t, c.check())
		}
	})
	t.Run("files that are wrong are named", func(t *testing.T) {
		t.Parallel()
		_, err := TLSFiles("/none.pem", "", "")
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = TLSFiles("dial.go", "", "")
		require.ErrorContains(t, err, "there is no certificate in dial.go")
		_, err = TLSFiles("", "/none.pem", "/none.pem")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}
