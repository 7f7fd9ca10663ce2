package proxy

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/hawser/hawser"
)

// FromEnvironment returns a Default for a [Transport] that heeds the variables which
// other programs do: the proxy of a protocol is ftp_proxy, sftp_proxy, ssh_proxy or
// smtp_proxy, and that of all others all_proxy, in lower case or else in upper case.
// Their values are URLs, such as "socks5h://user:secret@proxy.example.com:1080", or
// host:port of an HTTP proxy; a port that is missing is that of hawser.Proxy, 8080 for
// http. no_proxy lists what is reached directly: "*", hosts,
// domains with all below them, IP addresses and networks, each with a port or
// without. This machine itself, localhost and loopback addresses, is always.
//
// getenv is os.Getenv, or another source. The variables are read once.
func FromEnvironment(getenv func(name string) string) func(c hawser.Connection, addr string) (hawser.Proxy, error) {
	read := func(name string) (found, value string) {
		for _, name := range []string{name, strings.ToUpper(name)} {
			if value = getenv(name); value != "" {
				return name, value
			}
		}
		return "", ""
	}
	_, none := read("no_proxy")
	all := map[hawser.Protocol]setting{}
	for _, protocol := range []hawser.Protocol{"all", hawser.FTP, hawser.SFTP, hawser.SSH, hawser.SMTP} {
		if name, value := read(string(protocol) + "_proxy"); value != "" {
			all[protocol] = setting{name, value}
		}
	}
	// Whether a host is to be reached directly is for httpproxy to know, which has to
	// think that it is of the web.
	direct := (&httpproxy.Config{HTTPSProxy: "http://proxy", NoProxy: none}).ProxyFunc()
	return func(c hawser.Connection, addr string) (hawser.Proxy, error) {
		s, ok := all[c.Protocol]
		if !ok {
			s = all["all"]
		}
		if s == (setting{}) {
			return hawser.Proxy{}, nil
		}
		if via, err := direct(&url.URL{Scheme: "https", Host: addr}); err != nil || via == nil {
			return hawser.Proxy{}, err
		}
		return s.proxy()
	}
}

// A setting is a variable of the environment. The zero value is none.
type setting struct{ name, value string }

// proxy never quotes the value, which may hold a password.
func (s setting) proxy() (hawser.Proxy, error) {
	text := s.value
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return hawser.Proxy{}, fmt.Errorf("the environment variable %s is no URL of a proxy: %w", s.name, hawser.ErrInvalid)
	}
	p, err := fromURL(u)
	if err != nil {
		return hawser.Proxy{}, fmt.Errorf("the environment variable %s: %w", s.name, err)
	}
	return p, nil
}

// fromURL reads type, address and login of a proxy.
func fromURL(u *url.URL) (hawser.Proxy, error) {
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return hawser.Proxy{}, &hawser.FieldError{Field: "proxy", Problem: "the URL has more than a type, a login, a host and a port; a / in the password is written %2F, a ? %3F, a # %23"}
	}
	p := hawser.Proxy{Type: hawser.ProxyType(strings.ToLower(u.Scheme)), Host: u.Hostname()}
	if u.Scheme == "socks" {
		p.Type = hawser.ProxySOCKS5H
	}
	if u.User != nil {
		password, _ := u.User.Password()
		p.User, p.Password = u.User.Username(), hawser.NewSecret(password)
	}
	if port := u.Port(); port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return hawser.Proxy{}, &hawser.FieldError{Field: "proxy.port", Problem: "is no number up to 65535"}
		}
		p.Port = uint16(number)
	}
	if err := validate(p); err != nil {
		return hawser.Proxy{}, err
	}
	return p, nil
}
