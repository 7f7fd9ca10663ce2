package registry_test

import (
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

func ExampleWriteJSON() {
	reg := hawser.NewMemory(
		hawser.Connection{Name: "bank", Protocol: hawser.SFTP, Host: "sftp.bank.example", Auth: hawser.Auth{User: "joe", Password: hawser.SecretRef("env:BANK")}},
	)
	missing, err := registry.WriteJSON(os.Stdout, reg.All(context.Background()))
	fmt.Println(missing, err)
	// Output:
	// [
	//   {
	//     "name": "bank",
	//     "protocol": "sftp",
	//     "host": "sftp.bank.example",
	//     "auth": {
	//       "user": "joe",
	//       "password": {
	//         "ref": "env:BANK"
	//       }
	//     }
	//   }
	// ]
	// [] <nil>
}

func TestReadJSONProblems(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", "line 1, column 1: not JSON"},
		{"an open array", "[\n {}", "line 2, column 3: not JSON"},
		{"text behind it", "[]\n x", "line 2, column 2: not JSON"},
		{"an object", `{"name":"a"}`, "want a JSON array of connections"},
		{"null", "null", "want a JSON array of connections, not null"},
		{"no name", `[{"name":"a"},{"host":"h"}]`, "connection 2: name: is empty"},
		{"a name given twice", `[{"name":"a"},{"name":"a"}]`, `"a": is there twice`},
		{"all at once", `[{"name":"a","prot":1},{"name":"b","auth":{"password":"***"}},{"host":"h","host":"h"},7,{"name":"c","port":"hunter2"}]`, `"a": prot: unknown field; did you mean "port"?` + "\n" +
			`"b": auth.password: the mask *** is not a secret; give the secret again or a reference` + "\nconnection 3: host: given twice\nconnection 4: want an object\n" + `"c": port: want a port number, 1 to 65535`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			conns, err := registry.ReadJSON(strings.NewReader(row.text))
			require.EqualError(t, err, row.want)
			assert.Empty(t, conns)
		})
	}
}
