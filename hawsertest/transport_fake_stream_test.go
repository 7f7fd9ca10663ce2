package hawsertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// fakeAddr is host:port as it was dialed.
type fakeAddr string

func (fakeAddr) Network() string  { return "tcp" }
func (a fakeAddr) String() string { return string(a) }

// streams makes of tcp what leads to addr.
func (f *fakeTransport) streams(ctx context.Context, tcp *net.TCPConn, addr string) net.Conn {
	f.outlive(ctx, tcp)
	s := &fakeStream{Conn: tcp, tcp: tcp, bug: f.bug, remote: fakeAddr(addr)}
	switch f.bug {
	case "transport: one stream for all":
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.last != nil {
			_ = tcp.Close()
			return f.last
		}
		f.last = s
	case "transport: RemoteAddr is the proxy's":
		s.remote = "127.0.0.1:1080"
	case "transport: RemoteAddr has no port":
		host, _, _ := net.SplitHostPort(addr)
		s.remote = fakeAddr(host)
	case "transport: what comes first is lost":
		_ = tcp.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = tcp.Read(make([]byte, 4))
		_ = tcp.SetReadDeadline(time.Time{})
	case "transport: ReadFrom loses the tail":
		return fakeReaderFrom{s}
	case "transport: WriteTo loses the beginning":
		return fakeWriterTo{s}
	}
	return s
}

// outlive has ctx do something to tcp after DialNet.
func (f *fakeTransport) outlive(ctx context.Context, tcp *net.TCPConn) {
	switch f.bug {
	case "transport: a context that ends spoils the connection":
		context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })
	case "transport: a context that ends closes the connection":
		context.AfterFunc(ctx, func() { _ = tcp.Close() })
	case "transport: the deadline of the context stays":
		if deadline, ok := ctx.Deadline(); ok {
			_ = tcp.SetDeadline(deadline)
		}
	}
}

// fakeStream is a correct connection, but for its bug.
type fakeStream struct {
	net.Conn // tcp, whose other methods are hidden
	tcp      *net.TCPConn
	bug      string
	remote   fakeAddr
	reading  sync.Mutex // for a bug
	writing  sync.Mutex // for a bug

	mu      sync.Mutex // guards all below, which are for bugs
	next    time.Time  // deadline
	broken  bool
	ended   bool
	closed  bool
	arrived int
}

func (s *fakeStream) is(bug string) bool { return s.bug == "transport: "+bug }

func (s *fakeStream) locked(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *fakeStream) RemoteAddr() net.Addr { return s.remote }

func (s *fakeStream) LocalAddr() net.Addr {
	if s.is("LocalAddr is nil") {
		return nil
	}
	return s.tcp.LocalAddr()
}

func (s *fakeStream) Read(p []byte) (n int, err error) {
	switch s.bug {
	case "transport: Read and Write share a lock":
		s.writing.Lock()
		defer s.writing.Unlock()
	case "transport: Close waits for Read":
		s.reading.Lock()
		defer s.reading.Unlock()
	case "transport: a deadline is for the next Read":
		s.locked(func() { _ = s.tcp.SetReadDeadline(s.next) })
	}
	n, err = s.tcp.Read(p)
	s.locked(func() { n, err = s.bend(n, err) })
	return n, err
}

// bend changes what a Read returned, by the bug.
func (s *fakeStream) bend(n int, err error) (int, error) {
	s.arrived += n
	switch {
	case s.broken:
		return 0, errors.New("the connection is broken")
	case err == io.EOF && s.is("the end is an error"):
		return n, io.ErrUnexpectedEOF
	case err == io.EOF && s.is("the end is told once"):
		if s.ended {
			return 0, net.ErrClosed
		}
		s.ended = true
	case s.arrived > 65536 && s.is("the end comes early"):
		return 0, io.EOF
	case errors.Is(err, net.ErrClosed) && s.is("Read after Close is the end"):
		return 0, io.EOF
	case !errors.Is(err, os.ErrDeadlineExceeded):
	case s.is("a read deadline breaks the connection"):
		s.broken = true
	case s.is("a read deadline is the end"):
		return 0, io.EOF
	case s.is("a deadline is any error"):
		return 0, errors.New("it took too long")
	}
	return n, err
}

func (s *fakeStream) Write(p []byte) (int, error) {
	b := p
	switch s.bug {
	case "transport: Read and Write share a lock", "transport: Close waits for Write":
		s.writing.Lock()
		defer s.writing.Unlock()
	case "transport: a deadline is for the next Write":
		s.locked(func() { _ = s.tcp.SetWriteDeadline(s.next) })
	case "transport: a byte is changed":
		b = bytes.Clone(p)
		b[len(b)/2]++
	case "transport: line ends are translated":
		b = bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))
	case "transport: what is much loses its end":
		b = bytes.Clone(p)
		clear(b[min(len(b), 512<<10):])
	}
	n, err := s.tcp.Write(b)
	if err == nil || errors.Is(err, net.ErrClosed) && s.is("Write after Close is lost") {
		return len(p), nil
	}
	return min(n, len(p)), err
}

func (s *fakeStream) CloseWrite() error {
	switch s.bug {
	case "transport: CloseWrite ends both directions":
		return s.tcp.Close()
	case "transport: CloseWrite does nothing":
		return nil
	}
	return s.tcp.CloseWrite()
}

func (s *fakeStream) Close() error {
	var again bool
	s.locked(func() { again, s.closed = s.closed, true })
	switch s.bug {
	case "transport: Close waits for Read":
		s.reading.Lock()
		defer s.reading.Unlock()
	case "transport: Close waits for Write":
		s.writing.Lock()
		defer s.writing.Unlock()
	case "transport: a second Close hangs":
		if again {
			select {}
		}
	case "transport: Close resets":
		_ = s.tcp.SetLinger(0)
	case "transport: Close leaves the stream open":
		return nil
	}
	return s.tcp.Close()
}

func (s *fakeStream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *fakeStream) SetReadDeadline(t time.Time) error {
	switch s.bug {
	case "transport: a deadline is for the next Read":
		s.locked(func() { s.next = t })
		return nil
	case "transport: read deadlines are ignored":
		return nil
	case "transport: deadlines come early":
		t = t.Add(-20 * time.Millisecond)
	case "transport: one deadline for both":
		return s.tcp.SetDeadline(t)
	}
	if s.ignores(t) {
		return nil
	}
	return s.tcp.SetReadDeadline(t)
}

func (s *fakeStream) SetWriteDeadline(t time.Time) error {
	switch s.bug {
	case "transport: a deadline is for the next Write":
		s.locked(func() { s.next = t })
		return nil
	case "transport: write deadlines are ignored":
		return nil
	}
	if s.ignores(t) {
		return nil
	}
	return s.tcp.SetWriteDeadline(t)
}

// ignores reports whether t is no deadline, by the bug.
func (s *fakeStream) ignores(t time.Time) bool {
	return t.IsZero() && s.is("a deadline stays") || !t.IsZero() && time.Until(t) < 0 && s.is("a deadline in the past is none")
}

type fakeReaderFrom struct{ *fakeStream }

func (r fakeReaderFrom) ReadFrom(from io.Reader) (int64, error) {
	all, err := io.ReadAll(from)
	if err != nil {
		return 0, err
	}
	_, err = r.Write(all[:len(all)&^0xffff-1])
	return int64(len(all)), err
}

type fakeWriterTo struct{ *fakeStream }

func (w fakeWriterTo) WriteTo(to io.Writer) (int64, error) {
	_, _ = io.ReadFull(w.tcp, make([]byte, 9))
	return io.Copy(to, w.tcp)
}
