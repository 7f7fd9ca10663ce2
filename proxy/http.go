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
	"strconv"
	"strings"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// maxAnswer bounds the head of an answer, in bytes, and what is read of a body to
// go on behind it.
const maxAnswer = 64 << 10

// connectHTTP is CONNECT (RFC 9110, section 9.3.6).
func (w *way) connectHTTP(ctx context.Context, t target) (net.Conn, error) {
	l := w.known.login(w)
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
		case errors.Is(err, errLeft):
			talk = nil
		case err != nil:
			return nil, err
		case r.StatusCode/100 == 2:
			c := &conn{Conn: talk.conn, remote: t.remote(), rest: talk.rest()}
			talk = nil
			w.known.keep(w, l)
			return c, nil
		case !l.again(w.p, r):
			return nil, w.refusal(t, r, l) // a login that is refused is not sent again
		case !talk.next(ctx, r):
			talk = nil // the proxy hangs up after a refusal
		}
	}
}

// errLeft is the error of a proxy that hung up after a refusal without saying so.
var errLeft = errors.New("the proxy has left")

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
	case opening.IsOver(ctx):
		return nil, w.fail(ctx, OpConnect, t, err)
	case errors.As(err, &odd):
		return nil, w.oddAnswer(t, odd)
	case talk.reused && !talk.stream.heard:
		return nil, errLeft
	case l.sent && !l.borrowed:
		return nil, w.fail(ctx, OpLogin, t, hungUp(err))
	}
	return nil, w.fail(ctx, OpConnect, t, hungUp(err))
}

// A dialogue is the requests and answers on one connection to a proxy.
type dialogue struct {
	conn   net.Conn
	stream *stream
	bound  *io.LimitedReader // of stream
	reader *bufio.Reader     // of bound
	reused bool              // there was an answer before
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
	heard bool // something has come since the last request
	err   error
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.heard, s.err = s.heard || n > 0, err
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
	if err := d.begin(); err != nil {
		return nil, err
	}
	head, err := d.head()
	if err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(head), d.reader)), r)
	if err == nil {
		return answer, nil
	}
	// A success has no body, whatever its fields say of one (RFC 9110, section 9.3.6).
	status, _, _ := strings.Cut(head, "\n")
	if fields := strings.Fields(status); len(fields) > 1 && isSuccess(fields[1]) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	}
	// net/http quotes the line that it does not understand, however long it is.
	return nil, &notHTTP{problem: "its answer is malformed", first: 'H'}
}

// begin looks at the first bytes one by one: who does not speak HTTP may say less
// than the name of that, and wait.
func (d *dialogue) begin() error {
	const begin = "HTTP/"
	for n := range len(begin) {
		start, err := d.reader.Peek(n + 1)
		if !strings.HasPrefix(begin, string(start)) {
			start, _ = d.reader.Peek(min(d.reader.Buffered(), len(begin)))
			return &notHTTP{problem: fmt.Sprintf("its answer begins with %q", hawser.Printable(string(start))), first: start[0]}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isSuccess reports whether status is a code of success.
func isSuccess(status string) bool {
	code, err := strconv.Atoi(status)
	return err == nil && code/100 == 2
}

// head reads up to the empty line.
func (d *dialogue) head() (string, error) {
	var head strings.Builder
	for {
		line, err := d.reader.ReadString('\n')
		head.WriteString(line)
		switch {
		case err == nil && strings.TrimRight(line, "\r\n") == "":
			return head.String(), nil
		case err != nil && d.bound.N <= 0:
			return "", &notHTTP{problem: fmt.Sprintf("the head of its answer is longer than %d bytes", maxAnswer), first: 'H'}
		case err != nil:
			return "", err
		}
	}
}

// next makes the dialogue ready for another request, and reports whether it can be.
// Otherwise it is closed.
func (d *dialogue) next(ctx context.Context, r *http.Response) bool {
	const moment = time.Second // for what is not even wanted
	closes := r.Close || strings.EqualFold(r.Header.Get("Proxy-Connection"), "close") ||
		r.ContentLength < 0 && len(r.TransferEncoding) == 0 || r.ContentLength > maxAnswer
	if closes {
		_ = d.conn.Close()
		return false
	}
	d.bound.N = maxAnswer
	reading, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	err := converse(reading, d.conn, func() error {
		n, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxAnswer))
		if err == nil && n == maxAnswer {
			err = errors.New("too long to be read for nothing")
		}
		return err
	})
	d.reused, d.stream.heard = true, false
	return err == nil
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
