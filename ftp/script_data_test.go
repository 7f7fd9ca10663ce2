package ftp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// retr is a download that a server handles as told, over EPSV.
func retr(reply string, data *testserver.Transfer, then string, more ...testserver.Step) testserver.Steps {
	return append(testserver.Steps{
		dataStep(hawser.Passive), {Want: "RETR file", Reply: reply, Data: data, Then: then},
	}, more...)
}

// stor is an upload likewise.
func stor(data *testserver.Transfer, then string, more ...testserver.Step) testserver.Steps {
	return append(testserver.Steps{
		dataStep(hawser.Passive), {Want: "STOR file", Reply: "150 go", Data: data, Then: then},
	}, more...)
}

// A download that is cut is an error, in whatever way, and wherever.
func TestDownloadCutAtEveryByte(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, secure := range []hawser.TLSMode{hawser.TLSNone, hawser.TLSExplicit} {
		for _, mode := range []hawser.DataMode{hawser.Passive, hawser.Active} {
			for _, fault := range []testserver.Fault{testserver.Cut, testserver.Reset, testserver.Stall} {
				x := downloadExchange(mode)
				x.tls, x.name = secure, fmt.Sprintf("content of a %s %s", x.name, secure)
				t.Run(fmt.Sprintf("%s %s", faultName(testserver.FTPFault{Fault: fault}), x.name), func(t *testing.T) {
					t.Parallel()
					for after := range len(scriptContent) {
						r := b.strike(t, x, testserver.FTPFault{Fault: fault, On: testserver.FTPDownload, After: int64(after)}, 0)
						require.Error(t, r.err, r.where)
						r.checkData(t, fault)
						r.close()
					}
				})
			}
		}
	}
}

// checkData is what holds after a fault of a data connection.
func (r run) checkData(t *testing.T, fault testserver.Fault) {
	t.Helper()
	require.NotErrorIs(t, r.err, errWrong, r.where)
	if r.err != nil {
		assertTyped(t, r.where, r.err)
	}
	if fault == testserver.Stall && r.ctx.Err() != nil && !r.ctx.ended.IsZero() && r.err != nil {
		require.ErrorIs(t, r.err, context.Canceled, r.where)
		assertEnded(t, r.where, r.s)
		return
	}
	if r.s.Reusable() {
		assertInStep(t, r.where, r.s)
	} else {
		assertEnded(t, r.where, r.s)
	}
}

// What is below TLS may break anywhere: in the handshake, in a record, between
// two, in the farewell.
func TestDownloadCutBelowTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const stride = 7 // it takes a while; 1 has been run too
	for _, mode := range []hawser.DataMode{hawser.Passive, hawser.Active} {
		x := downloadExchange(mode)
		x.tls, x.name = hawser.TLSExplicit, "TLS records of a "+x.name
		whole := b.strike(t, x, testserver.FTPFault{}, 0)
		require.NoError(t, whole.err)
		total := whole.f.Passed(testserver.FTPDownloadWire)
		require.Greater(t, total, int64(len(scriptContent)))
		whole.close()
		for _, fault := range faults() {
			t.Run(fmt.Sprintf("%s %s", faultName(testserver.FTPFault{Fault: fault}), x.name), func(t *testing.T) {
				t.Parallel()
				for after := int64(fault); after < total; after += stride {
					r := b.strike(t, x, testserver.FTPFault{Fault: fault, On: testserver.FTPDownloadWire, After: after}, 0)
					r.checkData(t, fault)
					r.close()
				}
			})
		}
	}
}

// An upload of which something is missing is an error, where the server tells
// what it has, or breaks off.
func TestUploadCutAtEveryByte(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, secure := range []hawser.TLSMode{hawser.TLSNone, hawser.TLSExplicit} {
		for _, then := range []string{"226 done", "426 cut", "451 no", "552 full"} {
			for _, fault := range []testserver.Fault{testserver.Cut, testserver.Reset} {
				name := fmt.Sprintf("content of an upload, then %s %s", then[:3], secure)
				t.Run(fmt.Sprintf("%s %s", faultName(testserver.FTPFault{Fault: fault}), name), func(t *testing.T) {
					t.Parallel()
					for after := range len(scriptContent) {
						x := uploadExchange(hawser.Passive)
						x.tls, x.name = secure, name
						x.steps[1].Then, x.steps[2].Reply = then, fmt.Sprintf("213 %d", after)
						r := b.strike(t, x, testserver.FTPFault{Fault: fault, On: testserver.FTPUpload, After: int64(after)}, 0)
						require.Error(t, r.err, r.where)
						var partial *hawser.PartialError
						require.ErrorAs(t, r.err, &partial, r.where)
						assert.LessOrEqual(t, partial.Good, int64(after), r.where)
						r.checkData(t, fault)
						r.close()
					}
				})
			}
		}
	}
}

// The end of a download, and what the client makes of it.
func TestEndOfADownload(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	size := testserver.Step{Want: "SIZE file", Reply: "213 10"}
	noSize := testserver.Step{Want: "SIZE file", Reply: "500 what"}
	for _, row := range []struct {
		name   string
		secure bool
		steps  testserver.Steps
		want   string // of the error; "": all is well
		got    string
	}{
		{"all of it", false, retr("150 here", &testserver.Transfer{Send: text}, "226 done"), "", text},
		{"226 before the content", false, testserver.Steps{dataStep(hawser.Passive), {Want: "RETR file", Reply: "150 here", Raw: "226 done\r\n", Data: &testserver.Transfer{Send: text}}}, "", text},
		{"226 instead of 150", false, retr("226 here you are", &testserver.Transfer{Send: text}, ""), "", text},
		{"125 instead of 150", false, retr("125 here", &testserver.Transfer{Send: text}, "250 done"), "", text},
		{"less than announced", false, retr("150 here (11 bytes)", &testserver.Transfer{Send: text}, "226 done"), "10 bytes of 11", text},
		{"more than announced", false, retr("150 here (9 bytes)", &testserver.Transfer{Send: text}, "226 done"), "", text},
		{"a close and 426", false, retr("150 here", &testserver.Transfer{Send: text}, "426 cut"), "426 cut", text},
		{"a close and 451", false, retr("150 here", &testserver.Transfer{Send: text}, "451 disk"), "451 disk", text},
		{"a reset and 226", false, retr("150 here", &testserver.Transfer{Send: text, Reset: true}, "226 done"), "reset", ""},
		{"a reset and 426", false, retr("150 here", &testserver.Transfer{Send: text, Reset: true}, "426 cut"), "data connection", ""},
		{"425 instead of 150", false, retr("425 no way", nil, ""), "425 no way", ""},
		{"425 after 150", false, retr("150 here", &testserver.Transfer{}, "425 no way"), "425 no way", ""},
		{"450 instead of 150", false, retr("450 busy", nil, ""), "450 busy", ""},
		{"452 instead of 150", false, retr("452 full", nil, ""), "452 full", ""},
		{"522 instead of 150", true, retr("522 session reuse required", nil, ""), "522 session reuse required", ""},
		{"TLS that ends without a word, and the size is right", true, retr("150 here", &testserver.Transfer{Send: text, NoNotify: true}, "226 done", size), "", text},
		{"TLS that ends without a word, and the size is not known", true, retr("150 here", &testserver.Transfer{Send: text, NoNotify: true}, "226 done", noSize), "may have been cut", text},
		{"TLS that ends without a word, and something is missing", true, retr("150 here", &testserver.Transfer{Send: text[:9], NoNotify: true}, "226 done", size), "9 bytes of 10", text[:9]},
		{"TLS that ends without a word, and more was announced", true, retr("150 here (10 bytes)", &testserver.Transfer{Send: text[:9], NoNotify: true}, "226 done"), "9 bytes of 10", text[:9]},
		{"no TLS where it was agreed", true, retr("150 here", &testserver.Transfer{Send: text, Clear: true}, "226 done"), "TLS", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			x := exchange{name: row.name, mode: hawser.Passive, steps: row.steps, tls: hawser.TLSNone}
			if row.secure {
				x.tls = hawser.TLSExplicit
			}
			var got string
			x.run = func(ctx context.Context, s *ftp.Session, _ *testserver.ScriptedFTP) (err error) {
				got, err = fetch(ctx, s, "file")
				return err
			}
			r := newBench(t).strictly(t, x)
			if row.want == "" {
				require.NoError(t, r.err)
			} else {
				require.ErrorContains(t, r.err, row.want)
				assertTyped(t, row.name, r.err)
			}
			if row.got != "" {
				assert.Equal(t, row.got, got)
			}
			assert.True(t, r.s.Reusable())
			assertInStep(t, row.name, r.s)
			require.True(t, r.s.Reusable(), "the session is in step")
			r.close()
		})
	}
}

// strictly runs x against a script that the client must not stray from.
func (b *bench) strictly(t *testing.T, x exchange) run {
	t.Helper()
	script := b.script(x)
	f := script.Start(t)
	c := scripted(t, f.Addr(), "")
	if x.tls != hawser.TLSNone {
		c.TLS.Mode, c.TLS.Roots = x.tls, b.ca
	}
	c.FTP.Mode = x.mode
	r := run{where: x.name, f: f, log: &overheard{}}
	s, err := ftp.Dialer{}.Open(t.Context(), c)
	require.NoError(t, err)
	r.s, r.err = s, x.run(r.log.in(t.Context()), s, f)
	return r
}

// large is more than what is on its way between two sockets.
var large = strings.Repeat("0123456789abcdef", 1<<20)

// The end of an upload, and what the client makes of it.
func TestEndOfAnUpload(t *testing.T) {
	t.Parallel()
	size := func(n int) testserver.Step {
		return testserver.Step{Want: "SIZE file", Reply: fmt.Sprintf("213 %d", n)}
	}
	noSize := testserver.Step{Want: "SIZE file", Reply: "500 what"}
	receive := &testserver.Transfer{Receive: true}
	some := &testserver.Transfer{Receive: true, Limit: 1000, Reset: true}
	for _, row := range []struct {
		name, text string
		secure     bool
		steps      testserver.Steps
		want       string // of the error; "": all is well
	}{
		{"all of it", scriptContent, false, stor(receive, "226 done", size(len(scriptContent))), ""},
		{"all of it, over TLS", large, true, stor(receive, "226 done", size(len(large))), ""},
		{"an empty file, over TLS", "", true, stor(receive, "226 done", size(0)), ""},
		{"sizes are not told", scriptContent, false, stor(receive, "250 done", noSize), ""},
		{"the size is no number", scriptContent, false, stor(receive, "250 done", testserver.Step{Want: "SIZE file", Reply: "213 many"}), ""},
		{"the size is another", scriptContent, false, stor(receive, "226 done", size(7), size(7)), "7 bytes of 21"},
		{"class 1 before the end", scriptContent, false, stor(receive, "126 soon\n226 done", size(len(scriptContent))), ""},
		{"class 1 before a refusal", scriptContent, false, stor(receive, "126 soon\n426 done", size(7)), "426 done"},
		{"class 3 at the end", scriptContent, false, stor(receive, "326 done", size(7)), "326 done"},
		{"426 at the end", scriptContent, false, stor(receive, "426 done", size(7)), "426 done"},
		{"426 at the end, over TLS", large, true, stor(receive, "426 done", size(7)), "426 done"},
		{"552 in the middle", large, false, stor(some, "552 the disk is full", size(1000)), "552 the disk is full"},
		{"552 in the middle, over TLS", large, true, stor(some, "552 the disk is full", size(1000)), "552 the disk is full"},
		{"452 in the middle", large, false, stor(some, "452 no room", size(1000)), "452 no room"},
		{"226 in the middle", large, false, stor(some, "226 done", size(1000)), "226 done"},
		{"226 in the middle, over TLS", large, true, stor(some, "226 done", size(1000)), "226 done"},
		{"425 after 150, over TLS", scriptContent, true, stor(receive, "425 session reuse", size(0)), "425 session reuse"},
		{"553 instead of 150", scriptContent, false, testserver.Steps{dataStep(hawser.Passive), {Want: "STOR file", Reply: "553 no"}, {Want: "SIZE file", Reply: "550 no"}, {Want: "CWD file", Reply: "550 no"}}, "553 no"},
		{"452 instead of 150", scriptContent, false, testserver.Steps{dataStep(hawser.Passive), {Want: "STOR file", Reply: "452 full"}}, "452 full"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			x := exchange{name: row.name, mode: hawser.Passive, steps: row.steps, tls: hawser.TLSNone}
			if row.secure {
				x.tls = hawser.TLSExplicit
			}
			x.run = func(ctx context.Context, s *ftp.Session, _ *testserver.ScriptedFTP) error {
				return store(ctx, s, "file", row.text)
			}
			r := newBench(t).strictly(t, x)
			if row.want == "" {
				require.NoError(t, r.err)
				got := r.f.Uploads()
				require.Len(t, got, 1)
				require.NoError(t, got[0].Err)
				assert.Len(t, got[0].Content, len(row.text))
			} else {
				require.ErrorContains(t, r.err, row.want)
				assertTyped(t, row.name, r.err)
			}
			assertInStep(t, row.name, r.s)
			require.True(t, r.s.Reusable(), "the session is in step")
			r.close()
		})
	}
}

// A server that says nothing any more holds nobody up.
func TestSilenceInATransferEndsWithTheContext(t *testing.T) {
	t.Parallel()
	download := func(ctx context.Context, s *ftp.Session) error { _, err := fetch(ctx, s, "file"); return err }
	upload := func(ctx context.Context, s *ftp.Session) error { return store(ctx, s, "file", large) }
	for _, row := range []struct {
		name  string
		steps testserver.Steps
		run   func(context.Context, *ftp.Session) error
	}{
		{"no 150", retr("", nil, ""), download},
		{"no content", retr("150 here", &testserver.Transfer{Open: true}, ""), download},
		{"no end of the content", retr("150 here", &testserver.Transfer{Send: "some", Open: true}, ""), download},
		{"no 226", retr("150 here", &testserver.Transfer{Send: "some"}, ""), download},
		{"nobody reads", stor(&testserver.Transfer{Receive: true, Limit: 10, Open: true}, ""), upload},
		{"no 226 to an upload", stor(&testserver.Transfer{Receive: true}, ""), upload},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			steps := append(row.steps, testserver.Step{Want: "NEVER"})
			s, f := playFreely(t, nil, steps...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go cancelWhen(t, cancel, func() bool { return len(f.Commands()) == len(loginSteps())+1 })
			err := within(t, ctx, func() error { return row.run(ctx, s) })
			require.ErrorIs(t, err, context.Canceled)
			assertTyped(t, row.name, err)
			assertEnded(t, row.name, s)
		})
	}
}

// cancelWhen calls cancel soon after is, when the client waits in all likelihood.
func cancelWhen(t *testing.T, cancel func(), is func() bool) {
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for again := 0; again < 2 && t.Context().Err() == nil; {
		<-tick.C
		if is() {
			again++
		}
	}
}

// A download that is not wanted any more is given up by ABOR, which not every
// server answers.
func TestDownloadGivenUp(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, timeout time.Duration, steps ...testserver.Step) (*ftp.Session, io.ReadCloser) {
		f := testserver.FTPScript{Steps: append(loginSteps(), append(retr("150 here", &testserver.Transfer{Send: "some", Open: true}, ""), steps...)...)}.Start(lenient{t})
		c := scripted(t, f.Addr(), "")
		c.Timeout = timeout
		s := open(t, c)
		r, err := s.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		return s, r
	}
	t.Run("the server answers", func(t *testing.T) {
		t.Parallel()
		s, r := begin(t, 20*time.Second, append(testserver.Steps{
			{Want: "ABOR", EndData: true, Reply: "426 cut\n226 aborted"}, {Want: "NOOP", Reply: "200 alive"},
		}, probeSteps()...)...)
		require.NoError(t, r.Close())
		assert.True(t, s.Reusable())
		assertInStep(t, "given up", s)
	})
	t.Run("the server does not", func(t *testing.T) {
		t.Parallel()
		s, r := begin(t, 300*time.Millisecond, testserver.Step{Want: "ABOR"}, testserver.Step{Want: "NOOP"}, testserver.Step{Want: "NEVER"})
		start := time.Now()
		require.NoError(t, r.Close(), "nobody wants the rest")
		assert.Less(t, time.Since(start), 2*soon)
		assertEnded(t, "given up", s)
	})
	t.Run("the server hangs up", func(t *testing.T) {
		t.Parallel()
		s, r := begin(t, 20*time.Second, testserver.Step{Want: "ABOR", Close: true})
		_ = r.Close()
		assertEnded(t, "given up", s)
	})
}

// The reader or writer of a session that was closed does not hang, nor succeed.
func TestCloseOfTheSessionInATransfer(t *testing.T) {
	t.Parallel()
	s, _ := playFreely(t, nil, retr("150 here", &testserver.Transfer{Send: "some", Open: true}, "", testserver.Step{Want: "NEVER"})...)
	r, err := s.Open(t.Context(), "file", 0)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _ = s.Close(); cancel() }()
	err = within(t, ctx, func() error { _, err := io.Copy(io.Discard, r); return errors.Join(err, r.Close()) })
	require.Error(t, err)
	assertTyped(t, "closed", err)
	assert.False(t, s.Reusable())
}
