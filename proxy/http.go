package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// maxAnswer bounds the head of an answer, in bytes, and what is read of a body to
// go on behind it.
const maxAnswer = 64 << 10

// connectHTTP is CONNECT (RFC 9110, section 9.3.6).
func (w *way) connectHTTP(ctx context.Context, t target) (net.Conn, error) {
	l := w.known.login(w.p)
	var talk *dialogue
	defer func() {
		if talk != nil {
			_ = talk.conn.Close()
		}
	}()
	for {
		if talk == nil {
			raw, err := w.open(ctx, t)
			if err != nil {
				return nil, err
			}
			talk = newDialogue(raw)
		}
		r, err := w.attempt(ctx, talk, t, l)
		switch {
		case err != nil:
			return nil, err
		case r.StatusCode/100 == 2:
			c := &conn{Conn: talk.conn, remote: t.remote(), rest: talk.rest()}
			talk = nil
			w.known.keep(w.p, l)
			return c, nil
		case !l.again(w.p, r):
			return nil, w.refusal(t, r, l) // a login that is refused is not sent again
		case !talk.next(ctx, r):
			_ = talk.conn.Close()
			talk = nil // the proxy hangs up after a refusal
		}
	}
}

// attempt is one request and its answer.
func (w *way) attempt(ctx context.Context, talk *dialogue, t target, l *login) (*http.Response, error) {
	authorization, err := l.header(w.p, t.requestHost())
	if err != nil {
		return nil, w.fail(ctx, OpLogin, t, err)
	}
	var r *http.Response
	err = converse(ctx, talk.conn, func() error {
		r, err = talk.ask(t.requestHost(), authorization)
		return err
	})
	var odd *notHTTP
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &odd) && !opening.IsOver(ctx):
		return nil, w.oddAnswer(t, odd)
	}
	return nil, w.refine(ctx, OpConnect, t, err)
}

// A dialogue is the requests and answers on one connection to a proxy.
type dialogue struct {
	conn   net.Conn
	stream *stream
	bound  *io.LimitedReader // of stream
	reader *bufio.Reader     // of bound
}

func newDialogue(conn net.Conn) *dialogue {
	d := &dialogue{conn: conn, stream: &stream{Reader: conn}}
	d.bound = &io.LimitedReader{R: d.stream}
	d.reader = bufio.NewReader(d.bound)
	return d
}

// A stream remembers that it broke, for net/http calls half a line malformed.
type stream struct {
	io.Reader
	err error
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.err = err
	return n, err
}

// rest is what came behind the answer: the target may have spoken first.
func (d *dialogue) rest() []byte {
	b, _ := d.reader.Peek(d.reader.Buffered())
	return bytes.Clone(b)
}

// ask sends a request and reads the head of its answer.
func (d *dialogue) ask(host, authorization string) (*http.Response, error) {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: host}, Host: host, Header: http.Header{"User-Agent": {"hawser"}}}
	if authorization != "" {
		r.Header.Set("Proxy-Authorization", authorization)
	}
	if err := r.Write(d.conn); err != nil {
		return nil, err
	}
	const mostInterim = 8 // 1xx (RFC 9110, section 15.2)
	for range mostInterim {
		answer, err := d.answer(r)
		if err != nil || answer.StatusCode/100 != 1 {
			return answer, err
		}
	}
	return nil, &notHTTP{problem: "it never comes to a final answer"}
}

// A notHTTP is the error of an answer that is none.
type notHTTP struct {
	problem string
	first   byte
}

func (e *notHTTP) Error() string { return e.problem }

func (d *dialogue) answer(r *http.Request) (*http.Response, error) {
	d.bound.N = maxAnswer
	const begin = "HTTP/"
	head, err := d.reader.Peek(len(begin))
	if len(head) > 0 && !strings.HasPrefix(begin, string(head[:min(len(head), len(begin))])) {
		return nil, &notHTTP{problem: fmt.Sprintf("its answer begins with %q", hawser.Printable(string(head))), first: head[0]}
	}
	if err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(d.reader, r)
	switch {
	case err == nil:
		return answer, nil
	case d.bound.N <= 0:
		return nil, &notHTTP{problem: fmt.Sprintf("the head of its answer is longer than %d bytes", maxAnswer), first: 'H'}
	case d.stream.err != nil:
		return nil, d.stream.err
	}
	// net/http quotes the line that it does not understand, however long it is.
	return nil, &notHTTP{problem: "its answer is malformed", first: 'H'}
}

// next makes the dialogue ready for another request, and reports whether it can be.
func (d *dialogue) next(ctx context.Context, r *http.Response) bool {
	if r.Close || r.ContentLength < 0 && len(r.TransferEncoding) == 0 || r.ContentLength > maxAnswer {
		return false
	}
	d.bound.N = maxAnswer
	whole := false
	err := converse(ctx, d.conn, func() error {
		n, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxAnswer))
		whole = n < maxAnswer
		return err
	})
	return err == nil && whole
}

func (w *way) oddAnswer(t target, odd *notHTTP) *Error {
	e := &Error{Proxy: w.String(), Target: t.addr, Op: OpConnect, Reason: "it does not speak HTTP: " + odd.problem}
	switch odd.first {
	case 0, 4, 5:
		e.cure = "it may be a SOCKS proxy: set proxy.type to socks5h or socks4a"
	case 0x15, 0x16:
		e.cure = "it may speak TLS: set proxy.type to https"
	case 'S', '2':
		e.cure = "it may be a server and no proxy"
	}
	return e
}
