package testserver

import (
	"bufio"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// strikeMail plays letters to a client that says one thing after the other, and returns what that has heard before the
// first trouble, and the trouble.
func strikeMail(t *testing.T, fault SMTPFault) (heard string, f *ScriptedSMTP, trouble error) {
	t.Helper()
	f, c := playMail(t, SMTPScript{Steps: letters(), Fault: fault})
	conn, err := net.Dial("tcp", f.Addr())
	if err != nil {
		require.Equal(t, Reset, fault.Fault, err)
		return "", f, err
	}
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	var b strings.Builder
	r := bufio.NewReader(io.TeeReader(conn, &b))
	says := append([]string{""}, strings.SplitAfter(lettersEnvelope, "\r\n")[:4]...)
	says = append(says, "hi\r\n..dot\r\n.\r\n", "BDAT 6\r\n.\r\n.\r\n", "BDAT 0 LAST\r\n")
	for _, text := range says {
		if _, trouble = io.WriteString(conn, text); trouble != nil {
			break
		}
		if trouble = answered(r); trouble != nil {
			break
		}
	}
	require.NoError(t, conn.Close())
	require.Empty(t, c.ofMail(t, f))
	return b.String(), f, trouble
}

// answered reads a reply.
func answered(r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil || len(line) > 3 && line[3] == ' ' {
			return err
		}
	}
}

func TestSMTPScriptFaultsStrikeAtEveryByteOfReplies(t *testing.T) {
	t.Parallel()
	heard, f, trouble := strikeMail(t, SMTPFault{})
	require.NoError(t, trouble)
	require.Equal(t, lettersHeard, heard+"odd\n"[:len(lettersHeard)-len(heard)])
	require.False(t, f.Struck())
	last := int64(strings.Index(lettersHeard, "odd\n"))
	for after := range last {
		for _, kind := range []Fault{Cut, Reset} {
			heard, f, trouble := strikeMail(t, SMTPFault{Fault: kind, After: after})
			require.Error(t, trouble, after)
			require.True(t, f.Struck())
			if kind == Cut {
				require.Equal(t, lettersHeard[:after], heard)
			}
		}
		if strings.ContainsRune("\n ", rune(lettersHeard[after])) {
			continue // The client of this test waits for what it does not get any more.
		}
		heard, f, _ := strikeMail(t, SMTPFault{Fault: Garble, After: after})
		require.True(t, f.Struck())
		require.Greater(t, int64(len(heard)), after)
		require.Equal(t, lettersHeard[after]^garble, heard[after])
	}
}

func TestSMTPScriptFaultsStrikeAtEveryByteReceived(t *testing.T) {
	t.Parallel()
	const content = "hi\r\n..dot\r\n.\r\n"
	for after := range int64(len(lettersSaid)) {
		for _, kind := range []Fault{Cut, Reset} {
			heard, f, trouble := strikeMail(t, SMTPFault{Fault: kind, On: SMTPReceived, After: after})
			require.Error(t, trouble, after)
			require.True(t, f.Struck())
			require.Equal(t, after, f.Passed(SMTPReceived))
			into := int(after) - len(lettersEnvelope)
			if kind == Reset || into < 0 || into >= len(content) {
				continue
			}
			require.Equal(t, lettersHeard[:strings.Index(lettersHeard, "250 taken")], heard, after)
			want := strings.ReplaceAll(content[:into], "\n.", "\n")
			require.Equal(t, []Body{{want, false}}, f.Bodies(), after)
		}
	}
}

func TestSMTPScriptCutsAndResets(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Fault]error{Cut: nil, Reset: syscall.ECONNRESET} {
		f, c := playMail(t, SMTPScript{Steps: letters(), Fault: SMTPFault{
			Fault: kind, On: SMTPReceived, After: int64(len(lettersEnvelope)) + 2,
		}})
		conn := connect(t, f.Addr())
		_, err := io.WriteString(conn, lettersEnvelope+"hi")
		require.NoError(t, err)
		got, err := io.ReadAll(conn)
		require.ErrorIs(t, err, want)
		if kind == Cut {
			require.Equal(t, lettersHeard[:strings.Index(lettersHeard, "250 taken")], string(got))
		}
		require.Equal(t, []Body{{"hi", false}}, f.Bodies())
		require.Empty(t, c.ofMail(t, f))
	}
}

func TestSMTPScriptGarblesWhatItReceives(t *testing.T) {
	t.Parallel()
	_, f, trouble := strikeMail(t, SMTPFault{
		Fault: Garble, On: SMTPReceived, After: int64(len(lettersEnvelope)) + 1,
	})
	require.NoError(t, trouble)
	require.True(t, f.Struck())
	require.Equal(t, "h\x96\r\n.dot\r\n", f.Bodies()[0].Content)
}

func TestSMTPScriptStallsUntilClosed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]SMTPFault{
		"before the greeting": {Fault: Stall},
		"in a reply":          {Fault: Stall, After: 30},
		"in content":          {Fault: Stall, On: SMTPReceived, After: int64(len(lettersEnvelope)) + 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := playMail(t, SMTPScript{Steps: letters(), Fault: fault})
			conn := connect(t, f.Addr())
			_, err := io.WriteString(conn, lettersSaid)
			require.NoError(t, err)
			require.Eventually(t, f.Struck, patience, poll)
			require.Equal(t, fault.After, f.Passed(fault.On))
			got := make([]byte, f.Passed(SMTPReplies))
			_, err = io.ReadFull(conn, got)
			require.NoError(t, err)
			requireSilence(t, conn)
			begin := time.Now()
			require.Empty(t, c.ofMail(t, f))
			require.Less(t, time.Since(begin), settleWithin, "Close need not wait for anything")
		})
	}
}
