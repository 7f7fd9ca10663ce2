package hawser_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"plain words stay", []string{"ls", "-l", "/var/log/a_b.c", "x@y:z,1%+"}, "ls -l /var/log/a_b.c x@y:z,1%+"},
		{"nothing is nothing", nil, ""},
		{"an empty word is quotes", []string{"", "a", ""}, "'' a ''"},
		{"spaces are quoted", []string{"a b"}, "'a b'"},
		{"a quote is let out of its quotes", []string{"it's"}, `'it'\''s'`},
		{"an assignment is a word", []string{"A=1"}, "'A=1'"},
		{"a home directory is a word", []string{"~"}, "'~'"},
		{"what is special is quoted", []string{"$(x)", "`x`", "a;b", "*", "!", "#", `\`}, "'$(x)' '`x`' 'a;b' '*' '!' '#' '\\'"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, hawser.Quote(row.args...))
		})
	}
}

func TestQuoteAgainstARealShell(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	args := []string{
		"", "-n", "--", "a b", "it's", "''", `"`, `\`, `\'`, `a\nb`, "line\nline\n", "\t", "\r", "$HOME", "$(id)", "`id`", "${x}",
		"~", "*", "?", "[a]", "{a,b}", "a;b", "a&b", "a|b", "<a", ">b", "#", "!x", "=", "A=1", "(", ")", "grüße", "你好 🚀", "\x1b[2J", "\xff\xfe", "'", "if",
	}
	check := func(t *testing.T, args []string) {
		t.Helper()
		// printf of the shell ends each argument with a byte that none has.
		out, err := exec.Command(shell, "-c", "set -- "+hawser.Quote(args...)+`; for a do printf '%s\001' "$a"; done`).Output()
		require.NoError(t, err)
		var want strings.Builder
		for _, arg := range args {
			want.WriteString(arg + "\x01")
		}
		require.Equal(t, want.String(), string(out))
	}
	t.Run("all words at once", func(t *testing.T) {
		t.Parallel()
		check(t, append([]string{"x"}, args...))
	})
	t.Run("each word behind another", func(t *testing.T) {
		t.Parallel()
		for _, arg := range args {
			check(t, []string{"x", arg})
		}
	})
}

func TestExitError(t *testing.T) {
	t.Parallel()
	require.EqualError(t, &hawser.ExitError{Code: 3}, "exit status 3")
	require.EqualError(t, &hawser.ExitError{Code: -1, Signal: "TERM"}, "ended by signal TERM")
	require.EqualError(t, &hawser.ExitError{Code: -1, Signal: "X\r\n"}, `ended by signal X\r\n`)
}
