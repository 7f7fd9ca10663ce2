package ftp_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// A server may hang up at any command, with 421 (RFC 959, section 5.4).
func TestHangingUpAtAnyCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, x := range exchanges() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			for i, step := range x.steps {
				for _, then := range []bool{false, true} {
					if then && step.Then == "" {
						continue
					}
					y := x
					y.steps = slices.Clone(x.steps[:i+1])
					last := &y.steps[i]
					if last.Close = true; then {
						last.Then = "421 bye"
					} else {
						last.Reply, last.Data, last.Then = "421-good\n421 bye", nil, ""
					}
					r := b.strike(t, y, testserver.FTPFault{}, 0)
					require.Error(t, r.err, step.Want)
					assertTyped(t, step.Want, r.err)
					require.ErrorIs(t, r.err, hawser.ErrLost, step.Want)
					require.NotErrorIs(t, r.err, fs.ErrNotExist, step.Want)
					require.ErrorContains(t, r.err, "bye")
					assertEnded(t, step.Want, r.s)
					r.close()
				}
			}
		})
	}
}

// A server that hung up while nobody spoke is noticed with the next command.
func TestHangingUpInBetween(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]testserver.Step{
		"without a word": {Want: "NOOP", Reply: "200 ok", Close: true},
		"with 421":       {Want: "NOOP", Reply: "200 ok\n421 you were idle", Close: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f := playFreely(t, nil, last)
			require.NoError(t, s.Ping(t.Context()))
			require.NoError(t, f.Close())
			err := s.Mkdir(t.Context(), "dir")
			require.ErrorIs(t, err, hawser.ErrLost)
			assertTyped(t, name, err)
			assertEnded(t, name, s)
		})
	}
}

// What a refusal means is asked by other commands, and told as io/fs has it.
func TestRefusalsAreToldApart(t *testing.T) {
	t.Parallel()
	const no = "550 no"
	step := func(want, reply string) testserver.Step { return testserver.Step{Want: want, Reply: reply} }
	mlst := func(name, kind string) testserver.Step {
		if kind == "" {
			return step("MLST "+name, "550 it is not there")
		}
		return step("MLST "+name, "250-this\n type="+kind+"; "+name+"\n250 end")
	}
	// asks are the questions of a client whose server has no MLST.
	asks := func(name, kind string) testserver.Steps {
		switch kind {
		case "file":
			return testserver.Steps{step("SIZE "+name, "213 5")}
		case "dir":
			return testserver.Steps{step("SIZE "+name, no), step("CWD "+name, "250 in"), step("CWD /home", "250 back")}
		}
		return testserver.Steps{step("SIZE "+name, no), step("CWD "+name, no)}
	}
	type op = func(context.Context, *ftp.Session) error
	opens := op(func(ctx context.Context, s *ftp.Session) error { _, err := s.Open(ctx, "a", 0); return err })
	creates := op(func(ctx context.Context, s *ftp.Session) error { _, err := s.Create(ctx, "a", 0); return err })
	mkdirs := op(func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, "a") })
	mkdirsBelow := op(func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, "p/a") })
	removes := op(func(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, "a") })
	renames := op(func(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, "a", "b") })
	lists := op(func(ctx context.Context, s *ftp.Session) error { _, err := names(ctx, s, "a"); return err })
	touches := op(func(ctx context.Context, s *ftp.Session) error { return s.Chtimes(ctx, "a", time.Unix(0, 0)) })
	epsv := dataStep(hawser.Passive)
	for _, row := range []struct {
		name  string
		op    op
		first testserver.Steps
		kinds []string // of the names that are asked for, "name kind"
		is    error
		text  string
	}{
		{"open of what is missing", opens, testserver.Steps{epsv, step("RETR a", no)}, []string{"a "}, fs.ErrNotExist, ""},
		{"open of a directory", opens, testserver.Steps{epsv, step("RETR a", no)}, []string{"a dir"}, nil, "is a directory"},
		{"open of what may not be read", opens, testserver.Steps{epsv, step("RETR a", no)}, []string{"a file"}, fs.ErrPermission, ""},
		{"create where that is not permitted", creates, testserver.Steps{epsv, step("STOR a", no)}, []string{"a "}, fs.ErrPermission, ""},
		{"create over a directory", creates, testserver.Steps{epsv, step("STOR a", "553 no")}, []string{"a dir"}, nil, "is a directory"},
		{"mkdir of what is there", mkdirs, testserver.Steps{step("MKD a", no)}, []string{"a dir"}, fs.ErrExist, ""},
		{"mkdir of a file", mkdirs, testserver.Steps{step("MKD a", no)}, []string{"a file"}, fs.ErrExist, ""},
		{"mkdir by 521", mkdirs, testserver.Steps{step("MKD a", "521 there is one")}, nil, fs.ErrExist, ""},
		{"mkdir that is not permitted", mkdirs, testserver.Steps{step("MKD a", no)}, []string{"a "}, fs.ErrPermission, ""},
		{"mkdir below what is missing", mkdirsBelow, testserver.Steps{step("MKD p/a", no)}, []string{"p/a ", "p "}, fs.ErrNotExist, ""},
		{"mkdir below a file", mkdirsBelow, testserver.Steps{step("MKD p/a", no)}, []string{"p/a ", "p file"}, nil, "is not a directory"},
		{"remove of what is missing", removes, testserver.Steps{step("DELE a", no)}, []string{"a "}, fs.ErrNotExist, ""},
		{"remove that is not permitted", removes, testserver.Steps{step("DELE a", no)}, []string{"a file"}, fs.ErrPermission, ""},
		{"rename of what is missing", renames, testserver.Steps{step("RNFR a", no)}, []string{"a "}, fs.ErrNotExist, ""},
		{"rename to what is there", renames, testserver.Steps{step("RNFR a", "350 to"), step("RNTO b", "553 no")}, []string{"b file"}, fs.ErrExist, ""},
		{"rename that is not permitted", renames, testserver.Steps{step("RNFR a", "350 to"), step("RNTO b", no)}, []string{"b ", "a file"}, fs.ErrPermission, ""},
		{"chtimes of what is missing", touches, testserver.Steps{step("MFMT 19700101000000 a", no)}, []string{"a "}, fs.ErrNotExist, ""},
		{"a full disk", creates, testserver.Steps{epsv, step("STOR a", "452 full")}, nil, nil, "452 full"},
		{"no account for it", creates, testserver.Steps{epsv, step("STOR a", "532 account")}, nil, nil, "532 account"},
		{"no such command", mkdirs, testserver.Steps{step("MKD a", "502 what")}, nil, errors.ErrUnsupported, ""},
	} {
		for _, with := range []bool{true, false} {
			name := row.name + ", without MLST"
			features := []string{"MFMT"}
			if with {
				name, features = row.name+", with MLST", append(features, "MLST type*;")
			}
			steps := slices.Clone(row.first)
			for _, ask := range row.kinds {
				if what, kind, _ := strings.Cut(ask, " "); with {
					steps = append(steps, mlst(what, kind))
				} else {
					steps = append(steps, asks(what, kind)...)
				}
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				told(t, features, steps, row.op, row.is, row.text)
			})
		}
	}
	for _, row := range []struct {
		name string
		with bool
		mid  testserver.Steps
		is   error
		text string
	}{
		{"list of what is missing, with MLST", true, testserver.Steps{epsv, step("MLSD a", no), mlst("a", "")}, fs.ErrNotExist, ""},
		{"list of a file, with MLST", true, testserver.Steps{epsv, step("MLSD a", "501 no"), mlst("a", "file")}, nil, "is not a directory"},
		{"list that is not permitted, with MLST", true, testserver.Steps{epsv, step("MLSD a", no), mlst("a", "dir")}, fs.ErrPermission, ""},
		{"list of what is missing, without MLST", false, testserver.Steps{step("CWD a", no), step("SIZE a", no), step("CWD a", no)}, fs.ErrNotExist, ""},
		{"list of a file, without MLST", false, testserver.Steps{step("CWD a", no), step("SIZE a", "213 5")}, nil, "is not a directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var features []string
			if row.with {
				features = []string{"MLST type*;"}
			}
			told(t, features, row.mid, lists, row.is, row.text)
		})
	}
}

// told checks what an operation comes to, and that the session is in step.
func told(t *testing.T, features []string, steps testserver.Steps, op func(context.Context, *ftp.Session) error, is error, text string) {
	t.Helper()
	s, _ := play(t, features, append(steps, probeSteps()...)...)
	err := op(t.Context(), s)
	require.Error(t, err)
	assertTyped(t, "error", err)
	if is != nil {
		require.ErrorIs(t, err, is)
	}
	for _, other := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission} {
		if is == nil || !errors.Is(is, other) {
			require.NotErrorIs(t, err, other)
		}
	}
	require.ErrorContains(t, err, text)
	assertInStep(t, "after it", s)
	require.True(t, s.Reusable())
}

// Replies that are not as the RFC has them, and are good enough.
func TestOddReplies(t *testing.T) {
	t.Parallel()
	step := func(want, reply string) testserver.Step { return testserver.Step{Want: want, Reply: reply} }
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, row := range []struct {
		name     string
		features []string
		steps    testserver.Steps
		run      func(context.Context, *ftp.Session) error
	}{
		{"250 to MKD", nil, testserver.Steps{step("MKD a", "250 made")}, func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, "a") }},
		{"200 to DELE", nil, testserver.Steps{step("DELE a", "200 gone")}, func(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, "a") }},
		{"200 to RNTO", nil, testserver.Steps{step("RNFR a", "350 to"), step("RNTO b", "200 done")}, func(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, "a", "b") }},
		{"350 to RNFR in lines", nil, testserver.Steps{step("RNFR a", "350-to\n350 what"), step("RNTO b", "250 done")}, func(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, "a", "b") }},
		{"253 to MDTM", []string{"MDTM"}, testserver.Steps{step("MDTM 20240102030405 a", "253 set")}, func(ctx context.Context, s *ftp.Session) error { return s.Chtimes(ctx, "a", at) }},
		{"features in lower case", []string{"mfmt", "mlst type*;size*;modify*;"}, testserver.Steps{step("MFMT 20240102030405 file", "213 ok"), step("MLST file", "250-x\n Type=FILE;Size=7;Modify=20240102030405; file\n250 end")}, func(ctx context.Context, s *ftp.Session) error {
			return errors.Join(s.Chtimes(ctx, "file", at), runStat(ctx, s, at))
		}},
		{"250 to NOOP", nil, testserver.Steps{step("NOOP", "250 ok")}, func(ctx context.Context, s *ftp.Session) error { return s.Ping(ctx) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := play(t, row.features, append(row.steps, probeSteps()...)...)
			require.NoError(t, row.run(t.Context(), s))
			assertInStep(t, row.name, s)
			require.True(t, s.Reusable())
		})
	}
	t.Run("no features", func(t *testing.T) {
		t.Parallel()
		s, _ := play(t, nil)
		err := s.Chtimes(t.Context(), "a", at)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		_, err = s.Hash(t.Context(), "md5", "a")
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}

// RNFR that is answered like RNTO has renamed nothing.
func TestRenameTakesTwoCommands(t *testing.T) {
	t.Parallel()
	s, f := playFreely(t, nil, testserver.Step{Want: "RNFR a", Reply: "250 done"}, testserver.Step{Want: "RNTO b", Reply: "250 done"})
	err := s.Rename(t.Context(), "a", "b")
	assert.Equal(t, err == nil, slices.Contains(f.Commands(), "RNTO b"), "%v", err)
}

// The login directory, to which LIST comes back, may have quotes in its name.
func TestQuotesInPWD(t *testing.T) {
	t.Parallel()
	for reply, home := range map[string]string{
		`257 "/a ""b"" c" is it`:          `/a "b" c`,
		`257 "/"`:                         `/`,
		`257 """" is a quote`:             `"`,
		"257-look\n257 \"/home\" is it":   `/home`,
		`257 the directory is "/x" now "`: `/x`,
	} {
		t.Run(home, func(t *testing.T) {
			t.Parallel()
			steps := loginSteps()
			steps[len(steps)-1].Reply = reply
			list := listExchange(hawser.Passive)
			list.steps[3].Want = "CWD " + home
			f := testserver.FTPScript{Steps: slices.Concat(steps, list.steps)}.Start(t)
			require.NoError(t, runNames(t.Context(), open(t, scripted(t, f.Addr(), "")), f))
		})
	}
	t.Run("a server that does not say", func(t *testing.T) {
		t.Parallel()
		for _, reply := range []string{"500 what", "257 /home", `257 "/home`, "250 ok"} {
			steps := loginSteps()
			steps[len(steps)-1].Reply = reply
			f := testserver.FTPScript{Steps: append(steps, probeSteps()...)}.Start(lenient{t})
			s := open(t, scripted(t, f.Addr(), ""))
			assertInStep(t, reply, s)
		}
	})
}
