package certs_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

const exampleKey = "AAAAC3NzaC1lZDI1NTE5AAAAIBgW7cnmQk0tKVTtmjLOMEsGMfRNCLkRHsnwFbe0l0LW"

// A Verifier with an Asker asks about the first key of a server, and keeps
// quiet while it stays the same. Drivers call Verify.
func ExampleVerifier() {
	verifier := &certs.Verifier{
		Store: certs.Memory(), // or certs.File, or certs.KnownHosts
		Ask: func(_ context.Context, q certs.Question) (certs.Answer, error) {
			fmt.Printf("%s: %s key of %s is %s: %s\n", q.Connection, q.Reason, q.Addr, q.KeyType(), q.Fingerprint)
			return certs.Answer{Decision: certs.AcceptAlways}, nil
		},
	}
	key, err := base64.StdEncoding.DecodeString(exampleKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := hawser.Connection{Name: "bank", Protocol: hawser.SFTP, Host: "bank.example.com"}
	for range 2 {
		err := verifier.Verify(context.Background(), c, hawser.Peer{Addr: c.Addr(), HostKey: key})
		fmt.Println("trusted:", err == nil)
	}
	// Output:
	// bank: unknown key of bank.example.com:22 is ssh-ed25519: SHA256:UU20jPdSi9XTTA5Fs7Or66xD29IaqMHn2VRWsAYhYUs
	// trusted: true
	// trusted: true
}

// Where nobody is present, the question waits in the Store. It is the same for
// a certificate, which comes with its [Question.Findings].
func ExampleStore() {
	ctx := context.Background()
	verifier := &certs.Verifier{Store: certs.Memory()}
	key, err := base64.StdEncoding.DecodeString(exampleKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := hawser.Connection{Name: "bank", Protocol: hawser.SFTP, Host: "bank.example.com"}
	err = verifier.Verify(ctx, c, hawser.Peer{Addr: c.Addr(), HostKey: key})
	fmt.Println("refused:", errors.Is(err, hawser.ErrUntrusted))

	questions, err := verifier.Store.Pending(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for id, q := range questions {
		fmt.Println("answering for", q.Addr, verifier.Store.Answer(ctx, id, certs.Answer{Decision: certs.AcceptAlways}))
	}
	fmt.Println("trusted:", verifier.Verify(ctx, c, hawser.Peer{Addr: c.Addr(), HostKey: key}) == nil)
	// Output:
	// refused: true
	// answering for bank.example.com:22 <nil>
	// trusted: true
}
