package testserver

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func startTCP(t *testing.T, handle Handler) *TCP {
	t.Helper()
	s, err := StartTCP(handle)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// requireSilence wants c to stay open and say nothing.
func requireSilence(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	var b [1]byte
	_, err := c.Read(b[:])
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.NoError(t, c.SetReadDeadline(time.Time{}))
}

func TestFaultsSayWhatTheyShouldAndNoMore(t *testing.T) {
	for _, row := range []struct {
		name   string
		handle Handler
		length int
		starts string
	}{
		{"Silent", Silent, 0, ""},
		{"BannerOnly", BannerOnly, 11, "SSH-2.0-x\r\n"},
		{"Say", Say("220 hello\r\n"), 11, "220 hello\r\n"},
		{"Garbage", Garbage, 64 << 10, "\xff\xfe"},
		{"LongLine", LongLine, 64 << 10, "xxxx"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := startTCP(t, row.handle)
			c := connect(t, s.Addr())
			said := make([]byte, row.length)
			_, err := io.ReadFull(c, said)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(said), row.starts))
			requireSilence(t, c)
			require.Equal(t, 1, s.Open())
			require.NoError(t, c.Close())
			require.Eventually(t, func() bool { return s.Open() == 0 }, patience, poll)
		})
	}
}

func TestFaultsEndWithTheirServer(t *testing.T) {
	s := startTCP(t, Silent)
	c := connect(t, s.Addr())
	require.NoError(t, s.Close())
	_, _ = io.ReadAll(c) // An end or a reset: either will do.
}

func TestCloseAtOnceCloses(t *testing.T) {
	said, err := io.ReadAll(connect(t, startTCP(t, CloseAtOnce).Addr()))
	require.NoError(t, err)
	require.Empty(t, said)
}

func TestKeyExchangeOnlyNeverAnswersALogin(t *testing.T) {
	handle, err := KeyExchangeOnly()
	require.NoError(t, err)
	c := connect(t, startTCP(t, handle).Addr())
	exchanged, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, _, _, err := ssh.NewClientConn(c, "", &ssh.ClientConfig{
			User: "ann", Auth: []ssh.AuthMethod{ssh.Password("x")},
			HostKeyCallback: func(string, net.Addr, ssh.PublicKey) error {
				close(exchanged)
				return nil
			},
		})
		ended <- err
	}()
	<-exchanged
	select {
	case err := <-ended:
		t.Fatalf("the login was answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, c.Close())
	require.Error(t, <-ended)
}

// echo answers with what it gets.
func echo(_ context.Context, c net.Conn) { _, _ = io.Copy(c, c) }

func startRelay(t *testing.T, target string, cfg RelayConfig) *Relay {
	t.Helper()
	r, err := StartRelay(target, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestRelayForwardsAndEndsEachDirection(t *testing.T) {
	r := startRelay(t, startTCP(t, echo).Addr(), RelayConfig{})
	c := connect(t, r.Addr())
	want := strings.Repeat("x", 200_000)
	go func() {
		_, _ = io.WriteString(c, want)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	up, down := r.Bytes()
	require.Equal(t, []int64{200_000, 200_000}, []int64{up, down})
	require.Eventually(t, func() bool { return r.Open() == 0 }, patience, poll)
}

func TestRelayDelaysEachByte(t *testing.T) {
	r := startRelay(t, startTCP(t, echo).Addr(), RelayConfig{Delay: 20 * time.Millisecond})
	c := connect(t, r.Addr())
	start := time.Now()
	_, err := io.WriteString(c, "x")
	require.NoError(t, err)
	_, err = io.ReadFull(c, make([]byte, 1))
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), 40*time.Millisecond)
}

func TestRelayStallsAfterSoManyBytes(t *testing.T) {
	for name, after := range map[string]int64{"at once": 0, "later": 5} {
		t.Run(name, func(t *testing.T) {
			r := startRelay(t, startTCP(t, echo).Addr(), RelayConfig{Down: Flow{Fault: Stall, After: after}})
			c := connect(t, r.Addr())
			_, err := io.WriteString(c, "0123456789")
			require.NoError(t, err)
			got := make([]byte, after)
			_, err = io.ReadFull(c, got)
			require.NoError(t, err)
			require.Equal(t, "0123456789"[:after], string(got))
			requireSilence(t, c)
		})
	}
}

func TestRelayCutsAfterSoManyBytes(t *testing.T) {
	for name, cfg := range map[string]RelayConfig{
		"up":   {Up: Flow{Fault: Cut, After: 5}},
		"down": {Down: Flow{Fault: Cut, After: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRelay(t, startTCP(t, echo).Addr(), cfg)
			c := connect(t, r.Addr())
			_, err := io.WriteString(c, "0123456789")
			require.NoError(t, err)
			got, _ := io.ReadAll(c) // An end or a reset: either will do.
			require.LessOrEqual(t, len(got), 5)
			require.Eventually(t, func() bool { return r.Open() == 0 }, patience, poll)
			up, down := r.Bytes()
			require.LessOrEqual(t, min(up, down), int64(5))
		})
	}
}

func TestRelayResetsAfterSoManyBytes(t *testing.T) {
	r := startRelay(t, startTCP(t, echo).Addr(), RelayConfig{Up: Flow{Fault: Reset, After: 5}})
	c := connect(t, r.Addr())
	_, err := io.WriteString(c, "0123456789")
	require.NoError(t, err)
	_, err = io.ReadAll(c)
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestRelayGarblesOneByte(t *testing.T) {
	r := startRelay(t, startTCP(t, echo).Addr(), RelayConfig{Down: Flow{Fault: Garble, After: 5}})
	c := connect(t, r.Addr())
	for _, part := range []string{"012", "3456789"} {
		_, err := io.WriteString(c, part)
		require.NoError(t, err)
	}
	got := make([]byte, 10)
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, "01234\xca6789", string(got))
}

func TestRelayFreezesAndThaws(t *testing.T) {
	r := startRelay(t, startTCP(t, echo).Addr(), RelayConfig{})
	c := connect(t, r.Addr())
	r.Freeze()
	_, err := io.WriteString(c, "hello")
	require.NoError(t, err)
	requireSilence(t, c)
	r.Thaw()
	got := make([]byte, 5)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	r.Freeze()
	r.Drop()
	_, err = c.Read(got)
	require.Error(t, err)
}

func TestRelayClosesClientsWhoseServerIsGone(t *testing.T) {
	gone := startTCP(t, Silent)
	require.NoError(t, gone.Close())
	_, err := io.ReadAll(connect(t, startRelay(t, gone.Addr(), RelayConfig{}).Addr()))
	require.NoError(t, err)
}
