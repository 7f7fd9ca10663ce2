package hawsertest

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeHarness is that of a fakeMailer with a bug, "" for none.
func fakeHarness(t *testing.T, bug string) MailerHarness {
	post, one := newPost(t), &sync.Mutex{}
	addr := post.listener.Addr().String()
	dial := func(t *testing.T, addr string, timeout time.Duration) hawser.Mailer {
		s, err := dialPost(addr, bug, timeout, one)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.conn.Close() })
		return s
	}
	return MailerHarness{
		Open: func(t *testing.T) hawser.Mailer { return dial(t, addr, hawser.DefaultTimeout) },
		From: "sender@post.invalid", To: []string{"a@post.invalid", "b@post.invalid", "c@post.invalid"}, Refused: post.refuse,
		Delivered: post.inbox, Addr: addr, Dial: dial,
	}
}

func testMailer(bug string) func(t *testing.T) {
	return func(t *testing.T) { TestMailer(t, fakeHarness(t, bug)) }
}

func TestMailerOfFake(t *testing.T) { testMailer("")(t) }

func TestMailerThatRefusesWhatItMay(t *testing.T) { testMailer("mailer: refuses what it may")(t) }

func TestMailerThatIsParallel(t *testing.T) { testMailer("mailer: parallel")(t) }

func TestMailerThatIsNoSession(t *testing.T) {
	h := fakeHarness(t, "")
	h.Open = func(*testing.T) hawser.Mailer { return oneByOne(h.Addr) }
	h.Refused, h.Dial = "", nil
	TestMailer(t, h)
}

// oneByOne opens a session at this address for each message.
type oneByOne string

func (addr oneByOne) Send(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	s, err := dialPost(string(addr), "", hawser.DefaultTimeout, nil)
	if err != nil {
		return hawser.Receipt{}, err
	}
	defer s.Close()
	return s.Send(ctx, env, msg)
}

func TestUntracedKeepsTheMessage(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"": "", "a": "a", "Received: x": "Received: x", "Received: x\r\n": "", "\r\n": "\r\n",
		"Received: x\r\n\ty\r\n z\r\nX-A:\r\nreturn-path: <>\r\nSubject: x\r\n": "Subject: x\r\n",
		" folded\r\n":               " folded\r\n",
		"Received\r\n":              "Received\r\n",
		"Received: x\r\n\r\nx":      "\r\nx",
		"Subject: X-A\r\nX-B: \r\n": "Subject: X-A\r\nX-B: \r\n",
	} {
		assert.Equal(t, want, string(untraced([]byte(data))), "untraced(%q)", data)
	}
}

func FuzzUntraced(f *testing.F) {
	f.Add([]byte("Received: x\r\n\ty\r\nSubject: x\r\n"))
	f.Add([]byte(" x\r\nX-: \r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rest := untraced(data)
		require.True(t, bytes.HasSuffix(data, rest), "untraced gave %q, which is no end of it", rest)
		require.Equal(t, rest, untraced(rest), "what is left has trace fields before it")
	})
}

func TestLettersHaveTheSizeThatIsAsked(t *testing.T) {
	t.Parallel()
	m := &mails{T: t, MailerHarness: MailerHarness{From: "a@post.invalid"}}
	for size := 300; size < 700; size++ {
		l := m.sized(size)
		require.Len(t, l.text, size)
		require.Equal(t, l.text, string(l.want()), "lines that do not end in CR LF")
		require.Equal(t, l.marker, markerOf([]byte("Received: x\r\n"+l.text)))
	}
	require.NotEqual(t, m.letter("").marker, m.letter("").marker)
	require.Empty(t, markerOf([]byte(mark+"cut")))
	require.Equal(t, "a\r\n\r\nb\r\n", string(canonical("a\n\r\nb")))
	require.Empty(t, canonical(""))
}
