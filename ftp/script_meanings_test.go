package ftp_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// An operation on the file called a, for tables.
type operation func(context.Context, *ftp.Session) error

func opens(ctx context.Context, s *ftp.Session) error { _, err := s.Open(ctx, "a", 0); return err }
func stats(ctx context.Context, s *ftp.Session) error { _, err := s.Stat(ctx, "a"); return err }
func lists(ctx context.Context, s *ftp.Session) error { _, err := names(ctx, s, "a"); return err }

func creates(ctx context.Context, s *ftp.Session) error {
	_, err := s.Create(ctx, "a", 0)
	return err
}
func mkdirs(ctx context.Context, s *ftp.Session) error  { return s.Mkdir(ctx, "a") }
func removes(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, "a") }
func renames(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, "a", "b") }
func touches(ctx context.Context, s *ftp.Session) error {
	return s.Chtimes(ctx, "a", time.Unix(0, 0))
}
func chmods(ctx context.Context, s *ftp.Session) error { return s.Chmod(ctx, "a", 0o640) }

// A meaning is what a refusal is to come to.
type meaning struct {
	name     string
	features string
	op       operation
	steps    string // "command > reply / command > reply"
	is       error  // nil: no category of io/fs
	text     string
}

func (m meaning) check(t *testing.T) {
	t.Helper()
	t.Run(m.name, func(t *testing.T) {
		t.Parallel()
		var features []string
		if m.features != "" {
			features = strings.Split(m.features, ",")
		}
		var steps testserver.Steps
		for line := range strings.SplitSeq(m.steps, " / ") {
			want, reply, _ := strings.Cut(line, " > ")
			steps = append(steps, testserver.Step{Want: want, Reply: reply})
		}
		told(t, features, steps, m.op, m.is, m.text)
	})
}

const (
	mlst = "MLST type*,MFMT"
	epsv = "EPSV > 229 go (|||{port}|) / "
)

// Who may not look at a file is not told that it is not there.
func TestPermissionIsNotAbsence(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"a: Permission denied", "Access is denied.", "Operation not permitted", "not allowed", "PERMISSION"} {
		no := "550 " + words
		for _, m := range []meaning{
			{"stat, with MLST", mlst, stats, "MLST a > " + no, fs.ErrPermission, words},
			{"stat, without MLST", "", stats, "SIZE a > " + no + " / CWD a > 550 no", fs.ErrPermission, words},
			{"open, with MLST", mlst, opens, epsv + "RETR a > 550 no / MLST a > " + no, fs.ErrPermission, "RETR"},
			{"open, without MLST", "", opens, epsv + "RETR a > 550 no / SIZE a > " + no + " / CWD a > 550 no", fs.ErrPermission, "RETR"},
			{"remove, with MLST", mlst, removes, "DELE a > 550 no / MLST a > " + no, fs.ErrPermission, "DELE"},
			{"remove, without MLST", "", removes, "DELE a > 550 no / SIZE a > " + no + " / CWD a > 550 no", fs.ErrPermission, "DELE"},
			{"list, with MLST", mlst, lists, epsv + "MLSD a > 550 no / MLST a > " + no, fs.ErrPermission, "MLSD"},
			{"list, without MLST", "", lists, "CWD a > 550 no / SIZE a > " + no + " / CWD a > 550 no", fs.ErrPermission, "CWD: 550"},
			{"chtimes", mlst, touches, "MFMT 19700101000000 a > 550 no / MLST a > " + no, fs.ErrPermission, "MFMT"},
		} {
			m.name += ", " + words
			m.check(t)
		}
	}
}

// What a server without SIZE refuses may be there: its words decide.
func TestServerWithoutSizeIsTakenAtItsWord(t *testing.T) {
	t.Parallel()
	const unknown = " / SIZE a > 500 what / CWD a > 550 no"
	for _, m := range []meaning{
		{"open that is denied", "", opens, epsv + "RETR a > 550 permission denied" + unknown, fs.ErrPermission, "RETR"},
		{"open of what is missing", "", opens, epsv + "RETR a > 550 No such file or directory" + unknown, fs.ErrNotExist, "RETR"},
		{"remove that is denied", "", removes, "DELE a > 550 permission denied" + unknown, fs.ErrPermission, "DELE"},
		{"remove of what is missing", "", removes, "DELE a > 550 not found" + unknown, fs.ErrNotExist, "DELE"},
		{"list that is denied", "", lists, "CWD a > 550 permission denied" + unknown, fs.ErrPermission, "CWD"},
		{"list of what is missing", "", lists, "CWD a > 550 No such directory" + unknown, fs.ErrNotExist, "CWD"},
	} {
		m.check(t)
	}
}

// 450 and 451 are for now (RFC 959, section 4.2.1), unless their text says more.
func TestNotNowIsNotForEver(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"450", "451"} {
		for _, m := range []meaning{
			{"open", "", opens, epsv + "RETR a > " + code + " busy", nil, code},
			{"create", "", creates, epsv + "STOR a > " + code + " busy", nil, code},
			{"mkdir", "", mkdirs, "MKD a > " + code + " busy", nil, code},
			{"remove", "", removes, "DELE a > " + code + " busy", nil, code},
			{"rename from", "", renames, "RNFR a > " + code + " busy", nil, code},
			{"rename to", "", renames, "RNFR a > 350 to / RNTO b > " + code + " busy", nil, code},
			{"list, with MLST", mlst, lists, epsv + "MLSD a > " + code + " busy", nil, code},
			{"list, without MLST", "", lists, "CWD a > " + code + " busy", nil, code},
			{"stat, with MLST", mlst, stats, "MLST a > " + code + " busy", nil, code},
			{"stat, without MLST", "", stats, "SIZE a > " + code + " busy / CWD a > 550 no", nil, code},
			{"chtimes", mlst, touches, "MFMT 19700101000000 a > " + code + " busy", nil, code},
			{"chmod", "", chmods, "SITE CHMOD 0640 a > " + code + " busy", nil, code},
			{"the question about it, with MLST", mlst, opens, epsv + "RETR a > 550 no / MLST a > " + code + " busy", fs.ErrPermission, "RETR: 550"},
			{"the question about it, without MLST", "", removes, "DELE a > 550 no / SIZE a > " + code + " busy / CWD a > 550 no", fs.ErrPermission, "DELE: 550"},
			{"a text that says missing", mlst, opens, epsv + "RETR a > " + code + " No such file / MLST a > 550 no", fs.ErrNotExist, code},
			{"a text that says denied", mlst, removes, "DELE a > " + code + " permission denied / MLST a > 250-x\n type=file; a\n250 end", fs.ErrPermission, code},
			{"a text of MLST that says missing", mlst, stats, "MLST a > " + code + " not found", fs.ErrNotExist, code},
		} {
			m.name = code + ": " + m.name
			m.check(t)
		}
	}
}

// MDTM with a time is a name that they do not have to servers where it only tells.
func TestMDTMThatOnlyTells(t *testing.T) {
	t.Parallel()
	const mdtm = "MDTM 19700101000000 a > "
	for _, m := range []meaning{
		{"by 550", "MDTM", touches, mdtm + "550 no such file / SIZE a > 213 7", errors.ErrUnsupported, "550"},
		{"by 553", "MDTM", touches, mdtm + "553 no / SIZE a > 213 7", errors.ErrUnsupported, "553"},
		{"by 501", "MDTM", touches, mdtm + "501 bad / SIZE a > 213 7", errors.ErrUnsupported, "501"},
		{"by 550, of a directory", "MDTM", touches, mdtm + "550 no / SIZE a > 550 no / CWD a > 250 in / CWD /home > 250 back", errors.ErrUnsupported, "550"},
		{"by 550, with MLST", "MDTM,MLST type*;", touches, mdtm + "550 no / MLST a > 250-x\n type=file; a\n250 end", errors.ErrUnsupported, "550"},
		{"by 500", "MDTM", touches, mdtm + "500 what", errors.ErrUnsupported, "500"},
		{"by 502", "MDTM", touches, mdtm + "502 what", errors.ErrUnsupported, "502"},
		{"by 504", "MDTM", touches, mdtm + "504 what", errors.ErrUnsupported, "504"},
		{"by 202", "MDTM", touches, mdtm + "202 what", errors.ErrUnsupported, "202"},
		{"and the file is missing", "MDTM,MLST type*;", touches, mdtm + "550 no / MLST a > 550 no / MLST a > 550 no", fs.ErrNotExist, "550"},
	} {
		m.check(t)
	}
}

// 202 is what servers say of what they do not know (RFC 959, section 4.2.1).
func TestSuperfluousIsNotDone(t *testing.T) {
	t.Parallel()
	const no = "202 superfluous at this site"
	for _, m := range []meaning{
		{"MKD", "", mkdirs, "MKD a > " + no, errors.ErrUnsupported, "202"},
		{"DELE", "", removes, "DELE a > " + no, errors.ErrUnsupported, "202"},
		{"RNTO", "", renames, "RNFR a > 350 to / RNTO b > " + no, errors.ErrUnsupported, "202"},
		{"MFMT", "MFMT", touches, "MFMT 19700101000000 a > " + no, errors.ErrUnsupported, "202"},
		{"SITE CHMOD", "", chmods, "SITE CHMOD 0640 a > " + no, errors.ErrUnsupported, "202"},
		{"CWD", "", lists, "CWD a > " + no, errors.ErrUnsupported, "202"},
		{"CWD that asks what a name is", "", stats, "SIZE a > 550 no / CWD a > " + no, fs.ErrNotExist, "550"},
		{"STOR", "", creates, epsv + "STOR a > " + no, errors.ErrUnsupported, "202"},
		{"OPTS HASH", "HASH SHA-256", runHash, "OPTS HASH SHA-256 > " + no, errors.ErrUnsupported, ""},
		{"HASH", "XSHA256", runHash, "XSHA256 file > " + no, errors.ErrUnsupported, ""},
	} {
		m.check(t)
	}
}

// Servers differ in how they write the one line of facts.
func TestFactsOfMLST(t *testing.T) {
	t.Parallel()
	const facts = "size=7;type=file;modify=20240102030405; file"
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, reply := range map[string]string{
		"behind a space":              "250-this\n " + facts + "\n250 end",
		"at the beginning":            "250-this\n" + facts + "\n250 end",
		"behind the code":             "250-this\n250-" + facts + "\n250 end",
		"behind the code and a space": "250-this\n250- " + facts + "\n250 end",
		"of a whole path":             "250-this\n " + strings.TrimSuffix(facts, "file") + "/home/file\n250 end",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := play(t, []string{"MLST type*;size*;modify*;"}, append(testserver.Steps{{Want: "MLST file", Reply: reply}}, probeSteps()...)...)
			require.NoError(t, runStat(t.Context(), s, at))
			assertInStep(t, name, s)
		})
	}
}

// A name may look like a hash, and a hash hold what is a name.
func TestHashIsNotTheName(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("ab", 32)
	for _, row := range []struct{ title, name, reply, want string }{
		{"a name in front that looks like one", other, "250 " + other + " " + scriptSum, scriptSum},
		{"a name behind that looks like one", other, "213 SHA-256 0-4 " + scriptSum + " " + other, scriptSum},
		{"a name that looks like one in quotes", other, `250 "` + other + `" ` + scriptSum, scriptSum},
		{"a name that looks like one, and no hash", other, "250 done with " + other, ""},
		{"a name with a word that looks like one", "x " + other, "250 x " + other + " " + scriptSum, scriptSum},
		{"a name of one digit", "a", "213 SHA-256 0-4 " + scriptSum + " a", scriptSum},
		{"a name that is a part of it", "9f86", "250 " + scriptSum, scriptSum},
		{"a name that is a part of the reply", "SHA", "213 SHA-256 0-4 " + scriptSum + " SHA", scriptSum},
		{"a name that is the hash itself", scriptSum, "213 SHA-256 0-4 " + scriptSum + " " + scriptSum, scriptSum},
		{"a name that is the hash itself, by its path", scriptSum, "213 SHA-256 0-4 " + scriptSum + " /home/" + scriptSum, scriptSum},
	} {
		t.Run(row.title, func(t *testing.T) {
			t.Parallel()
			s, _ := play(t, []string{"XSHA256"}, append(testserver.Steps{{Want: "XSHA256 " + row.name, Reply: row.reply}}, probeSteps()...)...)
			sum, err := s.Hash(t.Context(), "sha256", row.name)
			if row.want == "" {
				require.ErrorIs(t, err, errors.ErrUnsupported)
			} else {
				require.NoError(t, err)
				assert.Equal(t, row.want, hex.EncodeToString(sum))
			}
			assertInStep(t, row.title, s)
		})
	}
}
