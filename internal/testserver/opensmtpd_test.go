package testserver

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenSMTPDWantsANewSessionAfterSomeMessages(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"its default": 0, "another": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := OpenSMTPD(t, SMTPServerConfig{MaxMessages: limit})
			if limit == 0 {
				limit = 100
			}
			d := greet(t, s)
			for range limit {
				d.post("b@" + s.Domain)
			}
			d.say("MAIL FROM:<a@outside.example>", 452)
			greet(t, s).post("b@" + s.Domain)
			require.Len(t, s.Settled(t), limit+1)
		})
	}
}

func TestOpenSMTPDHangsUpOnPipelining(t *testing.T) {
	t.Parallel()
	s := OpenSMTPD(t, SMTPServerConfig{})
	d := greet(t, s)
	require.NoError(t, d.text.PrintfLine("MAIL FROM:<a@outside.example>\r\nRCPT TO:<b@%s>", s.Domain))
	code, _, err := d.text.ReadResponse(0)
	for err == nil && code != 500 {
		code, _, err = d.text.ReadResponse(0)
	}
	require.NoError(t, err)
	_, _, err = d.text.ReadResponse(0)
	require.Error(t, err)
}

func TestOpenSMTPDLeavesTheMachineAlone(t *testing.T) {
	t.Parallel()
	s := OpenSMTPD(t, SMTPServerConfig{})
	users, err := os.ReadFile("/etc/passwd")
	require.NoError(t, err)
	require.NotContains(t, string(users), "/var/lib/opensmtpd/empty:/bin/false")
	mounts, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), "/var/spool/smtpd")
	require.NotContains(t, string(mounts), s.spool)
}
