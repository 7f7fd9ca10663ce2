package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/hawser/hawser"
)

const (
	// keepAliveAfter is how long a connection may be silent until it is asked
	// whether it lives. etcd does not let clients ask more often than every 5 s.
	keepAliveAfter = 10 * time.Second
	// keepAliveWithin bounds the wait for the answer.
	keepAliveWithin = 5 * time.Second
)

// A Config says how to reach etcd. Endpoints are needed, the rest is optional.
type Config struct {
	// Endpoints are the members of the cluster, "https://host:2379". Those
	// without a scheme are reached by TLS if TLS is set.
	Endpoints []string
	// User and Password log in. The password is a literal: resolve a reference
	// before. It goes over TLS, or to this machine itself, unless InsecureLogin.
	User          string
	Password      hawser.Secret
	InsecureLogin bool
	// TLS is for https endpoints; nil trusts the CAs of the system. Its
	// Certificates log in where etcd asks for client certificates. [TLSFiles]
	// makes one of files.
	TLS *tls.Config
}

// Dial returns a client for [Open] and [NewLimiter], which the caller closes after
// those. With a User it logs in, and waits for etcd at most ten seconds;
// without one it does not wait. An error of a login matches hawser.ErrAuth.
//
// The client is etcd's own, for those who have other uses for it. It holds the
// password in the clear, in a field, so do not print it.
func Dial(ctx context.Context, c Config) (*clientv3.Client, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, secure := &trouble{}, c.tls()
	base, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), troubleKey{}, t))
	stop := context.AfterFunc(ctx, cancel)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints, TLS: secure, Username: c.User, Password: c.Password.Reveal(),
		DialTimeout: answerWithin, DialKeepAliveTime: keepAliveAfter, DialKeepAliveTimeout: keepAliveWithin,
		Context: base, Logger: zap.NewNop(), DialOptions: t.options(secure),
	})
	ended := !stop() // and then the client is of no use
	if err == nil && !ended {
		context.AfterFunc(client.Ctx(), cancel)
		return client, nil
	}
	cancel()
	if err == nil {
		_ = client.Close()
	}
	return nil, fmt.Errorf("etcd: log in: %w", explain(ctx, c.Endpoints, c.User, err, t.last()))
}

// check refuses what would not work, or would show the password to others.
func (c Config) check() error {
	switch {
	case len(c.Endpoints) == 0:
		return &hawser.FieldError{Field: "endpoints", Problem: `there is none; give one such as "https://etcd.example.com:2379"`}
	case c.Password.Ref() != "":
		return &hawser.FieldError{Field: "password", Problem: "is the reference " + hawser.Printable(c.Password.Ref()) + "; resolve it first"}
	case (c.User == "") != c.Password.IsZero():
		return &hawser.FieldError{Field: "user", Problem: "give a user and a password, or neither"}
	}
	for i, endpoint := range c.Endpoints {
		if problem := c.problem(endpoint); problem != "" {
			return &hawser.FieldError{Field: fmt.Sprintf("endpoints[%d]", i), Problem: problem}
		}
	}
	return nil
}

// problem says why endpoint is not to be used, "" if it is. It shows no more of it
// than scheme, host and port, for people write passwords where they do not belong.
func (c Config) problem(endpoint string) string {
	const like = `"https://etcd.example.com:2379"`
	scheme, rest, found := strings.Cut(endpoint, "://")
	if !found {
		scheme, rest = "", endpoint
	}
	u, err := url.Parse("//" + rest)
	switch {
	case err != nil || !found && strings.HasPrefix(rest, "/"):
		return "is not like " + like
	case u.User != nil:
		return "has a user in it; give User and Password instead"
	case strings.Trim(u.Path, "/") != "" || strings.ContainsAny(rest, "?#"):
		return "has more than a scheme, a host and a port; it is to be like " + like
	case u.Hostname() == "" || u.Port() == "":
		return "lacks a host or a port; it is to be like " + like
	}
	name, shown := u.Hostname(), u.Host
	if found {
		shown = scheme + "://" + u.Host
	}
	switch {
	case scheme != "" && scheme != "http" && scheme != "https":
		return fmt.Sprintf("unknown scheme %q; want one of http, https", scheme)
	case scheme == "http" && c.TLS != nil:
		return fmt.Sprintf("%q is in the clear, and TLS is set; write https", shown)
	case scheme == "https" || c.TLS != nil || c.User == "" || c.InsecureLogin || isLoopback(name):
		return ""
	}
	return fmt.Sprintf("the password would go to %q in the clear; write https, or set InsecureLogin", shown)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// tls is nil unless an endpoint is to be reached by TLS.
func (c Config) tls() *tls.Config {
	isHTTPS := func(endpoint string) bool { return strings.HasPrefix(endpoint, "https://") }
	if c.TLS == nil && slices.ContainsFunc(c.Endpoints, isHTTPS) {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return c.TLS.Clone()
}

// TLSFiles returns a configuration that trusts the CAs in the PEM file roots, ""
// for those of the system, and presents the client certificate and its key that
// are in PEM files, "" for none.
func TLSFiles(roots, certificate, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if roots != "" {
		text, err := os.ReadFile(roots)
		if err != nil {
			return nil, fmt.Errorf("etcd: CAs: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("etcd: CAs: there is no certificate in %s", roots)
		}
	}
	if certificate == "" && key == "" {
		return c, nil
	}
	own, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("etcd: client certificate: %w", err)
	}
	c.Certificates = []tls.Certificate{own}
	return c, nil
}
