package listing_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/listing"
)

// seed adds the listings of testdata, and each of their lines.
func seed(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(string(content))
		for line := range strings.Lines(string(content)) {
			f.Add(line)
		}
	}
}

// checkEntries checks what holds of every listing that is read without error.
func checkEntries(t *testing.T, content string, entries []listing.Entry) {
	t.Helper()
	lines := strings.Count(content, "\n") + 1
	raw := 0
	for _, e := range entries {
		checkEntry(t, e)
		if e.Name() == "." {
			t.Errorf("an entry that names the directory: %q", e.Raw)
		}
		raw += strings.Count(e.Raw, "\n") + 1
		if !strings.Contains(strings.ReplaceAll(content, "\r", ""), strings.ReplaceAll(e.Raw, "\r", "")) &&
			!strings.Contains(e.Raw, "\n") {
			t.Errorf("Raw is not of the listing: %q", e.Raw)
		}
	}
	if raw > lines {
		t.Errorf("%d lines of entries from %d lines", raw, lines)
	}
}

func checkEntry(t *testing.T, e listing.Entry) {
	t.Helper()
	name := e.Name()
	if name == "" || name == ".." || strings.ContainsAny(name, "/\x00\n") {
		t.Errorf("name %q of %q", name, e.Raw)
	}
	if e.Size() < 0 {
		t.Errorf("size %d of %q", e.Size(), e.Raw)
	}
	if e.ModTime().IsZero() && e.Resolution != 0 && e.ModTime().Year() > 1 || !e.ModTime().IsZero() && e.Resolution <= 0 {
		t.Errorf("%v ± %v of %q", e.ModTime(), e.Resolution, e.Raw)
	}
	if e.Sys() == nil {
		t.Errorf("no attributes of %q", e.Raw)
	}
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x00\x1b\n") {
		t.Errorf("error %q", err)
	}
	lineError(t, err)
}

func FuzzParseList(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, content string) {
		entries, err := listing.ParseList(strings.NewReader(content), listing.Options{Now: now()})
		if err != nil {
			checkError(t, err)
			require.Nil(t, entries)
			return
		}
		checkEntries(t, content, entries)
	})
}

func FuzzParseMLSD(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, content string) {
		entries, err := listing.ParseMLSD(strings.NewReader(content), listing.Options{})
		if err != nil {
			checkError(t, err)
			require.Nil(t, entries)
			return
		}
		checkEntries(t, content, entries)
	})
}

func FuzzParseMLST(f *testing.F) {
	seed(f)
	f.Add(" type=dir; /")
	f.Fuzz(func(t *testing.T, line string) {
		e, err := listing.ParseMLST(line, listing.Options{})
		if err != nil {
			checkError(t, err)
			return
		}
		if e.Name() != "/" {
			checkEntry(t, e)
		}
	})
}

// TestManyLines has the listing of the benchmark, so that it is right what is measured.
func TestManyLines(t *testing.T) {
	t.Parallel()
	for name, content := range manyLines(1000) {
		entries, err := parse(name, strings.NewReader(content), listing.Options{Now: now()})
		require.NoError(t, err, name)
		require.Len(t, entries, 1000, name)
		assert.Equal(t, "file number 999.dat", entries[999].Name(), name)
		assert.Equal(t, time.UTC, entries[999].ModTime().Location(), name)
	}
}

// manyLines are listings of n files, by format.
func manyLines(n int) map[string]string {
	content := map[string]string{}
	for name, line := range map[string]string{
		"ls":   "-rw-r--r--    1 ftp      ftp      10485760 Feb 27 22:08 file number %d.dat\r\n",
		"DOS":  "02-27-26  10:08PM             10485760 file number %d.dat\r\n",
		"mlsd": "type=file;modify=20260227220800;size=10485760;perm=adfr;unique=FD01U3;UNIX.group=100;UNIX.mode=0644;UNIX.owner=1000; file number %d.dat\r\n",
	} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		content[name] = b.String()
	}
	return content
}

func Benchmark100000Lines(b *testing.B) {
	for name, content := range manyLines(100_000) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				entries, err := parse(name, strings.NewReader(content), listing.Options{Now: now()})
				if err != nil || len(entries) != 100_000 {
					b.Fatal(len(entries), err)
				}
			}
		})
	}
}
