package listing_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/listing"
)

var update = flag.Bool("update", false, "write the golden files; read the difference before it is committed")

// now is when the listings of testdata were made.
func now() time.Time { return time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC) }

func parse(name string, r io.Reader, o listing.Options) ([]listing.Entry, error) {
	if strings.HasPrefix(name, "mlsd") {
		return listing.ParseMLSD(r, o)
	}
	return listing.ParseList(r, o)
}

// TestGolden reads testdata/x.txt, a file a server or a kind of it, and expects
// x.golden: what became of each line.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			entries, err := parse(name, bytes.NewReader(content), listing.Options{Now: now()})
			require.NoError(t, err)
			got := account(t, string(content), entries)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, strings.Split(string(want), "\n"), strings.Split(got, "\n"))
		})
	}
}

// account tells what became of each line of content: an entry, or nothing. It
// fails if an entry is of no line, or out of order.
func account(t *testing.T, content string, entries []listing.Entry) string {
	t.Helper()
	var out strings.Builder
	raw := func() []string {
		if len(entries) == 0 {
			return nil
		}
		return strings.Split(entries[0].Raw, "\n")
	}
	lines := strings.Split(strings.TrimSuffix(content, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimRight(strings.TrimPrefix(lines[i], "\ufeff"), "\r")
		of := raw()
		if len(of) == 0 || of[0] != line {
			fmt.Fprintf(&out, "skipped %q\n", line)
			continue
		}
		for range of[1:] {
			i++
			line += "\n" + strings.TrimRight(lines[i], "\r")
		}
		require.Equal(t, entries[0].Raw, line)
		fmt.Fprintln(&out, describe(t, entries[0]))
		entries = entries[1:]
	}
	require.Empty(t, entries, "entries that no line tells")
	return out.String()
}

// describe prints all that an entry tells, on one line.
func describe(t testing.TB, e listing.Entry) string {
	t.Helper()
	attributes, ok := e.Sys().(*hawser.FileAttributes)
	require.True(t, ok)
	require.NotNil(t, attributes)
	require.Equal(t, e.Mode().IsDir(), e.IsDir())
	require.Equal(t, e.ModTime().IsZero(), e.Resolution == 0, "%q", e.Raw)
	out := fmt.Sprintf("%q %v %d", e.Name(), e.Mode(), e.Size())
	if e.Exact {
		out += " exact"
	}
	moment := func(name string, at time.Time, more string) {
		if !at.IsZero() {
			out += " " + name + "=" + at.Format(time.RFC3339Nano) + more
		}
	}
	text := func(name, value string) {
		if value != "" {
			out += fmt.Sprintf(" %s=%q", name, value)
		}
	}
	moment("modified", e.ModTime(), "±"+e.Resolution.String())
	moment("accessed", attributes.Accessed, "")
	moment("created", attributes.Created, "")
	text("owner", attributes.Owner)
	text("group", attributes.Group)
	text("target", e.Target)
	text("unique", e.Unique)
	text("perm", e.Perm)
	return out
}

// names are those of all entries.
func names(entries []listing.Entry) []string {
	found := []string{}
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// one reads a listing of one line that is an entry.
func one(t testing.TB, line string, o listing.Options) listing.Entry {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now()
	}
	entries, err := listing.ParseList(strings.NewReader(line+"\r\n"), o)
	require.NoError(t, err)
	require.Len(t, entries, 1, "%q", line)
	require.True(t, slices.Contains([]string{line}, entries[0].Raw))
	return entries[0]
}

// reader is a listing of these lines.
func reader(lines ...string) io.Reader {
	return strings.NewReader(strings.Join(lines, "\r\n") + "\r\n")
}
