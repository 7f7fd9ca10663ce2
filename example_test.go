package hawser_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hawser/hawser"
)

func ExampleParseURL() {
	c, err := hawser.ParseURL("ftpes://jobs@ftp.example.com?name=bank&timeout=45s&auth.password.ref=env:BANK_PASSWORD")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name, c.Protocol, c.TLS.Mode, c.Addr(), c.Timeout, c.Auth.Password)

	_, err = hawser.ParseURL("ftp://ftp.example.com?timeot=45s")
	fmt.Println(err)
	// Output:
	// bank ftp explicit ftp.example.com:21 45s env:BANK_PASSWORD
	// timeot: unknown field; did you mean "timeout"?
}

func ExampleConnection_Validate() {
	c := hawser.Connection{
		Name: "bank", Protocol: hawser.FTP, Host: "ftp.example.com:21",
		Auth: hawser.Auth{User: "jobs", Agent: true},
		TLS:  hawser.TLSOptions{Mode: "explict"},
	}
	fmt.Println(c.Validate())
	// Output:
	// host: has a port; write it in the field port
	// auth.agent: has no effect with protocol ftp; it is for ssh and sftp
	// tls.mode: unknown mode "explict"; did you mean "explicit"?
}

func ExampleQuote() {
	fmt.Println(hawser.Quote("rm", "--", "it's mine", "$HOME"))
	// Output: rm -- 'it'\''s mine' '$HOME'
}

func ExampleLogTo() {
	trace := hawser.LogTo(os.Stdout)
	// A driver says what it sends and receives; the connection's Log tab says
	// what of that is written.
	log := hawser.Log{Outgoing: true, Incoming: true}
	trace.Sent(hawser.Message{Connection: "bank", Protocol: hawser.FTP, Log: log, Text: "PASS ***"})
	trace.Received(hawser.Message{Connection: "bank", Protocol: hawser.FTP, Log: log, Text: "230 Login ok"})
	trace.Received(hawser.Message{Connection: "quiet", Protocol: hawser.FTP, Text: "230 Login ok"})
	// Output:
	// bank > PASS ***
	// bank < 230 Login ok
}

func ExampleSecret() {
	auth := hawser.Auth{User: "jobs", Password: hawser.NewSecret("correct horse")}
	fmt.Printf("%v\n", auth.Password)
	text, _ := json.Marshal(auth)
	fmt.Println(string(text))

	auth.Password = hawser.SecretRef("env:BANK_PASSWORD")
	text, _ = json.Marshal(auth)
	fmt.Println(string(text))
	// Output:
	// ***
	// {"user":"jobs","password":"***"}
	// {"user":"jobs","password":{"ref":"env:BANK_PASSWORD"}}
}

func ExampleUse() {
	m := &hawser.Manager{
		Registry: hawser.NewMemory(hawser.Connection{
			Name: "bank", Protocol: hawser.FTP, Host: "ftp.example.com", Auth: hawser.Auth{Anonymous: true},
		}),
		Dialer: hawser.Mux{hawser.FTP: &fakeDialer{dial: fakeFiles}}, // a driver: ftp.Dialer{}
	}
	defer m.Close()

	ctx := context.Background()
	err := hawser.Use(ctx, m, "bank", func(ctx context.Context, files hawser.FileSystem) error {
		r, err := files.Open(ctx, "srv/in/a.csv", 0)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(os.Stdout, r)
		fmt.Println()
		return err
	})
	fmt.Println("error:", err)

	err = hawser.Use(ctx, m, "bank", func(ctx context.Context, shell hawser.Runner) error {
		return shell.Run(ctx, &hawser.Command{Line: "uptime"})
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	// Output:
	// 0123456789
	// error: <nil>
	// unsupported operation: connection bank is no hawser.Runner
	// true
}

func fakeFiles(context.Context, hawser.Connection) (hawser.Session, error) {
	return fileSession{&fakeSession{}, newFiles()}, nil
}

func ExampleNewMemory() {
	connections := hawser.NewMemory(hawser.Connection{Name: "bank", Protocol: hawser.SMTP, Host: "old.example.com"})
	ctx := context.Background()

	c, _ := connections.Lookup(ctx, "bank")
	c.Host = "new.example.com"
	_, err := connections.Put(ctx, c)
	fmt.Println(err)

	// c still has the revision from before.
	_, err = connections.Put(ctx, c)
	fmt.Println(errors.Is(err, hawser.ErrConflict))
	fmt.Println(err)
	// Output:
	// <nil>
	// true
	// connection was changed by someone else: "bank" is at revision 2, not 1
}

func ExampleMemory_Watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var connections hawser.Memory
	changes, err := connections.Watch(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = connections.Put(ctx, hawser.Connection{Name: "mail", Protocol: hawser.SMTP, Host: "smtp.example.com"})
	for change, err := range changes {
		if err != nil {
			fmt.Println(err)
			break
		}
		c, _ := connections.Lookup(ctx, change.Name)
		fmt.Println(change.Name, "is now", c.Addr())
		break
	}
	// Output: mail is now smtp.example.com:587
}
