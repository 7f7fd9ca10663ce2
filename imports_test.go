package hawser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/hawser/hawser"

// An importRule says what a package of this module may import of it. Packages
// are named below the module: "root" is its root, "ftp/..." is ftp and all
// below it, "..." is everything.
type importRule struct {
	pkg     string
	may     []string
	stdOnly bool // and of other modules nothing
}

// importRules is DESIGN, section 1. The first rule that fits a package counts.
func importRules() []importRule {
	shared := []string{"root", "internal/..."}
	everything := []string{"..."}
	return []importRule{
		{pkg: "root", may: nil, stdOnly: true},
		// drivers never import each other, but sftp is a client of ssh
		{pkg: "ftp/...", may: append([]string{"ftp/..."}, shared...)},
		{pkg: "ssh/...", may: append([]string{"ssh/..."}, shared...)},
		{pkg: "sftp/...", may: append([]string{"sftp/...", "ssh/..."}, shared...)},
		{pkg: "smtp/...", may: append([]string{"smtp/..."}, shared...)},
		// transports and verifiers know no driver
		{pkg: "proxy/...", may: append([]string{"proxy/..."}, shared...)},
		{pkg: "certs/...", may: append([]string{"certs/..."}, shared...)},
		{pkg: "registry/...", may: append([]string{"registry/..."}, shared...)},
		{pkg: "transfer/...", may: []string{"root", "transfer/..."}, stdOnly: true},
		{pkg: "hawsertest/...", may: append([]string{"hawsertest/..."}, shared...)},
		// where everything meets
		{pkg: "standard/...", may: everything},
		{pkg: "examples/...", may: everything},
		{pkg: "internal/bench/...", may: everything},
		{pkg: "internal/livetest/...", may: everything},
		{pkg: "internal/testserver/...", may: everything},
		{pkg: "internal/...", may: shared},
	}
}

// A listed is what go list says of a package.
type listed struct {
	ImportPath, Dir   string
	Standard          bool
	Imports           []string
	GoFiles, CgoFiles []string
	IgnoredGoFiles    []string // those of other systems
}

// relative is the package's name below the module, "" if it is not of it.
func relative(importPath string) string {
	if importPath == module {
		return "root"
	}
	if below, ok := strings.CutPrefix(importPath, module+"/"); ok {
		return below
	}
	return ""
}

func fits(pattern, pkg string) bool {
	prefix, tree := strings.CutSuffix(pattern, "...")
	if !tree || prefix == "" {
		return tree || pattern == pkg
	}
	return strings.HasPrefix(pkg+"/", prefix)
}

// importBreaches says of each import that breaks a rule which, and what is
// allowed.
func importBreaches(rules []importRule, packages []listed) []string {
	standard := map[string]bool{"C": true, "unsafe": true}
	for _, p := range packages {
		standard[p.ImportPath] = standard[p.ImportPath] || p.Standard
	}
	var breaches []string
	for _, p := range packages {
		pkg := relative(p.ImportPath)
		if pkg == "" || p.Standard {
			continue
		}
		i := slices.IndexFunc(rules, func(r importRule) bool { return fits(r.pkg, pkg) })
		if i < 0 {
			breaches = append(breaches, pkg+": no rule says what it may import; add one to importRules, and to DESIGN")
			continue
		}
		for _, path := range p.Imports {
			if problem := rules[i].problem(path, standard[path]); problem != "" {
				breaches = append(breaches, pkg+" "+problem)
			}
		}
	}
	return breaches
}

func (r importRule) problem(path string, standard bool) string {
	imported := relative(path)
	switch {
	case standard:
		return ""
	case imported == "" && r.stdOnly:
		return "imports " + path + "; it may import no other module"
	case imported == "" || slices.ContainsFunc(r.may, func(may string) bool { return fits(may, imported) }):
		return ""
	case len(r.may) == 0:
		return "imports " + imported + "; it may import nothing of this module"
	}
	return "imports " + imported + "; of this module it may import " + strings.Join(r.may, ", ") + " alone"
}

// sourceBreaches finds init functions and package-level variables that may
// change: other than errors, compiled regular expressions, embedded files and
// assertions that a type implements an interface.
func sourceBreaches(name string, source any) []string {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		return []string{err.Error()}
	}
	var breaches []string
	add := func(at token.Pos, format string, args ...any) {
		breaches = append(breaches, fmt.Sprintf("%s: ", files.Position(at))+fmt.Sprintf(format, args...))
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil && decl.Name.Name == "init" {
				add(decl.Pos(), "func init; registration is explicit")
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				v, ok := spec.(*ast.ValueSpec)
				if ok && decl.Tok == token.VAR && !isConstant(v) && !embeds(decl.Doc) && !embeds(v.Doc) {
					add(v.Pos(), "package-level var %s; state belongs to a value that its user owns", v.Names[0])
				}
			}
		}
	}
	return breaches
}

// isConstant reports whether v is what Go has no const for.
func isConstant(v *ast.ValueSpec) bool {
	blank := func(name *ast.Ident) bool { return name.Name == "_" }
	if !slices.ContainsFunc(v.Names, func(name *ast.Ident) bool { return !blank(name) }) {
		return true
	}
	if len(v.Values) != len(v.Names) {
		return false
	}
	for i, value := range v.Values {
		called := callee(value)
		isError := (called == "errors.New" || called == "fmt.Errorf") && strings.HasPrefix(strings.ToLower(v.Names[i].Name), "err")
		if !isError && called != "regexp.MustCompile" && !blank(v.Names[i]) {
			return false
		}
	}
	return true
}

// callee is "errors.New" for a call of it.
func callee(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return ""
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	return fmt.Sprint(selector.X) + "." + selector.Sel.Name
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

func TestImports(t *testing.T) {
	t.Parallel()
	packages := list(t)
	t.Run("keep to DESIGN, section 1", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, strings.Join(importBreaches(importRules(), packages), "\n"))
	})
	t.Run("of the root package are of the standard library alone", func(t *testing.T) {
		t.Parallel()
		out, err := exec.Command("go", "list", "-e", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
		require.NoError(t, err)
		require.Equal(t, module, strings.TrimSpace(string(out)))
	})
}

func TestNoInitAndNoPackageState(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if relative(p.ImportPath) == "" || strings.HasSuffix(name, "_test.go") {
				continue
			}
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			require.NoError(t, err)
			for _, breach := range sourceBreaches(relative(p.ImportPath)+"/"+name, source) {
				t.Error(breach)
			}
		}
	}
}

// list returns the packages of this module with all that they import, and those of
// the modules inside it.
func list(t *testing.T) []listed {
	t.Helper()
	packages := goList(t, ".", "-deps")
	require.True(t, slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == module }))
	for _, inner := range []string{"registry/etcd", "registry/postgres"} {
		found := goList(t, inner) // their dependencies need not be there
		require.True(t, slices.ContainsFunc(found, func(p listed) bool { return p.ImportPath == module+"/"+inner }))
		packages = append(packages, found...)
	}
	return packages
}

// goList asks go list, which is there where go test is.
func goList(t *testing.T, dir string, flags ...string) []listed {
	t.Helper()
	args := append([]string{"list", "-e", "-json=ImportPath,Dir,Standard,Imports,GoFiles,CgoFiles,IgnoredGoFiles"}, flags...)
	cmd := exec.Command("go", append(args, "./...")...)
	cmd.Dir = dir
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p listed
		require.NoError(t, d.Decode(&p))
		packages = append(packages, p)
	}
	return packages
}
