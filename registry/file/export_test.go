package file

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// Create writes a new file of conns, which have no literal secrets.
func Create(t *testing.T, path string, conns ...hawser.Connection) {
	t.Helper()
	d, err := parse(path, nil, nil)
	require.NoError(t, err)
	e := edit{put: map[string][]byte{}}
	for _, c := range conns {
		b, err := json.Marshal(c)
		require.NoError(t, err)
		e.put[c.Name], err = canonical(b)
		require.NoError(t, err)
	}
	d, err = d.apply(path, e)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, d.data, 0o600))
}

// CheckEdits reads data as the content of a file called name, and, if it is good, puts and
// deletes. Nothing may go wrong but by an error that does not quote a password.
func CheckEdits(t *testing.T, name string, data []byte) {
	d, err := parse(name, data, nil)
	if err != nil {
		require.NotContains(t, err.Error(), "hunter2hunter2")
		return
	}
	stored := `{"name":"new","protocol":"smtp","host":"h"}`
	put, err := d.apply(name, edit{header: d.header, put: map[string][]byte{"new": []byte(stored)}})
	if err == nil {
		require.Equal(t, stored, string(put.entries["new"].stored))
		_, err = put.apply(name, edit{header: d.header, remove: "new"})
		require.NoError(t, err)
	}
	for remove := range maps.Keys(d.entries) {
		left, err := d.apply(name, edit{header: d.header, remove: remove})
		if err == nil {
			require.Len(t, left.entries, len(d.entries)-1)
		}
	}
	_, err = d.apply(name, edit{header: seal.Header{Recipient: "age1", Wrapped: "a\nb"}})
	if err != nil {
		require.True(t, strings.Contains(err.Error(), "harm"), err)
	}
}
