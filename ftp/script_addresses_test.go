package ftp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// A trap is a listener that nobody must connect to.
func trap(t *testing.T, host string) (port int, sprung *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("%s is not an address of this machine: %v", host, err)
	}
	sprung = &atomic.Int64{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			sprung.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port, sprung
}

// A server that names another host in a PASV reply would have us connect to
// anything that we can reach.
func TestAddressInPASVIsNotFollowed(t *testing.T) {
	t.Parallel()
	refuse := testserver.Step{Want: "EPSV", Reply: "502 no"}
	t.Run("the port is taken at the server itself", func(t *testing.T) {
		t.Parallel()
		for _, host := range []string{"127,0,0,2", "192,0,2,1", "0,0,0,0", "10,0,0,1", "255,255,255,255"} {
			s, _ := play(t, nil, refuse,
				testserver.Step{Want: "PASV", Reply: "227 go (" + host + ",{p1},{p2})"},
				testserver.Step{Want: "RETR file", Reply: "150 here", Data: &testserver.Transfer{Send: scriptContent}, Then: "226 done"})
			assert.Equal(t, scriptContent, string(download(t, s, "file")))
		}
	})
	t.Run("the other host is left alone", func(t *testing.T) {
		t.Parallel()
		port, sprung := trap(t, "127.0.0.2")
		for _, secure := range []bool{false, true} {
			reply := fmt.Sprintf("227 go (127,0,0,2,%d,%d)", port>>8, port&0xff)
			b := newBench(t)
			x := exchange{name: "trap", tls: hawser.TLSNone, mode: hawser.Passive, steps: testserver.Steps{refuse, {Want: "PASV", Reply: reply}}}
			if secure {
				x.tls = hawser.TLSExplicit
			}
			x.run = func(ctx context.Context, s *ftp.Session, _ *testserver.ScriptedFTP) error {
				_, err := fetch(ctx, s, "file")
				return err
			}
			r := b.strike(t, x, testserver.FTPFault{}, 0)
			require.ErrorContains(t, r.err, "passive data connection")
			assertTyped(t, "trap", r.err)
			r.close()
		}
		assert.Zero(t, sprung.Load())
	})
	t.Run("an address in EPSV", func(t *testing.T) {
		t.Parallel()
		port, sprung := trap(t, "127.0.0.2")
		s, _ := playFreely(t, nil, testserver.Step{Want: "EPSV", Reply: fmt.Sprintf("229 go (|1|127.0.0.2|%d|)", port)})
		_, err := s.Open(t.Context(), "file", 0)
		require.Error(t, err)
		assertTyped(t, "EPSV", err)
		assert.Zero(t, sprung.Load())
	})
}

// activeSession logs in for active transfers.
func activeSession(t *testing.T, change func(*hawser.Connection), steps ...testserver.Step) (*ftp.Session, *testserver.ScriptedFTP) {
	t.Helper()
	f := testserver.FTPScript{Steps: append(loginSteps(), steps...)}.Start(lenient{t})
	c := scripted(t, f.Addr(), "")
	c.FTP.Mode = hawser.Active
	if change != nil {
		change(&c)
	}
	return open(t, c), f
}

func retrActive(data *testserver.Transfer) testserver.Steps {
	return testserver.Steps{
		{Want: "/^(EPRT|PORT) /", Reply: "200 ok"},
		{Want: "RETR file", Reply: "150 here", Data: data, Then: "226 done"},
	}
}

// While we wait for the server, anybody may connect.
func TestStrangerIsNotTakenForTheServer(t *testing.T) {
	t.Parallel()
	trap(t, "127.0.0.2") // or skip
	t.Run("a download", func(t *testing.T) {
		t.Parallel()
		s, _ := activeSession(t, nil, retrActive(&testserver.Transfer{Send: scriptContent, Stranger: "127.0.0.2"})...)
		assert.Equal(t, scriptContent, string(download(t, s, "file")))
	})
	t.Run("an upload", func(t *testing.T) {
		t.Parallel()
		steps := retrActive(&testserver.Transfer{Receive: true, Stranger: "127.0.0.2"})
		steps[1].Want = "STOR file"
		s, f := activeSession(t, nil, append(steps, testserver.Step{Want: "SIZE file", Reply: fmt.Sprintf("213 %d", len(scriptContent))})...)
		upload(t, s, "file", []byte(scriptContent))
		assert.Equal(t, []testserver.Upload{{Content: scriptContent}}, f.Uploads())
	})
	t.Run("nobody else comes", func(t *testing.T) {
		t.Parallel()
		s, _ := activeSession(t, func(c *hawser.Connection) { c.Timeout = 300 * time.Millisecond },
			testserver.Step{Want: "EPRT *", Reply: "200 ok"}, testserver.Step{Want: "RETR file", Reply: "150 here"}, testserver.Step{Want: "NEVER"})
		start := time.Now()
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorContains(t, err, "set ftp.ports and ftp.external")
		assertTyped(t, "nobody", err)
		assert.Less(t, time.Since(start), soon)
		assertEnded(t, "no reply to the command either", s)
	})
	t.Run("the server says that it cannot come", func(t *testing.T) {
		t.Parallel()
		s, _ := activeSession(t, func(c *hawser.Connection) { c.Timeout = 500 * time.Millisecond },
			append(testserver.Steps{{Want: "EPRT *", Reply: "200 ok"}, {Want: "RETR file", Reply: "150 here\n425 no route to you"}}, probeSteps()...)...)
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorContains(t, err, "425 no route to you")
		assertInStep(t, "after 425", s)
		assert.True(t, s.Reusable())
	})
}

// freePort is one that was free a moment ago.
func freePort(t *testing.T) (port int, close func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port, func() { _ = l.Close() }
}

func TestPortsOfActiveTransfers(t *testing.T) {
	t.Parallel()
	t.Run("are of ftp.ports", func(t *testing.T) {
		t.Parallel()
		port, free := freePort(t)
		free()
		s, f := activeSession(t, func(c *hawser.Connection) { c.FTP.Ports = fmt.Sprintf("%d-%d", port, port) }, retrActive(&testserver.Transfer{Send: scriptContent})...)
		got, err := fetch(t.Context(), s, "file")
		if err != nil && strings.Contains(err.Error(), "no free port") {
			t.Skip("somebody else has taken the port")
		}
		require.NoError(t, err)
		assert.Equal(t, scriptContent, got)
		assert.Contains(t, f.Commands(), fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port))
	})
	t.Run("that are taken are an error", func(t *testing.T) {
		t.Parallel()
		port, _ := freePort(t)
		s, f := activeSession(t, func(c *hawser.Connection) { c.FTP.Ports = fmt.Sprint(port) }, probeSteps()...)
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorContains(t, err, "no free port in ftp.ports")
		assertTyped(t, "ports", err)
		assertInStep(t, "nothing was sent", s)
		require.NoError(t, s.Close())
		assert.NotContains(t, strings.Join(f.Commands(), " "), "EPRT")
	})
	t.Run("are free again afterwards", func(t *testing.T) {
		t.Parallel()
		port, free := freePort(t)
		free()
		var steps testserver.Steps
		for _, reply := range []string{"550 no", "425 no", "452 full"} {
			steps = append(steps, testserver.Step{Want: "/^(EPRT|PORT) /", Reply: "200 ok"}, testserver.Step{Want: "RETR file", Reply: reply})
			if reply == "550 no" {
				steps = append(steps, testserver.Step{Want: "SIZE file", Reply: "550 no"}, testserver.Step{Want: "CWD file", Reply: "550 no"})
			}
		}
		steps = append(steps, testserver.Step{Want: "/^(EPRT|PORT) /", Reply: "500 no"}, testserver.Step{Want: "/^(EPRT|PORT) /", Reply: "500 no"})
		s, _ := activeSession(t, func(c *hawser.Connection) { c.FTP.Ports = fmt.Sprint(port) }, append(steps, retrActive(&testserver.Transfer{Send: scriptContent})...)...)
		for range 4 {
			_, err := s.Open(t.Context(), "file", 0)
			require.Error(t, err)
			if strings.Contains(err.Error(), "address already in use") && strings.Contains(err.Error(), "no free port") {
				l, taken := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				if taken == nil {
					_ = l.Close()
				}
				require.Error(t, taken, "the port was left open")
				t.Skip("somebody else has taken the port")
			}
		}
		got, err := fetch(t.Context(), s, "file")
		require.NoError(t, err)
		assert.Equal(t, scriptContent, got)
	})
	t.Run("ftp.external is announced", func(t *testing.T) {
		t.Parallel()
		for external, want := range map[string]string{"192.0.2.7": "EPRT |1|192.0.2.7|", "2001:db8::7": "EPRT |2|2001:db8::7|"} {
			s, f := activeSession(t, func(c *hawser.Connection) { c.FTP.External = external },
				testserver.Step{Want: "EPRT *", Reply: "425 no"}, testserver.Step{Want: "PORT *", Reply: "500 no"})
			_, err := s.Open(t.Context(), "file", 0)
			require.Error(t, err)
			assertTyped(t, external, err)
			require.NoError(t, s.Close())
			require.NoError(t, f.Close())
			all := strings.Join(f.Commands(), "\n")
			assert.Contains(t, all, want)
			assert.Equal(t, external == "192.0.2.7", strings.Contains(all, "PORT 192,0,2,7,"), "PORT has no IPv6: %s", all)
		}
	})
}

// Names that could be a command are refused before a byte of them is sent.
func TestNoByteIsSentForANameOfSeveralLines(t *testing.T) {
	t.Parallel()
	f := testserver.FTPScript{Steps: append(loginSteps("MFMT", "HASH MD5", "MLST type*;"), probeSteps()...)}.Start(t)
	counted := &counting{}
	s, err := ftp.Dialer{Transport: counted}.Open(t.Context(), scripted(t, f.Addr(), ""))
	require.NoError(t, err)
	before, dialed := counted.bytes.Load(), counted.dialed.Load()
	ctx := t.Context()
	for _, name := range []string{"", "a\r\nDELE b", "a\nb", "a\rb", "a\x00b", "\n", "a\r", "a/\x00"} {
		_, open := s.Open(ctx, name, 0)
		_, resume := s.Open(ctx, name, 5)
		_, create := s.Create(ctx, name, 0)
		_, appends := s.Create(ctx, name, 5)
		_, stat := s.Stat(ctx, name)
		_, hash := s.Hash(ctx, "md5", name)
		_, list := names(ctx, s, name)
		_, _, quote := s.Quote(ctx, name)
		for op, err := range map[string]error{
			"open": open, "resume": resume, "create": create, "append": appends, "stat": stat, "hash": hash, "list": list, "quote": quote,
			"mkdir": s.Mkdir(ctx, name), "remove": s.Remove(ctx, name), "from": s.Rename(ctx, name, "a"), "to": s.Rename(ctx, "a", name),
			"chtimes": s.Chtimes(ctx, name, time.Now()), "chmod": s.Chmod(ctx, name, 0o600),
		} {
			var path *fs.PathError
			require.ErrorIs(t, err, fs.ErrInvalid, "%s %q", op, name)
			require.ErrorAs(t, err, &path, "%s %q", op, name)
			assert.False(t, strings.ContainsAny(err.Error(), "\r\n\x00"), "%s %q", op, name)
		}
	}
	assert.Equal(t, before, counted.bytes.Load())
	assert.Equal(t, dialed, counted.dialed.Load())
	assertInStep(t, "names", s)
	require.NoError(t, s.Close())
}

// counting is a Transport that counts what is sent.
type counting struct{ bytes, dialed atomic.Int64 }

func (c *counting) DialNet(ctx context.Context, conn hawser.Connection, network, addr string) (net.Conn, error) {
	c.dialed.Add(1)
	raw, err := hawser.Direct{}.DialNet(ctx, conn, network, addr)
	if err != nil {
		return nil, err
	}
	return &countedConn{raw, c}, nil
}

type countedConn struct {
	net.Conn
	counts *counting
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.counts.bytes.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// Auto tries passive, and then active, and remembers which of them worked.
func TestAutoRemembersTheWay(t *testing.T) {
	t.Parallel()
	serve := func(t *testing.T, steps testserver.Steps) (*ftp.Session, *testserver.ScriptedFTP) {
		f := testserver.FTPScript{Steps: append(loginSteps(), steps...)}.Start(t)
		c := scripted(t, f.Addr(), "")
		c.FTP.Mode = hawser.Auto
		return open(t, c), f
	}
	closed, free := freePort(t)
	free()
	refusals := map[string]testserver.Steps{
		"EPSV and PASV are refused":     {{Want: "EPSV", Reply: "500 what"}, {Want: "PASV", Reply: "500 what"}},
		"the port is closed":            {{Want: "EPSV", Reply: fmt.Sprintf("229 go (|||%d|)", closed)}, {Want: "PASV", Reply: fmt.Sprintf("227 go (127,0,0,1,%d,%d)", closed>>8, closed&0xff)}},
		"the replies are malformed":     {{Want: "EPSV", Reply: "229 go"}, {Want: "PASV", Reply: "227 go"}},
		"the data connection is closed": {dataStep(hawser.Passive), {Want: "RETR file", Reply: "425 no"}},
	}
	for name, first := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := retrActive(&testserver.Transfer{Send: scriptContent})
			s, f := serve(t, slices.Concat(first, again, again, again))
			for range 3 {
				assert.Equal(t, scriptContent, string(download(t, s, "file")))
			}
			passive := 0
			for _, line := range f.Commands() {
				if line == "EPSV" {
					passive++
				}
			}
			assert.Equal(t, 1, passive)
		})
	}
	t.Run("PASV works where EPSV does not", func(t *testing.T) {
		t.Parallel()
		pasv := append(testserver.Steps{{Want: "PASV", Reply: "227 go (127,0,0,1,{p1},{p2})"}}, downloadExchange(hawser.Passive).steps[1:]...)
		s, _ := serve(t, slices.Concat(testserver.Steps{{Want: "EPSV", Reply: fmt.Sprintf("229 go (|||%d|)", closed)}}, pasv, pasv))
		assert.Equal(t, scriptContent, string(download(t, s, "file")))
		assert.Equal(t, scriptContent, string(download(t, s, "file")))
	})
	t.Run("passive works", func(t *testing.T) {
		t.Parallel()
		one := downloadExchange(hawser.Passive).steps
		s, _ := serve(t, slices.Concat(one, one))
		assert.Equal(t, scriptContent, string(download(t, s, "file")))
		assert.Equal(t, scriptContent, string(download(t, s, "file")))
	})
	t.Run("neither works", func(t *testing.T) {
		t.Parallel()
		s, _ := serve(t, append(testserver.Steps{
			{Want: "EPSV", Reply: "500 what"}, {Want: "PASV", Reply: "500 what"}, {Want: "EPRT *", Reply: "500 what"}, {Want: "PORT *", Reply: "500 what"},
		}, probeSteps()...))
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorContains(t, err, "passive data connection")
		require.ErrorContains(t, err, "active data connection")
		assertTyped(t, "neither", err)
		assertInStep(t, "neither", s)
	})
	t.Run("a file that is missing is no matter of the way", func(t *testing.T) {
		t.Parallel()
		s, f := serve(t, testserver.Steps{dataStep(hawser.Passive), {Want: "RETR file", Reply: "550 no"}, {Want: "SIZE file", Reply: "550 no"}, {Want: "CWD file", Reply: "550 no"}})
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.NotContains(t, strings.Join(f.Commands(), " "), "EPRT")
	})
}

// blackHole is a Transport, as through a tunnel, to whose data connections nobody
// answers.
type blackHole struct{ dialed atomic.Int64 }

func (h *blackHole) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	if h.dialed.Add(1) == 1 {
		conn, err := hawser.Direct{}.DialNet(ctx, c, network, addr)
		return struct{ net.Conn }{conn}, err
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestDataConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, mode hawser.DataMode, timeout time.Duration, steps ...testserver.Step) *ftp.Session {
		f := testserver.FTPScript{Steps: append(loginSteps(), steps...)}.Start(lenient{t})
		c := scripted(t, f.Addr(), "")
		c.FTP.Mode, c.Timeout = mode, timeout
		s, err := ftp.Dialer{Transport: &blackHole{}}.Open(t.Context(), c)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	t.Run("passive by the timeout", func(t *testing.T) {
		t.Parallel()
		s := begin(t, hawser.Passive, 300*time.Millisecond, append(testserver.Steps{dataStep(hawser.Passive), {Want: "PASV", Reply: "227 go (127,0,0,1,{p1},{p2})"}}, probeSteps()...)...)
		start := time.Now()
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorContains(t, err, "passive data connection")
		assertTyped(t, "passive", err)
		assert.Less(t, time.Since(start), soon)
		assertInStep(t, "passive", s)
	})
	t.Run("auto by its share of it", func(t *testing.T) {
		t.Parallel()
		s := begin(t, hawser.Auto, 3*time.Second, testserver.Step{Want: "EPSV", Reply: "229 go (|||60123|)"}, testserver.Step{Want: "PASV", Reply: "500 what"}, testserver.Step{Want: "NEVER"})
		start := time.Now()
		_, err := s.Open(t.Context(), "file", 0)
		require.ErrorIs(t, err, errors.ErrUnsupported, "no active transfers through this transport")
		assert.Less(t, time.Since(start), 2500*time.Millisecond)
	})
	t.Run("by the context", func(t *testing.T) {
		t.Parallel()
		s := begin(t, hawser.Passive, 20*time.Second, append(testserver.Steps{dataStep(hawser.Passive)}, probeSteps()...)...)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		err := within(t, ctx, func() error { _, err := s.Open(ctx, "file", 0); return err })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assertTyped(t, "context", err)
	})
	t.Run("by Close", func(t *testing.T) {
		t.Parallel()
		s := begin(t, hawser.Passive, 20*time.Second, dataStep(hawser.Passive), testserver.Step{Want: "NEVER"})
		closed, done := context.WithCancel(t.Context())
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Received: func(m hawser.Message) {
			if strings.HasPrefix(m.Text, "229") { // the next thing is to connect
				go func() { _ = s.Close(); done() }()
			}
		}})
		err := within(t, closed, func() error { _, err := s.Open(ctx, "file", 0); return err })
		require.ErrorIs(t, err, net.ErrClosed)
		assertTyped(t, "closed", err)
	})
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("a server that says nothing, TLS %v", secure), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			login, ca := loginSteps(), ""
			if secure {
				login, ca = secureSteps(hawser.TLSExplicit), b.ca
			}
			f := testserver.FTPScript{Identity: b.id, Steps: slices.Concat(login, retr("150 here", &testserver.Transfer{Open: true, Clear: true}, "", testserver.Step{Want: "NEVER"}))}.Start(lenient{t})
			c := scripted(t, f.Addr(), ca)
			c.Timeout = time.Second
			s := open(t, c)
			start := time.Now()
			_, err := fetch(t.Context(), s, "file")
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assertTyped(t, "silence", err)
			assert.Less(t, time.Since(start), 5*time.Second)
			assertEnded(t, "silence", s)
		})
	}
	t.Run("a slow transfer is none that stands still", func(t *testing.T) {
		t.Parallel()
		f := testserver.FTPScript{Steps: append(loginSteps(), retr("150 here", &testserver.Transfer{Send: scriptContent}, "226 done")...)}.Start(t)
		c := scripted(t, f.Addr(), "")
		c.Timeout = 300 * time.Millisecond
		s := open(t, c)
		r, err := s.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		one, got := make([]byte, 1), ""
		tick := time.NewTicker(30 * time.Millisecond)
		defer tick.Stop()
		for {
			<-tick.C
			n, err := r.Read(one)
			got += string(one[:n])
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
		}
		assert.Equal(t, scriptContent, got, "though it took longer than the timeout in all")
	})
}
