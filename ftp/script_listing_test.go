package ftp_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// long is a line of LIST.
func long(name string) string { return "-rw-r--r-- 1 u g 1 Jan 02 2024 " + name + "\r\n" }

// listed is a step that lists over EPSV.
func listed(command, text string) testserver.Steps {
	return testserver.Steps{
		dataStep(hawser.Passive),
		{Want: command, Reply: "150 here", Data: &testserver.Transfer{Send: text}, Then: "226 done"},
	}
}

// TLS that ends without a word in the middle of a line was cut, by whomever.
func TestListingThatIsCutIsRefused(t *testing.T) {
	t.Parallel()
	const facts = "type=file;size=1; one\r\ntype=file;size=1; "
	mlsd := func(how testserver.Transfer) testserver.Steps {
		return testserver.Steps{dataStep(hawser.Passive), {Want: "MLSD dir", Reply: "150 here", Data: &how, Then: "226 done"}}
	}
	list := func(how testserver.Transfer) testserver.Steps {
		return testserver.Steps{
			{Want: "CWD dir", Reply: "250 in"},
			dataStep(hawser.Passive),
			{Want: "LIST -a", Reply: "150 here", Data: &how, Then: "226 done"},
			{Want: "CWD /home", Reply: "250 back"},
		}
	}
	for _, row := range []struct {
		name  string
		steps testserver.Steps
		want  []string // nil: refused
	}{
		{"MLSD in a line", mlsd(testserver.Transfer{Send: facts + "tw", NoNotify: true}), nil},
		{"LIST in a line", list(testserver.Transfer{Send: long(".") + long("one") + "-rw-r--r-- 1 u g 1 Jan 02 2024 tw", NoNotify: true}), nil},
		{"MLSD behind a line", mlsd(testserver.Transfer{Send: facts + "two\r\n", NoNotify: true}), []string{"one", "two"}},
		{"LIST behind a line", list(testserver.Transfer{Send: long(".") + long("one"), NoNotify: true}), []string{"one"}},
		{"MLSD in a line, but the server says that it was all", mlsd(testserver.Transfer{Send: facts + "two"}), []string{"one", "two"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			x := exchange{name: row.name, mode: hawser.Passive, tls: hawser.TLSExplicit, steps: row.steps}
			if strings.HasPrefix(row.name, "MLSD") {
				x.features = []string{"MLST type*;size*;"}
			}
			var got []string
			x.run = func(ctx context.Context, s *ftp.Session, _ *testserver.ScriptedFTP) (err error) {
				got, err = names(ctx, s, "dir")
				return err
			}
			r := newBench(t).strictly(t, x)
			defer r.close()
			if row.want == nil {
				require.ErrorIs(t, r.err, io.ErrUnexpectedEOF)
				assertTyped(t, row.name, r.err)
			} else {
				require.NoError(t, r.err)
			}
			assert.Equal(t, row.want, got)
			assertInStep(t, row.name, r.s)
			require.True(t, r.s.Reusable())
		})
	}
	t.Run("in a record of TLS", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		x := mlsdExchange(hawser.Passive)
		x.tls = hawser.TLSExplicit
		x.steps = mlsd(testserver.Transfer{Send: strings.Repeat("type=file;size=1; one\r\n", 20)})
		whole := b.strike(t, x, testserver.FTPFault{}, 0)
		whole.close()
		// Within the one record of the content: what ends TLS behind it is shorter.
		at := whole.f.Passed(testserver.FTPDownloadWire) - 200
		r := b.strike(t, x, testserver.FTPFault{Fault: testserver.Cut, On: testserver.FTPDownloadWire, After: at}, 0)
		defer r.close()
		require.ErrorIs(t, r.err, io.ErrUnexpectedEOF, "it is not empty")
	})
}

// Servers that take -a for a name list nothing by it, or a file of that name, or
// refuse. Where it is an option, there is the directory itself.
func TestDashAMayBeAName(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]testserver.Steps{
		"of nothing":                         listed("LIST -a", ""),
		"of a file that is there":            listed("LIST -a", long("-a")),
		"of a directory":                     listed("LIST -a", "total 2\r\n"+long("wrong")+long(".profile")),
		"of what ends in a dot":              listed("LIST -a", long("wrong.")),
		"of what has a dot in front of it":   listed("LIST -a", long("wrong . ")),
		"that cannot be found":               {dataStep(hawser.Passive), {Want: "LIST -a", Reply: "550 -a: no such file"}},
		"that cannot be found, said so late": {dataStep(hawser.Passive), {Want: "LIST -a", Reply: "150 here", Data: &testserver.Transfer{}, Then: "450 -a: no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := listed("LIST", long("one")+long(".two"))
			s, _ := play(t, nil, slices.Concat(first, plain, plain, probeSteps())...)
			for range 2 { // what it has learned, it knows
				got, err := names(t.Context(), s, ".")
				require.NoError(t, err)
				assert.Equal(t, []string{"one", ".two"}, got)
			}
			assertInStep(t, name, s)
			require.True(t, s.Reusable())
		})
	}
	t.Run("or an option", func(t *testing.T) {
		t.Parallel()
		all := listed("LIST -a", long("one")+long(".")+long(".."))
		s, _ := play(t, nil, slices.Concat(all, all, probeSteps())...)
		for range 2 {
			got, err := names(t.Context(), s, ".")
			require.NoError(t, err)
			assert.Equal(t, []string{"one"}, got)
		}
		assertInStep(t, "option", s)
	})
}

// VMS and z/OS let nobody enter ".".
func TestListOfTheLoginDirectoryStaysThere(t *testing.T) {
	t.Parallel()
	s, f := play(t, nil, append(listed("LIST -a", long(".")+long("one")), probeSteps()...)...)
	got, err := names(t.Context(), s, ".")
	require.NoError(t, err)
	assert.Equal(t, []string{"one"}, got)
	assertInStep(t, "list", s)
	assert.NotContains(t, strings.Join(f.Commands(), "\n"), "CWD")
}

// From a directory that cannot be left, names would lead elsewhere.
func TestNoWayBackEndsTheSession(t *testing.T) {
	t.Parallel()
	enter := testserver.Step{Want: "CWD a", Reply: "250 in"}
	for _, reply := range []string{"550 no", "450 not now", "202 what", "500 what"} {
		back := testserver.Step{Want: "CWD /home", Reply: reply}
		noSize := testserver.Step{Want: "SIZE a", Reply: "550 no"}
		for name, row := range map[string]struct {
			op    operation
			steps testserver.Steps
		}{
			"list":              {lists, slices.Concat(testserver.Steps{enter}, listed("LIST -a", long(".")+long("one")), testserver.Steps{back})},
			"list that fails":   {lists, testserver.Steps{enter, dataStep(hawser.Passive), {Want: "LIST -a", Reply: "550 no"}, dataStep(hawser.Passive), {Want: "LIST", Reply: "550 no"}, back}},
			"stat":              {stats, testserver.Steps{noSize, enter, back}},
			"remove by a guess": {removes, testserver.Steps{{Want: "DELE a", Reply: "550 no"}, noSize, enter, back}},
		} {
			t.Run(name+", "+reply, func(t *testing.T) {
				t.Parallel()
				s, _ := play(t, nil, row.steps...)
				err := row.op(t.Context(), s)
				require.Error(t, err)
				assertTyped(t, name, err)
				assertEnded(t, name, s)
			})
		}
	}
	t.Run("list whose context ends before the way back", func(t *testing.T) {
		t.Parallel()
		steps := slices.Concat(testserver.Steps{enter}, listed("LIST -a", long(".")+long("one")), testserver.Steps{{Want: "CWD /home", Reply: "250 back"}})
		s, _ := playFreely(t, nil, steps...)
		late := &lateContext{Context: t.Context()}
		ctx := hawser.WithTrace(late, &hawser.Trace{Received: func(m hawser.Message) {
			if m.Text == "226 done" {
				late.over.Store(true)
			}
		}})
		_, err := names(ctx, s, "a")
		require.ErrorIs(t, err, context.Canceled)
		assertEnded(t, "context", s)
	})
}

// A lateContext has ended, but who waits for its end has not heard of it yet.
type lateContext struct {
	context.Context
	over atomic.Bool
}

func (c *lateContext) Err() error {
	if c.over.Load() {
		return context.Canceled
	}
	return c.Context.Err()
}
