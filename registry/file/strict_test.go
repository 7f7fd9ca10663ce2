package file_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
)

func TestAFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	in := func(fields ...string) string {
		return "version: 1\nconnections:\n  a:\n    protocol: smtp\n    host: h\n" + lines(fields...)
	}
	for _, row := range []struct{ name, content, want string }{
		{"an unknown field", in("    prot: 25"), `:6:5: connection "a": prot: unknown field; did you mean "port"?`},
		{"an unknown field of a group", in("    tls:", "      min_verson: '1.2'"), `:7:7: connection "a": tls.min_verson: unknown field; did you mean "tls.min_version"?`},
		{"a wrong word", in("    tls:", "      mode: explict"), `:7:7: connection "a": tls.mode: unknown mode "explict"; did you mean "explicit"?`},
		{"a wrong word in a list", in("    tls:", "      allow:", "        - expired", "        - expred"), `:9:11: connection "a": tls.allow[1]: unknown anomaly "expred"; did you mean "expired"?`},
		{"a missing field", "connections:\n  a: {protocol: smtp}\n", `:2:3: connection "a": host: is empty`},
		{"a number for a text", in("    group: 42"), `:6:5: connection "a": group: want text in quotes`},
		{"a text for a number", in("    port: '25'"), `:6:5: connection "a": port: want a port number`},
		{"an octal number", in("    port: 025"), `:6:11: a number that is not decimal`},
		{"a hexadecimal number", in("    group: 0x1F"), `:6:12: a number that is not decimal`},
		{"a null", in("    group:"), `:6:5: connection "a": group: null is not a value; leave the field out`},
		{"a yes", in("    log:", "      outgoing: yes"), `:7:7: connection "a": log.outgoing: want true or false`},
		{"a field given twice", in("    port: 25", "    port: 26"), `:7:5: "port" is given twice; first in line 6`},
		{"a name given twice", in("  b: {protocol: smtp, host: h}", "  a: {protocol: smtp, host: h}"), `:7:3: "a" is given twice; first in line 3`},
		{"an extra given twice", in("    extra: {a.b: c, 'a.b': d}"), `:6:21: "a.b" is given twice; first in line 6`},
		{"a name inside", in("    name: a"), `:6:5: connection "a": name: is what the connection stands below; leave the field out`},
		{"an empty name", "connections:\n  '': {protocol: smtp, host: h}\n", `:2:3: name: is empty`},
		{"a connection that is none", "connections:\n  a: x\n", `:2:3: connection "a": want fields, such as protocol and host`},
		{"a list of connections", "connections:\n  - a\n", `:1:1: connections: want a mapping, each connection below its name`},
		{"a text alone", "hello\n", `:1:1: want version, seal and connections at the top of the file`},
		{"a misspelt top", "conections: {}\n", `:1:1: unknown field "conections"; want version, seal or connections`},
		{"another version", "version: 2\n", `:1:1: want version: 1`},
		{"a field of seal", "seal:\n  key: x\n", `:2:3: seal: unknown field "key"; want recipient or wrapped`},
		{"an alias", in("    group: *x", "    description: &x a"), `: not valid YAML`},
		{"an alias of what is there", "version: &x 1\nconnections: *x\n", `:2:14: an alias of YAML; write the value out`},
		{"an anchor", "version: &x 1\n", `:1:10: an anchor of YAML`},
		{"a merge", in("    <<: {port: 25}"), `:6:5: a merge of YAML`},
		{"a tag", in("    group: !!str 42"), `:6:12: a tag of YAML`},
		{"a second document", "version: 1\n---\nversion: 1\n", `: a second document begins`},
		{"a mapping for a name", "connections:\n  {a: b}: c\n", `:2:3: want a name here`},
		{"a tab", "connections:\n\ta: {}\n", `:2: not valid YAML: found character that cannot start any token`},
		{"an open bracket", "connections: [\n", `: not valid YAML: did not find expected node content`},
		{"Latin-1", "# M\xfcller\n", `: not UTF-8; save it in that encoding`},
		{"UTF-16", "\xff\xfev\x00", `: not UTF-8; save it in that encoding`},
		{"a terminal escape", "connections:\n  \"a\\eb\": {protocol: smtp, host: h}\n", `connection "a\\x1bb": name: holds the control character`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := written(t, "r.yaml", row.content)
			_, err := file.Open(path, file.Options{})
			require.ErrorIs(t, err, hawser.ErrInvalid)
			assert.Contains(t, err.Error(), path+":")
			assert.Contains(t, err.Error(), row.want)
			assert.Equal(t, row.content, content(t, path))
		})
	}
}

func TestAJSONFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, content, want string }{
		{"not JSON", "{\n  \"version\": 1,\n}", `:3:1: not valid JSON from here on`},
		{"two values", "{} {}", `:1:4: not valid JSON from here on`},
		{"an unknown field", "{\"connections\": {\n \"ä\": {\"protocol\": \"smtp\", \"host\": \"h\", \"prot\": 2}}}", `:2:41: connection "ä": prot: unknown field; did you mean "port"?`},
		{"a name given twice", "{\"connections\": {\n \"a\": {\"protocol\": \"smtp\", \"host\": \"h\"},\n \"a\": 1}}", `:3:2: "a" is given twice; first in line 2`},
		{"a null", `{"connections": null}`, `:1:2: connections: want a mapping`},
		{"a fraction", `{"connections": {"a": {"protocol": "smtp", "host": "h", "port": 2.5}}}`, `port: want a port number`},
		{"a list", `[]`, `:1:1: want version, seal and connections`},
		{"depth", strings.Repeat("[", 100_000), `not valid JSON`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := file.Open(written(t, "r.json", row.content), file.Options{})
			require.ErrorIs(t, err, hawser.ErrInvalid)
			assert.ErrorContains(t, err, row.want)
		})
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := file.Open(written(t, "r.yaml", lines(
		"connections:",
		"  a: {protocol: smtp, host: h, tls: {mode: x, min_version: '9'}}",
		"  b: {protocol: ftp, host: h, prot: 1, auth: {password: hunter2}}",
		"  c: {protocol: smtp, host: h, auth: {user: u, password: hunter2}}",
	)), file.Options{})
	require.ErrorIs(t, err, hawser.ErrInvalid)
	for _, want := range []string{`:2:38: connection "a": tls.mode: `, `:2:47: connection "a": tls.min_version: `, `:3:31: connection "b": prot: `, `:4:48: connection "c": auth.password: `} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestHostileFilesAreBounded(t *testing.T) {
	t.Parallel()
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		laughs += fmt.Sprintf("%c: &%[1]c [*%c,*%[2]c,*%[2]c,*%[2]c,*%[2]c,*%[2]c,*%[2]c,*%[2]c]\n", 'b'+i, 'a'+i)
	}
	for name, content := range map[string]string{
		"billion laughs":  laughs,
		"brackets":        strings.Repeat("[", 1<<20),
		"closed brackets": strings.Repeat("[", 1<<16) + strings.Repeat("]", 1<<16),
		"braces":          strings.Repeat("{a: ", 1<<18),
		"dashes":          strings.Repeat("- ", 1<<19),
		"questions":       strings.Repeat("? ", 1<<19),
		"17 MiB":          strings.Repeat("# comment\n", 17<<20/10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, err := file.Open(written(t, "r.yaml", content), file.Options{})
			require.ErrorIs(t, err, hawser.ErrInvalid)
			assert.Less(t, time.Since(begin), prompt)
			assert.Less(t, len(err.Error()), 1<<16)
		})
	}
}

func TestANameWithoutAKnownEndingIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r", "r.toml", "yaml"} {
		_, err := file.Open(newPath(t, name), file.Options{})
		require.ErrorContains(t, err, "end its name in .yaml, .yml or .json")
	}
}

func TestADirectoryInThePlaceOfTheFileIsAnError(t *testing.T) {
	t.Parallel()
	path := newPath(t, "r.yaml")
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err := file.Open(path, file.Options{})
	require.ErrorContains(t, err, "read registry file: ")
}

func FuzzParse(f *testing.F) {
	f.Add(commented, false)
	f.Add(laughsSeed, false)
	f.Add(`{"version":1,"connections":{"a":{"protocol":"smtp","host":"h"}}}`, true)
	f.Add("connections:\n  a: {protocol: smtp, host: h, auth: {user: u, password: hunter2hunter2}}\n", false)
	f.Add("connections:\n  a:\n    auth:\n      password: *hunter2hunter2\n", false)
	f.Add("connections:\n  a:\n    auth:\n      password: !hunter2hunter2 x\n", false)
	f.Add("connections:\n  ? a\n  : {protocol: smtp, host: h}\n", false)
	f.Fuzz(func(t *testing.T, content string, json bool) {
		name := "r.yaml"
		if json {
			name = "r.json"
		}
		file.CheckEdits(t, name, []byte(content))
	})
}

const laughsSeed = "a: &a [x, x]\nb: [*a, *a]\n"
