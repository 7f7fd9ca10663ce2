package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// greeter stands for a machine that knows one command.
func greeter() *testserver.SSH {
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{"ann": "correct horse"},
		Exec: func(c *testserver.Command) int {
			if c.Line != "greet" {
				_, _ = io.WriteString(c.Stderr, c.Line+": not found\n")
				return 127
			}
			name, _ := io.ReadAll(c.Stdin)
			_, _ = fmt.Fprintf(c.Stdout, "hello, %s\n", name)
			return 0
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return server
}

func box(server *testserver.SSH) hawser.Connection {
	return hawser.Connection{
		Name: "box", Protocol: hawser.SSH, Host: server.Host(), Port: server.Port(),
		Auth: hawser.Auth{User: "ann", Password: hawser.NewSecret("correct horse")},
		SSH:  hawser.SSHOptions{HostKeys: []string{xssh.FingerprintSHA256(server.HostKey())}},
	}
}

func ExampleSession_Run() {
	server := greeter()
	defer server.Close()
	ctx := context.Background()

	s, err := ssh.Dialer{}.Open(ctx, box(server))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	stdin, feed := io.Pipe()
	go func() {
		_, _ = io.WriteString(feed, "world")
		_ = feed.Close()
	}()
	if err := s.Run(ctx, &hawser.Command{Line: "greet", Stdin: stdin, Stdout: os.Stdout}); err != nil {
		log.Fatal(err)
	}

	err = s.Run(ctx, &hawser.Command{Line: "dance", Stderr: os.Stdout})
	var exit *hawser.ExitError
	if errors.As(err, &exit) {
		fmt.Println("code", exit.Code)
	}
	// Output:
	// hello, world
	// dance: not found
	// code 127
}

func ExampleDialer_Dial() {
	server := greeter()
	defer server.Close()
	ctx := context.Background()

	session, err := ssh.Dialer{}.Dial(ctx, box(server))
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	_, runs := hawser.As[hawser.Runner](session)
	fmt.Println("runs commands:", runs)

	unknown := box(server)
	unknown.SSH.HostKeys = nil
	_, err = ssh.Dialer{}.Dial(ctx, unknown)
	fmt.Println("unknown host key:", errors.Is(err, hawser.ErrUntrusted))

	wrong := box(server)
	wrong.Auth.Password = hawser.NewSecret("battery staple")
	_, err = ssh.Dialer{}.Dial(ctx, wrong)
	fmt.Println("wrong password:", errors.Is(err, hawser.ErrAuth))
	// Output:
	// runs commands: true
	// unknown host key: true
	// wrong password: true
}
