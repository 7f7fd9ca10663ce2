package sftp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

// exampleServer stands for a server of yours.
func exampleServer() (c hawser.Connection, stop func() error) {
	server, err := testserver.StartSSH(testserver.SSHConfig{Passwords: map[string]string{"ann": "secret words"}})
	if err != nil {
		log.Fatal(err)
	}
	return hawser.Connection{
		Name: "bank", Protocol: hawser.SFTP, Host: server.Host(), Port: server.Port(),
		Auth: hawser.Auth{User: "ann", Password: hawser.NewSecret("secret words")},
		SSH:  hawser.SSHOptions{HostKeys: []string{ssh.FingerprintSHA256(server.HostKey())}},
	}, server.Close
}

func ExampleDialer() {
	c, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	session, err := sftp.Dialer{}.Open(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	w, err := session.Create(ctx, "hello.txt", 0)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "Hello, world\n"); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil { // only now the file is complete
		log.Fatal(err)
	}
	r, err := session.Open(ctx, "hello.txt", 7)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if _, err := io.Copy(os.Stdout, r); err != nil {
		log.Fatal(err)
	}
	// Output: world
}

func ExampleSession_ReadDir() {
	c, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	session, err := sftp.Dialer{}.Open(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	if err := session.Mkdir(ctx, "in"); err != nil {
		log.Fatal(err)
	}
	for info, err := range session.ReadDir(ctx, ".") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.Name(), info.IsDir())
	}
	_, err = session.Stat(ctx, "out")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// in true
	// true
}

// A source that fails leaves a file that is right as far as it goes.
func ExampleSession_Create() {
	c, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	session, err := sftp.Dialer{}.Open(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	w, err := session.Create(ctx, "report.csv", 0)
	if err != nil {
		log.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader(strings.Repeat("line\n", 20_000)), failing{})
	_, err = io.Copy(w, broken)
	fmt.Println(err)
	var partial *hawser.PartialError
	fmt.Println(errors.As(w.Close(), &partial))
	info, err := session.Stat(ctx, "report.csv")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Size() == partial.Good)
	// Output:
	// the disk is gone
	// true
	// true
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }
