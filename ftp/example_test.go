package ftp_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// A file goes to a server with explicit TLS and comes back.
func ExampleDialer() {
	server, err := testserver.StartFTP(testserver.FTPConfig{TLS: testserver.FTPExplicit})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	c := hawser.Connection{Name: "files", Protocol: hawser.FTP, Host: server.Host(), Port: server.Port()}
	c.Auth = hawser.Auth{User: "me", Password: hawser.NewSecret("open sesame")}
	c.TLS = hawser.TLSOptions{Mode: hawser.TLSExplicit, Roots: server.CA()} // of a public server, no Roots

	if err := moveFile(context.Background(), c); err != nil {
		fmt.Println(err)
	}
	// Output:
	// report.csv: a;b
}

func moveFile(ctx context.Context, c hawser.Connection) error {
	session, err := ftp.Dialer{}.Open(ctx, c)
	if err != nil {
		return err
	}
	defer session.Close()
	w, err := session.Create(ctx, "report.csv", 0)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, strings.NewReader("a;b")); err != nil {
		return err
	}
	if err := w.Close(); err != nil { // nil: the server has all of it
		return err
	}
	r, err := session.Open(ctx, "report.csv", 0)
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	fmt.Printf("report.csv: %s\n", text)
	return err
}

// Probe finds out how a server wants to be spoken to.
func ExampleDialer_Probe() {
	server, err := testserver.StartFTP(testserver.FTPConfig{TLS: testserver.FTPImplicit})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	c := hawser.Connection{Name: "files", Protocol: hawser.FTP, Host: server.Host(), Port: server.Port()}
	c.Auth = hawser.Auth{User: "me", Password: hawser.NewSecret("open sesame")}
	c.TLS = hawser.TLSOptions{Mode: hawser.TLSExplicit, Roots: server.CA()}
	c.Timeout = 2e9 // a wrong guess may get no answer

	for found, report := range (ftp.Dialer{}).Probe(context.Background(), c) {
		fmt.Println(found.TLS.Mode, found.FTP.Mode, report.Err == nil)
	}
	// Output:
	// explicit passive false
	// implicit passive true
	// implicit active true
}
