package ftp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// A lie is what a server says in place of a reply.
type lie struct {
	name  string
	reply string
	last  bool // what it says is the last reply, but another will come
	done  bool // it says that something was done
}

// lies are those about one reply: each digit of its code is another one, at its
// beginning or at its end, it is not said, or it is said twice.
func lies(reply string) []lie {
	all := []lie{{name: "silence"}, {name: "said twice", reply: reply + "\n" + reply}}
	lines := strings.Split(reply, "\n")
	for _, at := range slices.Compact([]int{0, len(lines) - 1}) {
		for digit, others := range []string{"0123456", "012345", "012345"} {
			for _, other := range others {
				code := []byte(lines[at])
				if code[digit] == byte(other) {
					continue
				}
				code[digit] = byte(other)
				changed := slices.Clone(lines)
				changed[at] = string(code)
				all = append(all, lie{
					name:  fmt.Sprintf("%s for %s in line %d", code[:3], lines[at][:3], at+1),
					reply: strings.Join(changed, "\n"),
					last:  lines[at][0] == '1' && digit == 0,
					done:  lines[at][0] != '2' && code[0] == '2',
				})
			}
		}
	}
	return all
}

// A liar is a server that tells one lie about one reply.
type liar struct {
	mu    sync.Mutex // guards all below
	heard []string   // replies since listen, or before the lie
	lie   *lie
	at    int // index of the reply that the lie is about
}

func (l *liar) reply(_, reply string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, reply)
	if l.lie != nil && len(l.heard) == l.at+1 {
		return l.lie.reply
	}
	return reply
}

// begin forgets what was heard; nil tells no lie.
func (l *liar) begin(lie *lie, at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard, l.lie, l.at = nil, lie, at
}

func (l *liar) replies() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.heard)
}

// A task is an operation whose success can be seen in the server's directory.
type task struct {
	name string
	mode hawser.DataMode
	old  bool // the server knows nothing later than RFC 959
	run  func(ctx context.Context, s *ftp.Session) error
	done func(dir string) bool // what success is; nil: run compares
}

const probeText = "of the probe alone"

func tasks() []task {
	holds := func(name, want string) func(string) bool {
		return func(dir string) bool {
			got, err := os.ReadFile(filepath.Join(dir, name))
			return err == nil && string(got) == want
		}
	}
	gone := func(name string) func(string) bool {
		return func(dir string) bool { _, err := os.Stat(filepath.Join(dir, name)); return os.IsNotExist(err) }
	}
	var all []task
	for _, mode := range []hawser.DataMode{hawser.Passive, hawser.Active} {
		for _, old := range []bool{false, true} {
			all = append(all,
				task{"upload", mode, old, func(ctx context.Context, s *ftp.Session) error { return store(ctx, s, "new", scriptContent) }, holds("new", scriptContent)},
				task{"download", mode, old, func(ctx context.Context, s *ftp.Session) error {
					got, err := fetch(ctx, s, "file")
					if err == nil && got != scriptContent {
						return wrong(got)
					}
					return err
				}, nil},
				task{"list", mode, old, func(ctx context.Context, s *ftp.Session) error {
					got, err := names(ctx, s, "dir")
					if slices.Sort(got); err == nil && !slices.Equal(got, []string{"one", "two"}) {
						return wrong(got)
					}
					return err
				}, nil})
		}
	}
	for _, old := range []bool{false, true} {
		all = append(all,
			task{"stat", "", old, func(ctx context.Context, s *ftp.Session) error {
				info, err := s.Stat(ctx, "file")
				if err == nil && (info.Size() != int64(len(scriptContent)) || info.IsDir()) {
					return wrong(info.Size())
				}
				return err
			}, nil},
			task{"mkdir", "", old, func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, "made") }, func(dir string) bool {
				info, err := os.Stat(filepath.Join(dir, "made"))
				return err == nil && info.IsDir()
			}},
			task{"rename", "", old, func(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, "file", "moved") }, holds("moved", scriptContent)},
			task{"remove", "", old, func(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, "file") }, gone("file")},
			task{"remove of a directory", "", old, func(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, "empty") }, gone("empty")},
			task{"open of what is missing", "", old, func(ctx context.Context, s *ftp.Session) error { _, err := fetch(ctx, s, "missing"); return err }, func(string) bool { return false }},
			task{"ping", "", old, func(ctx context.Context, s *ftp.Session) error { return s.Ping(ctx) }, func(string) bool { return true }})
	}
	return all
}

// fill makes the directory what tasks want.
func fill(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	for _, sub := range []string{"dir", "empty"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	for name, text := range map[string]string{"file": scriptContent, "probe": probeText, "dir/one": "1", "dir/two": "2"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
}

// Whatever code a reply has in place of its own: success is never told of what
// did not happen, and no later answer is taken for another.
func TestLiesAboutEveryReply(t *testing.T) {
	t.Parallel()
	var count tally
	count.log(t)
	for _, k := range tasks() {
		name := strings.TrimSpace(fmt.Sprintf("%s %s", k.name, k.mode))
		if k.old {
			name += " of an old server"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &liar{}
			cfg := testserver.FTPConfig{Reply: l.reply}
			if k.old {
				cfg.Unknown = []string{"FEAT", "MLST", "MLSD", "EPSV", "EPRT"}
			}
			f, err := testserver.StartFTP(cfg)
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close() })
			replies, _ := k.suffer(t, f, l, nil, 0)
			for at, reply := range replies {
				for _, told := range lies(reply) {
					told.name = fmt.Sprintf("%s: reply %d: %s", name, at+1, told.name)
					_, took := k.suffer(t, f, l, &told, at)
					count.add("lies in "+name, took)
				}
			}
		})
	}
}

// suffer runs k with one lie and checks what came of it. It returns the replies,
// and how long it took.
func (k task) suffer(t *testing.T, f *testserver.FTP, l *liar, told *lie, at int) ([]string, time.Duration) {
	t.Helper()
	fill(t, f.Root())
	l.begin(nil, 0)
	c := scripted(t, f.Addr(), "")
	c.FTP.Mode, c.Timeout = k.mode, 20*time.Second
	s, err := ftp.Dialer{}.Open(t.Context(), c)
	require.NoError(t, err)
	defer s.Close()
	l.begin(told, at)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	if told != nil {
		ctx, cancel = context.WithTimeout(t.Context(), 60*time.Millisecond) // some make both sides wait
	}
	defer cancel()
	start := time.Now()
	err = k.run(ctx, s)
	took := time.Since(start)
	where := "no lie"
	if told != nil {
		where = told.name
	} else if k.name != "open of what is missing" {
		require.NoError(t, err)
	}
	heard := l.replies()
	assert.Less(t, took, soon, where)
	assert.NotErrorIs(t, err, errWrong, where)
	if err != nil && !errors.Is(err, errWrong) {
		assertTyped(t, where, err)
	}
	if err == nil && k.done != nil && (told == nil || !told.done) { // that cannot be known
		assert.True(t, k.done(f.Root()), "%s: success of what did not happen", where)
	}
	l.begin(nil, 0)
	if told == nil || !told.last { // that cannot be known either, but by asking after each refusal
		assertHonest(t, where, s, err, heard)
	}
	return heard, took
}

// assertHonest checks that s is lost, or answers as it should.
func assertHonest(t *testing.T, where string, s *ftp.Session, cause error, heard []string) {
	t.Helper()
	if !s.Reusable() {
		assertEnded(t, where, s)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := s.Ping(ctx)
	if err == nil {
		info, statErr := s.Stat(ctx, "/probe") // not relative: a lie about CWD may have moved it
		if err = statErr; err == nil && info.Size() != int64(len(probeText)) {
			err = wrong(info.Size())
		}
	}
	if err == nil {
		got, fetchErr := fetch(ctx, s, "/probe")
		if err = fetchErr; err == nil && got != probeText {
			err = wrong(got)
		}
	}
	if err != nil && !errors.Is(err, hawser.ErrLost) && ctx.Err() == nil {
		t.Errorf("%s: out of step: %v\n\tafter %v\n\theard %q", where, err, cause, heard)
	}
}
