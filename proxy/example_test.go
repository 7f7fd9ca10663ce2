package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"

	xssh "golang.org/x/crypto/ssh"
	xproxy "golang.org/x/net/proxy"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
	"github.com/hawser/hawser/ssh"
)

// gate stands for a proxy that knows the name of one machine inside.
func gate(inside string) *testserver.Proxy {
	server, err := testserver.StartProxy(testserver.ProxyConfig{
		User: "ann", Password: "correct horse",
		Hosts: map[string]string{"box.inside:22": inside},
	})
	if err != nil {
		log.Fatal(err)
	}
	return server
}

// box stands for a machine that greets whoever logs in.
func box() *testserver.SSH {
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{"ann": "battery staple"},
		Exec: func(c *testserver.Command) int {
			_, _ = io.WriteString(c.Stdout, "hello from inside\n")
			return 0
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return server
}

func ExampleTransport() {
	inside := box()
	defer inside.Close()
	server := gate(inside.Addr())
	defer server.Close()
	ctx := context.Background()

	c := hawser.Connection{
		Name: "box", Protocol: hawser.SSH, Host: "box.inside",
		Auth: hawser.Auth{User: "ann", Password: hawser.NewSecret("battery staple")},
		SSH:  hawser.SSHOptions{HostKeys: []string{xssh.FingerprintSHA256(inside.HostKey())}},
		Proxy: hawser.Proxy{
			Type: hawser.ProxySOCKS5H, Host: server.Host(), Port: server.Port(),
			User: "ann", Password: hawser.NewSecret("correct horse"),
		},
	}
	s, err := ssh.Dialer{Transport: &proxy.Transport{}}.Open(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(ctx, &hawser.Command{Line: "greet", Stdout: os.Stdout}); err != nil {
		log.Fatal(err)
	}
	// Output: hello from inside
}

// A Dialer is for programs that know nothing of connections.
func ExampleDialer() {
	inside := box()
	defer inside.Close()
	server := gate(inside.Addr())
	defer server.Close()

	d := &proxy.Dialer{Proxy: hawser.Proxy{
		Type: hawser.ProxyHTTP, Host: server.Host(), Port: server.Port(),
		User: "ann", Password: hawser.NewSecret("correct horse"),
	}}
	conn, err := d.DialContext(context.Background(), "tcp", "box.inside:22")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr())

	_, err = d.DialContext(context.Background(), "tcp", "other.inside:22")
	var e *proxy.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op, e.Target, e.Code, "- the proxy's fault:", errors.Is(err, hawser.ErrProxy))
	}
	// Output:
	// box.inside:22
	// connect other.inside:22 502 - the proxy's fault: false
}

func ExampleFromURL() {
	inside := box()
	defer inside.Close()
	server := gate(inside.Addr())
	defer server.Close()

	u, err := url.Parse("socks5h://ann:correct%20horse@" + server.Addr())
	if err != nil {
		log.Fatal(err)
	}
	d, err := proxy.FromURL(u, xproxy.Direct)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := d.Dial("tcp", "box.inside:22")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr())
	// Output: box.inside:22
}

// With os.Getenv in place of the map, connections that have no proxy of their own
// take the one that other programs take.
func ExampleFromEnvironment() {
	environment := map[string]string{
		"all_proxy": "socks5h://ann:secret@socks.example.com",
		"ftp_proxy": "http://web.example.com:3128",
		"no_proxy":  "inside.example.com",
	}
	way := &proxy.Transport{Default: proxy.FromEnvironment(func(name string) string { return environment[name] })}

	for _, addr := range []string{"outside.example.net:22", "box.inside.example.com:22"} {
		p, err := way.Default(hawser.Connection{Protocol: hawser.SFTP}, addr)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %q %q\n", addr, p.Type, p.Host)
	}
	// Output:
	// outside.example.net:22: "socks5h" "socks.example.com"
	// box.inside.example.com:22: "" ""
}
