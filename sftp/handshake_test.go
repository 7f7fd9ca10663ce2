package sftp_test

import (
	"context"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// lengths moves 600,000 bytes both ways and returns the longest WRITE and READ.
func lengths(t *testing.T, s *testserver.SSH) (write, read int) {
	t.Helper()
	f := login(t, to(s))
	r := &recorder{}
	ctx := hawser.WithTrace(t.Context(), r.trace())
	require.NoError(t, upload(ctx, f, "file", content(600_000)))
	got, err := download(ctx, f, "file")
	require.NoError(t, err)
	sameContent(t, content(600_000), got)
	return longest(t, r, "WRITE"), longest(t, r, "READ")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	// limited is a server whose answer to the question for limits is reply's.
	limited := func(t *testing.T, reply func(id uint32) *testserver.Packet) *testserver.SSH {
		announce := func(p testserver.Packet) *testserver.Packet {
			if p.Type == testserver.FxpVersion {
				p.Payload = append(p.Payload, xssh.Marshal(struct{ Name, Data string }{"limits@openssh.com", "1"})...)
			}
			return &p
		}
		answer := func(p testserver.Packet) (forward, back *testserver.Packet) {
			if p.Type == testserver.FxpExtended && p.ID >= 1<<31 {
				return nil, reply(p.ID)
			}
			return &p, nil
		}
		root := t.TempDir()
		return start(t, testserver.SSHConfig{SFTP: testserver.TapReplies(testserver.TapSFTP(testserver.Files(root, 256*kib), answer), announce)})
	}
	told := func(packet, read, write uint64) func(id uint32) *testserver.Packet {
		return func(id uint32) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpExtendedReply, ID: id, Payload: xssh.Marshal(struct{ P, R, W, H uint64 }{packet, read, write, 0})}
		}
	}
	for name, row := range map[string]struct {
		reply func(id uint32) *testserver.Packet
		want  int // bytes in a packet
	}{
		"of OpenSSH":                      {told(262144, 261120, 261120), 261120},
		"of which the smaller one counts": {told(262144, 100_000, 65_536), 65_536},
		"that are none":                   {told(0, 0, 0), 261120},
		"beyond what this side takes":     {told(1<<40, 1<<40, 1<<40), 261120},
		"that are small":                  {told(4096, 1024, 2048), 1024},
		"that are absurd":                 {told(1, 1, 1), 32768},
		"that the server refuses":         {func(id uint32) *testserver.Packet { return testserver.Status(id, 8, "no") }, 32768},
		"that are cut short": {func(id uint32) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpExtendedReply, ID: id, Payload: make([]byte, 9)}
		}, 32768},
		"with more fields than were known": {func(id uint32) *testserver.Packet {
			p := told(0, 65536, 65536)(id)
			p.Payload = append(p.Payload, make([]byte, 80)...)
			return p
		}, 65536},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			write, read := lengths(t, limited(t, row.reply))
			assert.Equal(t, row.want, write, "the longest WRITE")
			assert.Equal(t, row.want, read, "the longest READ")
		})
	}
	t.Run("of another question are refused", func(t *testing.T) {
		t.Parallel()
		e := refused(t, to(limited(t, func(id uint32) *testserver.Packet { return testserver.Status(id+1, 0, "") })))
		assert.Equal(t, hawser.PhaseLogin, e.Phase)
	})
	t.Run("of a real OpenSSH", func(t *testing.T) {
		t.Parallel()
		s := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
		r := &recorder{}
		require.NoError(t, upload(hawser.WithTrace(t.Context(), r.trace()), login(t, toReal(s)), "file", content(600_000)))
		assert.Equal(t, 261120, longest(t, r, "WRITE"))
	})
}

func TestServersThatDoNotSpeakSFTP(t *testing.T) {
	t.Parallel()
	says := func(text string) testserver.SFTPServer {
		return func(ctx context.Context, rwc io.ReadWriteCloser) error {
			_, err := io.WriteString(rwc, text)
			_, _ = io.Copy(io.Discard, rwc)
			return err
		}
	}
	version := func(n uint32, rest ...byte) string {
		b := append(binary.BigEndian.AppendUint32([]byte{2}, n), rest...)
		return string(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	}
	for name, row := range map[string]struct {
		serve testserver.SFTPServer
		says  string
	}{
		"a login script that prints a text": {says("Welcome to bank.example!\r\nLast login: today\r\n"), `Welcome to bank.example!\r\nLast login: today\r\n`},
		"a text of four bytes":              {says("Hi!\n"), `Hi!\n`},
		"a text with escapes":               {says("\x1b[31mred"), `\x1b[31mred`},
		"an end at once":                    {func(context.Context, io.ReadWriteCloser) error { return nil }, "EOF"},
		"an end in the middle": {func(_ context.Context, rwc io.ReadWriteCloser) error {
			_, err := io.WriteString(rwc, "\x00\x00\x00\x09\x02")
			return err
		}, "EOF"},
		"a packet of no bytes":   {says("\x00\x00\x00\x00"), "not an SFTP packet"},
		"a packet of one byte":   {says("\x00\x00\x00\x01\x02"), "VERSION"},
		"another packet":         {says("\x00\x00\x00\x05\x65\x00\x00\x00\x00"), "VERSION"},
		"version 6":              {says(version(6)), "version 6"},
		"version 2":              {says(version(2)), "version 2"},
		"an extension cut short": {says(version(3, 0, 0, 0, 9, 'x')), "malformed extension"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := refused(t, to(start(t, testserver.SSHConfig{SFTP: row.serve})))
			assert.Equal(t, hawser.PhaseLogin, e.Phase)
			assert.Contains(t, e.Error(), row.says)
			assert.False(t, hawser.Retryable(e))
			assert.NotErrorIs(t, e, hawser.ErrAuth)
		})
	}
	t.Run("a packet that nobody asked for ends the session", func(t *testing.T) {
		t.Parallel()
		f := login(t, to(start(t, testserver.SSHConfig{SFTP: says(version(3) + "\x00\x00\x00\x09\x65\x00\x00\x00\x09\x00\x00\x00\x00")})))
		assert.ErrorIs(t, f.Ping(t.Context()), hawser.ErrLost)
		assert.False(t, f.Reusable())
	})
}

func TestSubsystem(t *testing.T) {
	t.Parallel()
	t.Run("one that the server does not have", func(t *testing.T) {
		t.Parallel()
		c := to(start(t, testserver.SSHConfig{}))
		c.SFTP.Subsystem = "sftp2"
		e := refused(t, c)
		assert.Contains(t, e.Error(), "subsystem sftp2")
		assert.Equal(t, 1, countOf(e.Error(), c.Addr()), "the address is told once: %v", e)
	})
	t.Run("a path is a program", func(t *testing.T) {
		t.Parallel()
		requireExternal(t)
		s := testserver.OpenSSH(t, testserver.OpenSSHConfig{Lines: []string{"Subsystem none /bin/false"}})
		c := toReal(s)
		c.SFTP.Subsystem = external
		f := login(t, c)
		require.NoError(t, upload(t.Context(), f, "file", content(1000)))
		sameContent(t, content(1000), stored(t, s.Dir, "file"))
	})
	t.Run("a program that is not there says so", func(t *testing.T) {
		t.Parallel()
		c := to(start(t, testserver.SSHConfig{}))
		c.SFTP.Subsystem = "/no/such/sftp-server"
		e := refused(t, c)
		assert.Contains(t, e.Error(), "the server says")
		assert.Contains(t, e.Error(), "/no/such/sftp-server")
	})
	t.Run("a program that prints a text instead says so", func(t *testing.T) {
		t.Parallel()
		c := to(start(t, testserver.SSHConfig{}))
		c.SFTP.Subsystem = "/bin/echo You have no shell here."
		assert.Contains(t, refused(t, c).Error(), "You have no shell here.")
	})
}

func TestProFTPDOfOtherVersions(t *testing.T) {
	t.Parallel()
	for _, versions := range []string{"4", "5", "6", "4-6"} {
		t.Run(versions, func(t *testing.T) {
			t.Parallel()
			s := testserver.ProFTPD(t, testserver.ProFTPDConfig{Versions: versions})
			e := refused(t, toReal(s))
			assert.Contains(t, e.Error(), "it may want one other than 3")
		})
	}
}
