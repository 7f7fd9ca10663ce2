package hawser_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImportRulesCatch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, pkg, imports, want string }{
		{"root that imports internal", "", "internal/wire", "root imports internal/wire; it may import nothing of this module"},
		{"root that imports another module", "", "!golang.org/x/crypto/ssh", "root imports golang.org/x/crypto/ssh; it may import no other module"},
		{"a driver that imports a driver", "ftp", "ssh", "ftp imports ssh; of this module it may import ftp/..., root, internal/... alone"},
		{"ssh that imports sftp", "ssh", "sftp", "ssh imports sftp; of this module it may import ssh/..., root, internal/... alone"},
		{"a driver that imports proxy", "smtp", "proxy", "smtp imports proxy; of this module it may import smtp/..., root, internal/... alone"},
		{"a package below a driver that imports another", "ftp/list", "smtp", "ftp/list imports smtp; of this module it may import ftp/..., root, internal/... alone"},
		{"proxy that imports a driver", "proxy", "ssh", "proxy imports ssh; of this module it may import proxy/..., root, internal/... alone"},
		{"certs that imports a driver", "certs", "ftp", "certs imports ftp; of this module it may import certs/..., root, internal/... alone"},
		{"certs that imports proxy", "certs", "proxy", "certs imports proxy; of this module it may import certs/..., root, internal/... alone"},
		{"transfer that imports internal", "transfer", "internal/wire", "transfer imports internal/wire; of this module it may import root, transfer/... alone"},
		{"transfer that imports another module", "transfer", "!github.com/x/y", "transfer imports github.com/x/y; it may import no other module"},
		{"internal that imports a driver", "internal/wire", "ftp", "internal/wire imports ftp; of this module it may import root, internal/... alone"},
		{"a driver that imports standard", "ssh", "standard", "ssh imports standard; of this module it may import ssh/..., root, internal/... alone"},
		{"a registry that imports a driver", "registry/file", "ssh", "registry/file imports ssh; of this module it may import registry/..., root, internal/... alone"},
		{"a package without a rule", "util", "", "util: no rule says what it may import; add one to importRules, and to DESIGN"},
		{"a name that only begins like a rule", "ftpx", "", "ftpx: no rule says what it may import; add one to importRules, and to DESIGN"},
		{"nothing of sftp that imports ssh", "sftp", "ssh", ""},
		{"nothing of a driver that imports root", "ftp", "", ""},
		{"nothing of a driver that imports another module", "ftp", "!github.com/jlaffaye/ftp", ""},
		{"nothing of standard", "standard", "ftp", ""},
		{"nothing of examples", "examples/jump", "standard", ""},
		{"nothing of internal/bench", "internal/bench", "sftp", ""},
		{"nothing of internal/testserver", "internal/testserver", "ssh", ""},
		{"nothing of the standard library", "", "!net", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := func(name string) string {
				if foreign, ok := strings.CutPrefix(name, "!"); ok {
					return foreign
				}
				return strings.TrimSuffix(module+"/"+name, "/")
			}
			p := listed{ImportPath: path(row.pkg), Imports: []string{path(row.imports)}}
			if row.pkg == "" && row.imports == "" {
				p.Imports = nil
			}
			got := importBreaches(importRules(), []listed{{ImportPath: "net", Standard: true}, p})
			require.Equal(t, row.want, strings.Join(got, "\n"))
		})
	}
}

func TestSourceRulesCatch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, source, want string }{
		{"an init function", "func init() {}", "x.go:2:1: func init; registration is explicit"},
		{"a variable", "var x int", "x.go:2:5: package-level var x; state belongs to a value that its user owns"},
		{"a variable of a group", "var (\n\tErrA = errors.New(``)\n\tcache = map[string]int{}\n)", "x.go:4:2: package-level var cache; state belongs to a value that its user owns"},
		{"an error without a value", "var errX error", "x.go:2:5: package-level var errX; state belongs to a value that its user owns"},
		{"an error by another name", "var broken = errors.New(``)", "x.go:2:5: package-level var broken; state belongs to a value that its user owns"},
		{"one of two variables", "var errA, x = errors.New(``), 1", "x.go:2:5: package-level var errA; state belongs to a value that its user owns"},
		{"a compiled template", "var t = template.Must(nil, nil)", "x.go:2:5: package-level var t; state belongs to a value that its user owns"},
		{"what cannot be parsed", "var", "x.go:2:4: expected 'IDENT', found newline (and 1 more errors)"},
		{"no error", "var ErrX = errors.New(``)", ""},
		{"no error that wraps", "var errX = fmt.Errorf(`%w`, io.EOF)", ""},
		{"no regular expression", "var line = regexp.MustCompile(``)", ""},
		{"no assertion", "var _ io.Reader = (*T)(nil)", ""},
		{"no embedded file", "//go:embed x\nvar x string", ""},
		{"no embedded file of a group", "var (\n\t//go:embed x\n\tx string\n)", ""},
		{"no method called init", "func (t *T) init() {}", ""},
		{"no variable of a function", "func f() { var x int; _ = x }", ""},
		{"no constant", "const x = 1", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := sourceBreaches("x.go", "package x\n"+row.source)
			if strings.HasPrefix(row.name, "what cannot") {
				require.Len(t, got, 1)
				return
			}
			require.Equal(t, row.want, strings.Join(got, "\n"))
		})
	}
}
