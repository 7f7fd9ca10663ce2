package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleWriteURLs() {
	reg := hawser.NewMemory(
		hawser.Connection{Name: "bank", Protocol: hawser.SFTP, Host: "sftp.bank.example", Auth: hawser.Auth{User: "joe", Password: hawser.NewSecret("hunter2")}},
		hawser.Connection{Name: "shop", Protocol: hawser.FTP, Host: "ftp.shop.example", Auth: hawser.Auth{User: "joe", Password: hawser.SecretRef("env:SHOP")}},
	)
	missing, err := registry.WriteURLs(os.Stdout, reg.All(context.Background()))
	fmt.Println(missing, err)
	// Output:
	// sftp://joe@sftp.bank.example?name=bank
	// ftp://joe@ftp.shop.example?auth.password.ref=env%3ASHOP&name=shop
	// [{bank auth.password}] <nil>
}

func ExampleReadURLs() {
	conns, err := registry.ReadURLs(strings.NewReader(`
# what the old system had
sftp://joe@sftp.bank.example?auth.agent=true&name=bank
ftps://joe:hunter2@ftp.shop.example?name=shop&limits.sessions=2
`))
	for _, c := range conns {
		fmt.Println(c.Name, c.Protocol, c.Addr())
	}
	fmt.Println(err)
	// Output:
	// bank sftp sftp.bank.example:22
	// shop ftp ftp.shop.example:990
	// <nil>
}

func TestWriteURLsRefusesWhatNoURLHolds(t *testing.T) {
	t.Parallel()
	odd := conn("odd", "h")
	odd.Protocol = "my protocol"
	upper := conn("upper", "h")
	upper.Protocol = "SFTP2"
	var b bytes.Buffer
	_, err := registry.WriteURLs(&b, hawser.NewMemory(odd, upper, conn("ok", "h")).All(t.Context()))
	require.ErrorContains(t, err, `"odd": url: not a URL`)
	require.ErrorContains(t, err, `"upper": no URL holds all of it; export it as JSON`)
	assert.Equal(t, 1, strings.Count(b.String(), "\n"))
	assert.Contains(t, b.String(), "name=ok")
}

func TestReadURLsProblems(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"no name", "\n# x\nsftp://joe@h", "line 3: name: is empty; add ?name= to the URL"},
		{"a name given twice", "sftp://joe@h?name=a\nftp://joe@h?name=a", `line 2: "a" is on line 1, too`},
		{"all at once", "hunter2\nsftp://joe:hunter2/x@h?name=a\nsftp://h?name=a&timeot=1s", "line 1: url: not a URL; write scheme://user@host:port?name=value and percent-encode what is special in user and password\n" +
			"line 2: url: not a URL; write scheme://user@host:port?name=value and percent-encode what is special in user and password\n" +
			`line 3: timeot: unknown field; did you mean "timeout"?`},
		{"a long line", "sftp://h?name=" + strings.Repeat("a", 1<<20), "line 1: is longer than 1 MiB"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			conns, err := registry.ReadURLs(strings.NewReader(row.text))
			require.EqualError(t, err, row.want)
			assert.Empty(t, conns)
		})
	}
}
