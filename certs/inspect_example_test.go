package certs_test

import (
	"crypto/tls"
	"fmt"
	"net/http/httptest"

	"github.com/hawser/hawser/certs"
)

// A server that vouches for itself, reached by a name that it is not for.
func ExampleInspect() {
	server := httptest.NewTLSServer(nil)
	defer server.Close()

	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(cs tls.ConnectionState) error {
			for _, f := range certs.Inspect(cs, "files.bank.example", certs.InspectOptions{}) {
				fmt.Println(f.Anomaly, "of certificate", f.Index)
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	// Output:
	// self-signed of certificate 0
	// name-mismatch of certificate 0
}
