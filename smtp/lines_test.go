package smtp

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// read gives text to lines in pieces of n bytes and returns what is to be sent,
// with how often the buffer was full.
func read(t testing.TB, text string, n int) (got string, spills int) {
	t.Helper()
	var all bytes.Buffer
	l := &lines{ctx: context.Background()}
	l.spill = func() error {
		spills++
		all.Write(l.buf)
		l.buf = l.buf[:0]
		return nil
	}
	for rest := []byte(text); len(rest) > 0; {
		piece := rest[:min(n, len(rest))]
		rest = rest[len(piece):]
		wrote, err := l.Write(piece)
		require.NoError(t, err)
		require.Equal(t, len(piece), wrote)
	}
	l.finish()
	all.Write(l.buf)
	require.EqualValues(t, all.Len(), l.total)
	return all.String(), spills
}

func TestLines(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"a line", "a\r\n", "a\r\n"},
		{"a line that ends with LF", "a\n", "a\r\n"},
		{"a line that ends with CR", "a\r", "a\r\n"},
		{"a line without an end", "a", "a\r\n"},
		{"a CR within", "a\rb\r\n", "a\r\nb\r\n"},
		{"two CR and an LF", "a\r\r\nb", "a\r\n\r\nb\r\n"},
		{"an LF and a CR", "a\n\rb", "a\r\n\r\nb\r\n"},
		{"empty lines", "\n\r\n\r", "\r\n\r\n\r\n"},
		{"dots", ".\r\n..\r\n.a", ".\r\n..\r\n.a\r\n"},
		{"a smuggled end", "a\n.\r\nMAIL FROM:<x>\r\n", "a\r\n.\r\nMAIL FROM:<x>\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= len(row.text)+1; n++ {
				got, _ := read(t, row.text, n)
				require.Equal(t, row.want, got, "in pieces of %d", n)
			}
		})
	}
	t.Run("more than the buffer holds", func(t *testing.T) {
		t.Parallel()
		for _, line := range []int{1, 78, 5000, 1 << 20} {
			text := strings.Repeat(strings.Repeat("x", line-1)+"\n", 1<<20/line)
			for _, n := range []int{1 << 12, bufferSize, bufferSize + 1, 1 << 21} {
				got, spills := read(t, text, n)
				require.True(t, strings.ReplaceAll(text, "\n", "\r\n") == got)
				require.Greater(t, spills, 2)
			}
		}
	})
	t.Run("what has failed goes on failing", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		l := &lines{ctx: ctx}
		_, err := l.Write([]byte("a"))
		require.NoError(t, err)
		cancel()
		for range 2 {
			n, err := l.Write([]byte("b"))
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, n)
		}
		require.Equal(t, "a", string(l.buf))
	})
}

func TestStuffing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{"a\r\n", "a\r\n"},
		{".\r\n", "..\r\n"},
		{"..\r\n", "...\r\n"},
		{"a.\r\n.b\r\n.\r\n", "a.\r\n..b\r\n..\r\n"},
		{".\r\n.\r\n.\r\n", "..\r\n..\r\n..\r\n"},
	} {
		assert.Equal(t, row.want, string(appendStuffed(nil, []byte(row.text), true)))
	}
	assert.Equal(t, ".a\r\n..b", string(appendStuffed(nil, []byte(".a\r\n.b"), false)), "within a line a dot is a dot")
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\n.b\n\r"), uint8(1))
	f.Add([]byte("\n.\r\n\r\r\n."), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, n uint8) {
		got, _ := read(t, string(text), int(n)+1)
		if rest := strings.ReplaceAll(got, "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
			t.Errorf("%q became %q, in which a CR or LF stands alone", text, got)
		}
		if got != "" && !strings.HasSuffix(got, "\r\n") {
			t.Errorf("%q became %q, whose last line has no end", text, got)
		}
		without := func(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }
		if without(got) != without(string(text)) {
			t.Errorf("%q became %q", text, got)
		}
		stuffed := string(appendStuffed(nil, []byte(got), true))
		if strings.HasPrefix(stuffed, ".\r\n") || strings.Contains(stuffed, "\r\n.\r\n") {
			t.Errorf("%q is stuffed to %q, which ends early", text, stuffed)
		}
		if back := strings.ReplaceAll("\r\n"+stuffed, "\r\n.", "\r\n"); back != "\r\n"+got {
			t.Errorf("%q is unstuffed to %q", got, back)
		}
	})
}
