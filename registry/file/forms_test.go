package file_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
)

const twoSpaces = "connections:\n  a:\n    protocol: smtp\n    host: h\n"

func TestPutIntoAFileOfAnyForm(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, file, before, after string }{
		{"no bytes", "r.yaml", "", "version: 1\n" + twoSpaces},
		{"comments alone", "r.yaml", "# one\n\n# two\n", "# one\n\n# two\nversion: 1\n" + twoSpaces},
		{"no end of the line", "r.yaml", "# one", "# one\nversion: 1\n" + twoSpaces},
		{"a byte order mark alone", "r.yaml", "\ufeff", "\ufeff\nversion: 1\n" + twoSpaces},
		{"a byte order mark", "r.yaml", "\ufeffversion: 1\r\n", "\ufeffversion: 1\r\n" + strings.ReplaceAll(twoSpaces, "\n", "\r\n")},
		{"the begin of a document", "r.yaml", "---\n", "---\nversion: 1\n" + twoSpaces},
		{"a whole document", "r.yaml", "---\nversion: 1\n...\n", "---\nversion: 1\n" + twoSpaces + "...\n"},
		{"no connections", "r.yml", "version: 1\nconnections:\n", "version: 1\n" + twoSpaces},
		{"no connections, with comments", "r.yml", "connections: # all\n  # none yet\n\n# end\n", "connections: # all\n  # none yet\n  a:\n    protocol: smtp\n    host: h\n\n# end\n"},
		{"empty connections in braces", "r.yaml", "connections: {} # all\n", "connections: # all\n  a:\n    protocol: smtp\n    host: h\n"},
		{"other indentation", "r.yaml", "connections:\n    b:\n        protocol: smtp\n        host: h\n", "connections:\n    b:\n        protocol: smtp\n        host: h\n    a:\n      protocol: smtp\n      host: h\n"},
		{"no JSON", "r.json", "", lines(`{`, `  "version": 1,`, `  "connections": {`, `    "a": {`, `      "protocol": "smtp",`, `      "host": "h"`, `    }`, `  }`, `}`)},
		{"an empty object", "r.json", "{}\n", lines(`{`, `  "connections": {`, `    "a": {`, `      "protocol": "smtp",`, `      "host": "h"`, `    }`, `  }`, `}`)},
		{"JSON in one line", "r.json", `{"version":1, "connections": {"b": {"protocol":"smtp","host":"h"}}}`, `{"version":1, "connections": {"b": {"protocol":"smtp","host":"h"},"a": {"protocol":"smtp","host":"h"}}}`},
		{"JSON with tabs and CRLF", "r.JSON", "\ufeff{\r\n\t\"connections\": {\r\n\t}\r\n}\r\n", "\ufeff{\r\n\t\"connections\": {\r\n\t\t\"a\": {\r\n\t\t\t\"protocol\": \"smtp\",\r\n\t\t\t\"host\": \"h\"\r\n\t\t}\r\n\t}\r\n}\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := written(t, row.file, row.before)
			r := open(t, path, file.Options{})
			put(t, r, mail("a", "h"))
			assert.Equal(t, row.after, content(t, path))
			assert.Equal(t, "h", lookup(t, open(t, path, file.Options{}), "a").Host)
			require.NoError(t, r.Delete(t.Context(), "a", hawser.AnyRevision))
			_, err := r.Lookup(t.Context(), "a")
			require.ErrorIs(t, err, hawser.ErrNotFound)
			put(t, r, mail("a", "h"))
			assert.Equal(t, "h", lookup(t, open(t, path, file.Options{}), "a").Host)
		})
	}
}

func TestAFileThatCannotBeEditedIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, before := range []string{
		"{connections: {b: {protocol: smtp, host: h}}}\n",
		"connections: {b: {protocol: smtp,\n host: h}}\n",
		"? connections\n: b: {protocol: smtp, host: h}\n",
	} {
		path := written(t, "r.yaml", before)
		r := open(t, path, file.Options{})
		c := lookup(t, r, "b")
		c.Host = "other"
		_, err := r.Put(t.Context(), c)
		if err == nil { // what can be rendered anew is fine
			assert.Equal(t, "other", lookup(t, open(t, path, file.Options{}), "b").Host)
			continue
		}
		require.ErrorContains(t, err, "cannot be changed here without harm to the rest")
		assert.Equal(t, before, content(t, path))
		assert.NoFileExists(t, path+".bak")
		assert.Equal(t, "h", lookup(t, r, "b").Host)
	}
}

func TestJSONKeepsTheBytesOfOthers(t *testing.T) {
	t.Parallel()
	const before = `{ "version" : 1,
  "connections": {
      "a": {"protocol":   "smtp", "host": "\u0068", "timeout": "60s"},
      "b": {
        "protocol": "smtp", "host": "h", "port": 0
      }   ,
      "c": {"protocol": "smtp", "host": "h"}
  }
}`
	for name, row := range map[string]struct {
		do       func(*testing.T, *file.Registry)
		old, new string
	}{
		"a change":       {change("b", func(c *hawser.Connection) { c.Host, c.Port = "x", 26 }), `"host": "h", "port": 0`, `"host": "x", "port": 26`},
		"a new field":    {change("a", func(c *hawser.Connection) { c.Port = 26 }), `"\u0068", `, `"\u0068","port": 26, `},
		"a new list":     {change("b", func(c *hawser.Connection) { c.SMTP.Auth = []string{"PLAIN"} }), "", ""},
		"one removed":    {remove("a"), "\n      \"a\": {\"protocol\":   \"smtp\", \"host\": \"\\u0068\", \"timeout\": \"60s\"},", ""},
		"another":        {remove("c"), ",\n      \"c\": {\"protocol\": \"smtp\", \"host\": \"h\"}", ""},
		"a field gone":   {change("a", func(c *hawser.Connection) { c.Timeout = 0 }), `, "timeout": "60s"`, ""},
		"nothing at all": {change("a", func(*hawser.Connection) {}), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, "r.json", before)
			r := open(t, path, file.Options{})
			row.do(t, r)
			if name != "a new list" {
				assert.Equal(t, strings.Replace(before, row.old, row.new, 1), content(t, path))
			}
			open(t, path, file.Options{})
		})
	}
}

func TestTextsSurviveEveryForm(t *testing.T) {
	t.Parallel()
	texts := []string{
		"null", "~", "true", "no", "on", "y", "1e3", "0x1F", "021", "1_000", "1:30", ".5", ".inf", "2024-01-01", "=", "<<", "-", "--- a", "...", "?", "a: b", "a:", ":a", "a #b", "#a",
		"[a", "{a", "a, b", "a]", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", `"a"`, "'a'", `\`, `\n`, "\u00e4\u00f6", "\u9280\u884c", "\U0001f600", "a\u00a0b", "a\u2028b", "\ufeffa", "a\u0085b", "a\ufffdb",
		"10.0.0.1", "::1", "45s", "http://x/y?z=1", "a  b", "a\\b",
	}
	longs := []string{"one\ntwo", "one\n", "\none", " one\ntwo", "one\n two\n\n\nthree", "one\n\n", "one\n \ntwo", "# one\n# two", "one\ttwo\nthree", "one\r\ntwo", "--- \n...", "one \ntwo ", " ", "\n", "- a\n- b", "key: value\nother: |"}
	for _, name := range []string{"r.yaml", "r.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := quickPath(t, name)
			r := open(t, path, file.Options{})
			var want []hawser.Connection
			for i, text := range append(texts, longs...) {
				c := mail(fmt.Sprintf("c%d", i), "h")
				c.Description = text
				if !strings.ContainsAny(text, "\n\r\t\u0085") {
					c.Name, c.Group = strings.TrimSpace(text)+"n", text
					c.Extra = map[string]string{"a." + text: text}
				}
				want = append(want, put(t, r, c))
			}
			again := open(t, path, file.Options{})
			for _, c := range want {
				got := lookup(t, again, c.Name)
				assert.Equal(t, c.Description, got.Description)
				assert.Equal(t, c.Group, got.Group)
				assert.Equal(t, c.Extra, got.Extra)
				require.NoError(t, again.Delete(t.Context(), c.Name, c.Revision))
			}
		})
	}
}

func TestWhatAFileCannotKeepIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r.yaml", "r.json"} {
		path := newPath(t, name)
		r := open(t, path, file.Options{Key: newKey(t)})
		for _, spoil := range []func(*hawser.Connection){
			func(c *hawser.Connection) { c.Name = "a\xff" },
			func(c *hawser.Connection) { c.Group = "\xff" },
			func(c *hawser.Connection) { c.Description = `\\` + "\xff" },
			func(c *hawser.Connection) { c.Extra = map[string]string{"a.b": "\xff"} },
		} {
			c := mail("a", "h")
			spoil(&c)
			_, err := r.Put(t.Context(), c)
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorContains(t, err, "not UTF-8")
		}
		assert.NoFileExists(t, path)
		c := withPassword(mail("a", "h"), "\xff\xfe")
		c.Description = `\ufffd` + "\ufffd"
		put(t, r, c)
		got := lookup(t, open(t, path, file.Options{}), "a")
		assert.Equal(t, c.Description, got.Description)
		assert.True(t, lookup(t, r, "a").Auth.Password.Equal(c.Auth.Password), "a sealed secret may hold any bytes")
	}
}

func TestTheFileKeepsItsPermissions(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: Windows has no such permissions")
	}
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	path := newPath(t, "r.yaml")
	r := open(t, path, file.Options{})
	put(t, r, mail("a", "h"))
	assert.EqualValues(t, 0o600, mode(path), "a new file is for its owner alone")
	for _, want := range []os.FileMode{0o640, 0o644, 0o400} {
		require.NoError(t, os.Chmod(path, want))
		c := lookup(t, r, "a")
		c.Port++
		put(t, r, c)
		assert.Equal(t, want, mode(path))
		for _, beside := range []string{".bak", ".lock"} {
			assert.EqualValues(t, 0o600, mode(path+beside))
		}
	}
}

func TestADirectoryThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", twoSpaces)
	r := open(t, path, file.Options{})
	if os.Getuid() == 0 || runtime.GOOS == "windows" { // root may write everywhere
		require.NoError(t, os.Mkdir(path+".lock", 0o700))
		_, err := r.Put(t.Context(), mail("b", "h"))
		require.ErrorContains(t, err, "write "+path+": ")
	} else {
		require.NoError(t, os.Chmod(strings.TrimSuffix(path, "/r.yaml"), 0o500))
		_, err := r.Put(t.Context(), mail("b", "h"))
		require.ErrorIs(t, err, os.ErrPermission)
		require.ErrorContains(t, err, "the directory has to be writable")
		require.NoError(t, os.Chmod(strings.TrimSuffix(path, "/r.yaml"), 0o700))
	}
	assert.Equal(t, twoSpaces, content(t, path))
	assert.Equal(t, "h", lookup(t, r, "a").Host, "reading needs no lock")
}
