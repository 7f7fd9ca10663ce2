package listing_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/listing"
)

func TestEntryIsAFileInfo(t *testing.T) {
	t.Parallel()
	entries, err := listing.ParseList(reader(unixLine+"a", unixLine+"b"), listing.Options{Now: now()})
	require.NoError(t, err)
	var info fs.FileInfo = entries[0]
	assert.Equal(t, "a", info.Name())
	assert.Equal(t, int64(531), info.Size())
	assert.Equal(t, fs.FileMode(0o644), info.Mode())
	assert.False(t, info.IsDir())
	first, second := info.Sys().(*hawser.FileAttributes), entries[1].Sys().(*hawser.FileAttributes)
	assert.Equal(t, &hawser.FileAttributes{Owner: "root", Group: "root"}, first)
	first.Owner = "changed"
	assert.Equal(t, "root", second.Owner, "attributes are not shared")
	assert.NotNil(t, one(t, dosLine+"a", listing.Options{}).Sys().(*hawser.FileAttributes))
}

// What system may do has no bits, and must not reach others.
func TestModeOfVMS(t *testing.T) {
	t.Parallel()
	for protection, want := range map[string]fs.FileMode{
		"(RWED,,,)": 0, "(,RWED,,)": 0o700, "(,,RWED,)": 0o070, "(,,,RWED)": 0o007, "(R,W,E,D)": 0o210, "(RW,R)": 0o400, "()": 0,
	} {
		assert.Equal(t, want, one(t, "A.TXT;1  1/3  2-JAN-2026 "+protection, listing.Options{}).Mode(), protection)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	latin1 := func(name string) (string, error) {
		if strings.Contains(name, "?") {
			return "", errors.New("a character without a code")
		}
		runes := make([]rune, 0, len(name))
		for i := range len(name) {
			runes = append(runes, rune(name[i]))
		}
		return string(runes), nil
	}
	o := listing.Options{Decode: latin1}
	for name, line := range map[string]string{
		"ls":    unixLine + "gr\xfc\xdfe",
		"DOS":   dosLine + "gr\xfc\xdfe",
		"MLSD":  "type=file; gr\xfc\xdfe",
		"EPLF":  "+r,\tgr\xfc\xdfe",
		"VMS":   "gr\xfc\xdfe;1  1  2-JAN-2026",
		"IBM i": "ANNA  7 01/29/26 03:26:00 *STMF      gr\xfc\xdfe",
	} {
		e := one(t, line, o)
		assert.Equal(t, "grüße", e.Name(), name)
		assert.Equal(t, line, e.Raw, name)
	}
	link := one(t, "lrwxrwxrwx 1 root root 2 Jan 29 03:26 \xfc -> \xfc\xdf", o)
	assert.Equal(t, []string{"ü", "üß"}, []string{link.Name(), link.Target})
	link = one(t, "type=OS.unix=slink:\xfc; \xdf", o)
	assert.Equal(t, []string{"ß", "ü"}, []string{link.Name(), link.Target})

	e, err := listing.ParseMLST(" type=OS.unix=slink:\xdf; /\xfc/\xfc", o)
	require.NoError(t, err)
	assert.Equal(t, []string{"ü", "ß"}, []string{e.Name(), e.Target})

	for _, line := range []string{unixLine + "what?", "lrwxrwxrwx 1 root root 5 Jan 29 03:26 a -> what?"} {
		_, err := listing.ParseList(reader(line), o)
		assert.ErrorContains(t, err, "a character without a code")
		assert.Equal(t, line, lineError(t, err).Text)
	}
	_, err = listing.ParseMLST(" type=file; what?", o)
	assert.ErrorContains(t, err, "a character without a code")

	for _, out := range []string{"..", ".", "", "/", "a/b", "a\x00"} { // of a decoder that makes them
		_, err := listing.ParseList(reader(unixLine+"a"), listing.Options{Decode: func(string) (string, error) { return out, nil }})
		assert.Error(t, err, "%q", out)
	}
}

// TestEveryLineCounts takes each line out of each listing: the entry of that
// line is gone, and nothing else has changed.
func TestEveryLineCounts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		switch kind, _, _ := strings.Cut(name, "-"); {
		case kind == "vms", kind == "ibmi", name == "dos-day-first", name == "unix-dates":
			continue // where a line says something about another
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			all, err := parse(name, reader(string(content)), listing.Options{Now: now()})
			require.NoError(t, err)
			for i := range all {
				fewer, err := parse(name, strings.NewReader(strings.Replace(string(content), all[i].Raw, "", 1)), listing.Options{Now: now()})
				require.NoError(t, err)
				assert.Equal(t, append(append([]listing.Entry{}, all[:i]...), all[i+1:]...), append([]listing.Entry{}, fewer...), all[i].Raw)
			}
		})
	}
}

// TestRealLs lists a directory by the ls of this machine.
func TestRealLs(t *testing.T) {
	t.Parallel()
	ls, err := exec.LookPath("ls")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("this machine has no ls")
	}
	dir := t.TempDir()
	write := func(name string, size int, mode fs.FileMode, at time.Time) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, make([]byte, size), mode))
		require.NoError(t, os.Chmod(path, mode))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	today := time.Now().Truncate(time.Second)
	write("today", 5, 0o640, today)
	write("  spaces all around  ", 0, 0o600, today.AddDate(0, -2, 0))
	write("of another year", 70000, 0o755|fs.ModeSetuid, time.Date(2001, 2, 3, 4, 5, 6, 0, time.Local))
	write("Jan 29 03:26 a -> b", 1, 0, today.AddDate(0, 0, -3))
	write("grüße", 1, 0o444, today.AddDate(-3, 0, 0))
	if runtime.GOOS == "linux" { // others want UTF-8
		write("gr\xfc\xdfe", 1, 0o444, today.AddDate(-3, 0, 0))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a directory"), 0o700))
	require.NoError(t, os.Symlink("a -> target", filepath.Join(dir, "link -> with an arrow")))

	for _, flags := range []string{"-l", "-la", "-lis", "-lan", "-lp"} {
		t.Run("ls "+flags, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(ls, flags, dir)
			cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
			out, err := cmd.Output()
			require.NoError(t, err)
			entries, err := listing.ParseList(strings.NewReader(string(out)), listing.Options{})
			require.NoError(t, err, string(out))
			files, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, len(files), string(out))
			for _, e := range entries {
				info, err := os.Lstat(filepath.Join(dir, e.Name()))
				require.NoError(t, err, string(out))
				assert.Equal(t, info.Mode(), e.Mode(), e.Name())
				assert.True(t, info.ModTime().UTC().Truncate(e.Resolution).Equal(e.ModTime()), "%s: %v, want %v", e.Name(), e.ModTime(), info.ModTime())
				if !e.IsDir() {
					assert.Equal(t, info.Size(), e.Size(), e.Name())
				}
				if e.Mode()&fs.ModeSymlink != 0 {
					assert.Equal(t, "a -> target", e.Target)
				}
			}
		})
	}
}
