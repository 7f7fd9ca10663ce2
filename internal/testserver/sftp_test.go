package testserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// newFiles logs in and opens an SFTP session for the length of the test.
func newFiles(t *testing.T, s *SSH, options ...sftp.ClientOption) *sftp.Client {
	t.Helper()
	client, err := sftp.NewClient(dial(t, s, "ann"), options...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// roundTrip puts a file by its relative name and gets it back.
func roundTrip(t *testing.T, client *sftp.Client) {
	t.Helper()
	want := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	f, err := client.OpenFile("put.bin", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	require.NoError(t, err)
	_, err = f.Write(want)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	f, err = client.Open("put.bin")
	require.NoError(t, err)
	got, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.True(t, bytes.Equal(got, want), "got %d bytes back, want the %d put", len(got), len(want))
}

func TestSFTPPutsAndGetsInRoot(t *testing.T) {
	s := startSSH(t, SSHConfig{Root: t.TempDir()})
	roundTrip(t, newFiles(t, s))
	require.FileExists(t, filepath.Join(s.Root(), "put.bin"))
}

func TestSFTPEndsWithAStatus(t *testing.T) {
	for name, limits := range map[string]bool{"plain": false, "behind a tap": true} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, startSSH(t, SSHConfig{Limits: limits}), "ann")
			channel, requests, err := client.OpenChannel("session", nil)
			require.NoError(t, err)
			ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
			require.NoError(t, err)
			require.True(t, ok)
			require.NoError(t, channel.CloseWrite())
			status := <-requests
			require.Equal(t, "exit-status", status.Type)
			require.Equal(t, []byte{0, 0, 0, 0}, status.Payload)
			require.Empty(t, <-requests)
		})
	}
}

func TestSFTPRefusesOtherSubsystems(t *testing.T) {
	session, err := dial(t, startSSH(t, SSHConfig{}), "ann").NewSession()
	require.NoError(t, err)
	require.Error(t, session.RequestSubsystem("netconf"))
}

func TestSFTPMayBeReplaced(t *testing.T) {
	s := startSSH(t, SSHConfig{SFTP: func(_ context.Context, rwc io.ReadWriteCloser) error {
		_, err := io.WriteString(rwc, "hello")
		return err
	}})
	session, err := dial(t, s, "ann").NewSession()
	require.NoError(t, err)
	out, err := session.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, session.RequestSubsystem("sftp"))
	got, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

func TestSFTPAnswersLargeReadsShortUnlessTold(t *testing.T) {
	for name, row := range map[string]struct {
		packet uint32
		want   int
	}{
		"by default":          {0, 32 << 10},
		"with a large packet": {128 << 10, 100 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSSH(t, SSHConfig{SFTPPacket: row.packet})
			require.NoError(t, os.WriteFile(filepath.Join(s.Root(), "f"), make([]byte, 100<<10), 0o600))
			raw := newRawSFTP(t, s)
			handle := raw.open(t, "f")
			p := raw.ask(t, FxpRead, ssh.Marshal(struct {
				Handle string
				Offset uint64
				Length uint32
			}{handle, 0, 128 << 10}))
			require.Equal(t, FxpData, p.Type)
			require.Len(t, p.Payload, 4+row.want)
		})
	}
}

func TestSFTPLimitsAreAnnouncedAndAnswered(t *testing.T) {
	s := startSSH(t, SSHConfig{Limits: true, SFTPPacket: 256 << 10})
	_, announced := newFiles(t, s).HasExtension("limits@openssh.com")
	require.True(t, announced)
	roundTrip(t, newFiles(t, s))

	raw := newRawSFTP(t, s)
	p := raw.ask(t, FxpExtended, ssh.Marshal(struct{ Name string }{"limits@openssh.com"}))
	require.Equal(t, FxpExtendedReply, p.Type)
	var limits struct{ Packet, Read, Write, Handles uint64 }
	require.NoError(t, ssh.Unmarshal(p.Payload, &limits))
	require.Equal(t, uint64(261120), limits.Read)
	require.Equal(t, uint64(261120), limits.Write)

	_, announced = newFiles(t, startSSH(t, SSHConfig{})).HasExtension("limits@openssh.com")
	require.False(t, announced)
}

func TestSFTPTapFailsTheNthWrite(t *testing.T) {
	root := t.TempDir()
	s := startSSH(t, SSHConfig{SFTP: TapSFTP(Files(root, 0), FailNth(FxpWrite, 2, 4, "disk on fire"))})
	f, err := newFiles(t, s).OpenFile("f", os.O_WRONLY|os.O_CREATE)
	require.NoError(t, err)
	_, err = f.Write([]byte("one"))
	require.NoError(t, err)
	_, err = f.Write([]byte("two"))
	var status *sftp.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, uint32(4), status.Code)
	require.ErrorContains(t, err, "disk on fire")
	require.NoError(t, f.Close())
}

// The trap of pkg/sftp issue 658: WriteTo takes a short answer for all there was.
func TestSFTPTapShortensReads(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "f"), make([]byte, 300<<10), 0o600))
	s := startSSH(t, SSHConfig{SFTP: TapSFTP(Files(root, 0), ShortReads(1000))})
	f, err := newFiles(t, s).Open("f")
	require.NoError(t, err)
	n, err := f.WriteTo(io.Discard)
	require.NoError(t, err)
	require.Less(t, n, int64(300<<10))
	require.NoError(t, f.Close())
}

func TestSFTPTapNeverAnswersWhatItIgnores(t *testing.T) {
	s := startSSH(t, SSHConfig{SFTP: TapSFTP(Files(t.TempDir(), 0), Ignore(FxpStat))})
	client := newFiles(t, s)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Stat(".")
		answered <- err
	}()
	// Others are still answered.
	_, err := client.ReadDir(".")
	require.NoError(t, err)
	select {
	case err := <-answered:
		t.Fatalf("an ignored request was answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, s.Close())
	require.Error(t, <-answered)
}

func TestSFTPTapEndsWithAServerThatGivesUp(t *testing.T) {
	s := startSSH(t, SSHConfig{SFTP: TapSFTP(func(_ context.Context, rwc io.ReadWriteCloser) error {
		_, _ = readPacket(rwc)
		return errors.New("gave up")
	}, Ignore())})
	_, err := sftp.NewClient(dial(t, s, "ann"))
	require.Error(t, err)
}

func TestSFTPTapCutsImpossibleMessages(t *testing.T) {
	s := startSSH(t, SSHConfig{Limits: true})
	raw := newRawSFTP(t, s)
	_, err := raw.in.Write([]byte{0xff, 0xff, 0xff, 0xff, 1})
	require.NoError(t, err)
	_, err = readPacket(raw.out)
	require.Error(t, err)
}

// rawSFTP speaks packets, for what no client shows.
type rawSFTP struct {
	in  io.WriteCloser
	out io.Reader
	id  uint32
}

func newRawSFTP(t *testing.T, s *SSH) *rawSFTP {
	t.Helper()
	session, err := dial(t, s, "ann").NewSession()
	require.NoError(t, err)
	in, err := session.StdinPipe()
	require.NoError(t, err)
	out, err := session.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, session.RequestSubsystem("sftp"))
	raw := &rawSFTP{in: in, out: out}
	p := raw.ask(t, FxpInit, []byte{0, 0, 0, 3})
	require.Equal(t, FxpVersion, p.Type)
	return raw
}

func (r *rawSFTP) ask(t *testing.T, kind byte, payload []byte) Packet {
	t.Helper()
	r.id++
	require.NoError(t, writePacket(r.in, Packet{Type: kind, ID: r.id, Payload: payload}))
	p, err := readPacket(r.out)
	require.NoError(t, err)
	if p.hasID() {
		require.Equal(t, r.id, p.ID)
	}
	return p
}

func (r *rawSFTP) open(t *testing.T, name string) string {
	t.Helper()
	p := r.ask(t, FxpOpen, ssh.Marshal(struct {
		Name         string
		Flags, Attrs uint32
	}{Name: name, Flags: 1}))
	require.Equal(t, FxpHandle, p.Type)
	var handle struct{ Handle string }
	require.NoError(t, ssh.Unmarshal(p.Payload, &handle))
	return handle.Handle
}
