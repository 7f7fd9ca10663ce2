package ftp_test

import (
	"context"
	"errors"
	"fmt"
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

// A reply that comes when nobody waits for it any more must not be that to the
// next command.
func TestLateReplyIsNotThatOfTheNextCommand(t *testing.T) {
	t.Parallel()
	steps := stor(&testserver.Transfer{Receive: true}, "552 full",
		testserver.Step{Want: "SIZE file"}, // after a refusal it is asked how much is there, and no answer is no matter
		testserver.Step{Want: "SITE probe", Reply: "213 7\n211 the probe"})
	f := testserver.FTPScript{Steps: append(loginSteps(), steps...)}.Start(lenient{t})
	c := scripted(t, f.Addr(), "")
	c.Timeout = 300 * time.Millisecond
	s := open(t, c)
	require.ErrorContains(t, store(t.Context(), s, "file", scriptContent), "552 full")
	require.Contains(t, f.Commands(), "SIZE file")
	code, _, err := s.Quote(t.Context(), "SITE probe")
	require.ErrorIs(t, err, hawser.ErrLost)
	assert.Zero(t, code)
	assertEnded(t, "late", s)
}

// Any command may be answered by preliminary replies first (RFC 959, section 4.2).
func TestPreliminaryRepliesArePassedOver(t *testing.T) {
	t.Parallel()
	step := func(want, last string) testserver.Step {
		return testserver.Step{Want: want, Reply: "110 soon\n150-very\n150 soon\n" + last}
	}
	for _, row := range []struct {
		name     string
		features []string
		steps    testserver.Steps
		run      func(context.Context, *ftp.Session) error
	}{
		{"NOOP", nil, testserver.Steps{step("NOOP", "200 ok")}, func(ctx context.Context, s *ftp.Session) error { return s.Ping(ctx) }},
		{"MKD", nil, testserver.Steps{step("MKD a", `257 "a"`)}, func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, "a") }},
		{"RNFR and RNTO", nil, testserver.Steps{step("RNFR a", "350 to"), step("RNTO b", "250 done")}, func(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, "a", "b") }},
		{"MFMT", []string{"MFMT"}, testserver.Steps{step("MFMT 19700101000000 a", "213 ok")}, func(ctx context.Context, s *ftp.Session) error { return s.Chtimes(ctx, "a", time.Unix(0, 0)) }},
		{"HASH", []string{"XSHA256"}, testserver.Steps{step("XSHA256 file", "250 "+scriptSum)}, runHash},
		{"EPSV", nil, testserver.Steps{step("EPSV", "229 go (|||{port}|)"), {Want: "RETR file", Reply: "150 here", Data: &testserver.Transfer{Send: scriptContent}, Then: "226 done"}}, func(ctx context.Context, s *ftp.Session) error {
			got, err := fetch(ctx, s, "file")
			if err == nil && got != scriptContent {
				return wrong(got)
			}
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := play(t, row.features, append(row.steps, probeSteps()...)...)
			require.NoError(t, row.run(t.Context(), s))
			assertInStep(t, row.name, s)
			require.True(t, s.Reusable())
		})
	}
	t.Run("but not without end", func(t *testing.T) {
		t.Parallel()
		s, _ := playFreely(t, nil, testserver.Step{Want: "NOOP", Reply: strings.Repeat("150 soon\n", 500) + "200 ok"})
		require.ErrorIs(t, s.Ping(t.Context()), hawser.ErrLost)
		assertEnded(t, "endless", s)
	})
}

// What a server says without being asked must not be the answer to what it is
// asked next.
func TestWhatNobodyAskedForIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]func(context.Context, *ftp.Session) error{
		"NOOP": func(ctx context.Context, s *ftp.Session) error { return s.Ping(ctx) },
		"MKD":  func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, "a") },
		"EPSV": func(ctx context.Context, s *ftp.Session) error { _, err := s.Open(ctx, "a", 0); return err },
		"SITE": func(ctx context.Context, s *ftp.Session) error { _, _, err := s.Quote(ctx, "SITE probe"); return err },
	} {
		t.Run("before "+name, func(t *testing.T) {
			t.Parallel()
			s, f := playFreely(t, nil, testserver.Step{Want: "NOOP", Reply: "200 ok\n250 and this"}, testserver.Step{Want: "*", Reply: "250 done"})
			require.NoError(t, s.Ping(t.Context()))
			err := op(t.Context(), s)
			require.ErrorIs(t, err, hawser.ErrLost)
			require.ErrorContains(t, err, "250 and this")
			assertTyped(t, name, err)
			assertEnded(t, name, s)
			_ = f.Close()
			assert.Len(t, f.Commands(), len(loginSteps()), "nothing more is sent")
		})
	}
	t.Run("before RETR", func(t *testing.T) {
		t.Parallel()
		s, f := playFreely(t, nil, testserver.Step{Want: "EPSV", Reply: "229 go (|||{port}|)\n150 here"}, testserver.Step{Want: "*"})
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorIs(t, err, hawser.ErrLost)
		assertEnded(t, "RETR", s)
		_ = f.Close()
		assert.NotContains(t, f.Commands(), "RETR file")
	})
}

// A server to which EPRT is superfluous is asked by PORT.
func TestSuperfluousEPRTIsFollowedByPORT(t *testing.T) {
	t.Parallel()
	s, _ := activeSession(t, nil, slices.Concat(testserver.Steps{
		{Want: "EPRT *", Reply: "202 superfluous"},
		{Want: "PORT *", Reply: "200 ok"},
		{Want: "RETR file", Reply: "150 here", Data: &testserver.Transfer{Send: scriptContent}, Then: "226 done"},
	}, probeSteps())...)
	got, err := fetch(t.Context(), s, "file")
	require.NoError(t, err)
	assert.Equal(t, scriptContent, got)
	assertInStep(t, "PORT", s)
}

func TestQuoteTellsTheWholeReply(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"of one line":            "211 the probe",
		"of many lines":          "211-one\n two\n211-three\n500 four\n\n211 five",
		"of two":                 "211-one\n211 two",
		"that refuses":           "550 no",
		"that refuses in lines":  "550-no\n and no\n550-again\n550 no",
		"of a command not known": "502-what\n502 is that",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := play(t, nil, append(testserver.Steps{{Want: "SITE ask me", Reply: reply}}, probeSteps()...)...)
			code, lines, err := s.Quote(t.Context(), "SITE ask me")
			require.NoError(t, err)
			assert.Equal(t, reply[:3], fmt.Sprint(code))
			assert.Equal(t, strings.Split(reply, "\n"), lines)
			assertInStep(t, name, s)
			require.True(t, s.Reusable())
		})
	}
}

// What would change what the session relies on is not sent, also after the
// server has refused something, and in whatever letters.
func TestQuoteKeepsCommandsToTheSession(t *testing.T) {
	t.Parallel()
	kept := strings.Fields(`USER PASS ACCT REIN OPTS LANG QUIT AUTH PBSZ PROT CCC HOST CWD XCWD CDUP XCUP SMNT TYPE
		MODE STRU REST ABOR RNFR PORT PASV EPRT EPSV LPRT LPSV SPSV PRET RETR STOR STOU APPE LIST NLST MLSD`)
	s, f := play(t, nil, append(testserver.Steps{{Want: "SITE no", Reply: "550 no"}}, probeSteps()...)...)
	check := func() {
		t.Helper()
		for _, verb := range kept {
			for _, line := range []string{verb, verb + " x", strings.ToLower(verb) + " x", " " + verb, verb + "\tx"} {
				_, _, err := s.Quote(t.Context(), line)
				require.ErrorIs(t, err, errors.ErrUnsupported, "%q", line)
			}
		}
	}
	check()
	code, _, err := s.Quote(t.Context(), "SITE no")
	require.NoError(t, err)
	assert.Equal(t, 550, code)
	check()
	assertInStep(t, "kept", s)
	require.NoError(t, s.Close())
	require.NoError(t, f.Close())
	assert.Equal(t, []string{"SITE no", "NOOP", "SITE probe", "QUIT"}, f.Commands()[len(loginSteps())-1:])
}
