package ssh_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// gate stands for a jump host that knows the name of one machine inside.
func gate(inside *testserver.SSH) *testserver.SSH {
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{"ann": "correct horse"},
		Forward: func(addr string) (string, error) {
			if addr != "box.inside:22" {
				return "", fmt.Errorf("%s is not for you", addr)
			}
			return inside.Addr(), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return server
}

func ExampleJump() {
	inside := greeter()
	defer inside.Close()
	outside := gate(inside)
	defer outside.Close()
	ctx := context.Background()

	bastion := box(outside)
	bastion.Name = "bastion"
	target := box(inside)
	target.Host, target.Port, target.Via = "box.inside", 22, "bastion"

	registry := hawser.NewMemory(bastion, target)
	jump := &ssh.Jump{}
	defer jump.Close()
	m := &hawser.Manager{Registry: registry, Dialer: ssh.Dialer{Transport: jump}}
	defer m.Close()

	err := hawser.Use(ctx, m, "box", func(ctx context.Context, r hawser.Runner) error {
		return r.Run(ctx, &hawser.Command{Line: "greet", Stdout: os.Stdout})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello,
}

func ExampleSession_DialContext() {
	page, err := testserver.StartTCP(func(_ context.Context, c net.Conn) { _, _ = io.WriteString(c, "only inside\n") })
	if err != nil {
		log.Fatal(err)
	}
	defer page.Close()
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{"ann": "correct horse"},
		Forward:   func(string) (string, error) { return page.Addr(), nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()

	s, err := ssh.Dialer{}.Open(ctx, box(server))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	conn, err := s.DialContext(ctx, "tcp", "intranet.example.com:80")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr())
	_, _ = io.Copy(os.Stdout, conn)
	// Output:
	// intranet.example.com:80
	// only inside
}
