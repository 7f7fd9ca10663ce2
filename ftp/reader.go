package ftp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bufferSize is what is moved at once, in bytes.
const bufferSize = 256 << 10

// A reader is a file that is being downloaded. One goroutine uses it, but for
// the end of its context.
type reader struct {
	t    *transfer
	path func(error) error // an error as one of the file
	want int64             // bytes to come, as the server told; -1: unknown
	got  int64
	from int64 // where reading began
	meter
	// measure asks how many bytes were to come, where the server's end of TLS may
	// be anybody's; nil: of a listing, of which a cut between two records that is
	// also between two lines cannot be told.
	measure func() (int64, error)
	err     error // what every later Read returns; nil while there is more
}

// Read reads what has come.
func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.t.step(); err != nil {
		return 0, r.broken(err)
	}
	n, err := r.t.d.Read(p)
	r.moved(int64(n))
	if err == nil {
		return n, nil
	}
	if n > 0 && !isEnd(err) {
		return n, nil // the error comes again
	}
	return n, r.ended(err)
}

func (r *reader) moved(n int64) {
	if r.got += n; n > 0 {
		r.at(r.from + r.got)
	}
}

// WriteTo writes the rest of the file to w. Between a plain connection and an
// *os.File the kernel moves the bytes.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	before := r.got
	for r.err == nil {
		var err error
		if file, ok := w.(*os.File); ok && !r.t.d.isTLS() {
			err = r.splice(file)
		} else {
			err = r.pump(w)
		}
		if err != nil {
			return r.got - before, err
		}
	}
	if r.err == io.EOF { // itself: what a lost session says wraps one
		return r.got - before, nil
	}
	return r.got - before, r.err
}

// splice lets the kernel move a part of the file, which (*os.File).ReadFrom does
// for a *net.TCPConn and no wrapper of one. As much as the file is in one piece
// is moved in one call, so that it is not all of it which has to come in time.
func (r *reader) splice(file *os.File) error {
	tcp := r.t.d.plainTCP()
	if tcp == nil {
		return r.pump(file)
	}
	const part = 4 << 20
	if err := r.t.step(); err != nil {
		return r.broken(err)
	}
	n, err := file.ReadFrom(io.LimitReader(tcp, part))
	r.moved(n)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && n > 0 && r.t.ctx.Err() == nil:
		return nil // it moves, if slowly
	case err != nil && isOfFile(err):
		return err
	case err != nil:
		r.ended(err)
	case n == 0:
		r.ended(io.EOF)
	}
	return nil
}

// isOfFile reports whether the local file is to blame, not the connection: what
// the kernel moves between them has one error for both.
func isOfFile(err error) bool {
	for _, ofNetwork := range []error{
		net.ErrClosed, os.ErrDeadlineExceeded, syscall.ECONNRESET, syscall.ECONNABORTED,
		syscall.ETIMEDOUT, syscall.ENOTCONN, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.ENETUNREACH,
	} {
		if errors.Is(err, ofNetwork) {
			return false
		}
	}
	var path *os.PathError
	return errors.As(err, &path)
}

// pump moves what comes through a buffer, until there is no more.
func (r *reader) pump(w io.Writer) error {
	buffer := make([]byte, bufferSize)
	for r.err == nil {
		n, _ := r.Read(buffer)
		if n == 0 {
			continue
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the download. Before its end, that is not an error: the rest of the
// file is not wanted.
func (r *reader) Close() error {
	if r.t.over {
		return nil
	}
	r.err = fmt.Errorf("file: %w", os.ErrClosed)
	if r.drain() {
		err := r.t.finish()
		if isRefusal(err) {
			err = nil // of what nobody wants any more
		}
		return r.path(r.t.end(err))
	}
	err := r.t.end(r.t.abandon(nil))
	if err != nil && r.t.ctx.Err() == nil {
		return r.path(err)
	}
	return nil
}

// drain reads what little may be left, and reports whether it was all. To cut a
// transfer is rude: some servers hang up for it (ProFTPD with TLS).
func (r *reader) drain() bool {
	const (
		most   = 1 << 20
		moment = 250 * time.Millisecond
	)
	if r.t.ctx.Err() != nil || r.t.d.SetDeadline(time.Now().Add(moment)) != nil {
		return false
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r.t.d, most))
	return n < most && (err == nil || isEnd(err))
}

// isEnd reports whether err can be the end of a file. Many servers leave TLS
// without saying so, which crypto/tls reports only in the middle of a record.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// broken ends the transfer because of the data connection.
func (r *reader) broken(err error) error {
	r.err = r.path(r.t.end(r.t.abandon(r.t.explain(err))))
	return r.err
}

// ended sets and returns what later Reads return, once no more comes: io.EOF if
// the server says that this was all, and it was as much as it had said.
func (r *reader) ended(cause error) error {
	if !isEnd(cause) {
		return r.broken(cause)
	}
	err := r.t.finish()
	switch {
	case err != nil:
	case r.measure == nil && errors.Is(cause, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the listing was cut: %w", io.ErrUnexpectedEOF)
	default:
		err = r.checkLength(r.t.d.wasCut())
	}
	if err = r.t.end(err); err == nil {
		r.err = io.EOF
		return r.err
	}
	r.err = r.path(err)
	return r.err
}

// checkLength compares with what the server has told. It has to have told where
// TLS was cut, because then anybody in between could have ended the file, and it
// is asked after a restart, which some servers agree to and forget.
func (r *reader) checkLength(cut bool) error {
	switch {
	case r.want >= 0 && r.got < r.want:
		return fmt.Errorf("the server sent %d bytes of %d: %w", r.got, r.want, io.ErrUnexpectedEOF)
	case r.want >= 0 || r.measure == nil || !cut && r.from == 0 && r.t.d.isDirect():
		return nil
	}
	want, err := r.measure()
	switch {
	case !cut && (isRefusal(err) || errors.Is(err, errors.ErrUnsupported)):
		return nil // it does not tell
	case isRefusal(err), errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("the server ended TLS without a word, and does not tell the size of the file, so it may have been cut: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return err
	}
	if r.from > 0 && r.got > want {
		return fmt.Errorf("the server sent %d bytes from byte %d on, where it has %d: it may have begun elsewhere", r.got, r.from, want)
	}
	r.want = want
	return r.checkLength(cut)
}

// announced reads the size in a 150 reply, "Opening BINARY mode data connection
// for x (5 bytes)", as BSD, vsftpd and ProFTPD have it; -1 if there is none.
func announced(text string) int64 {
	before, found := strings.CutSuffix(strings.TrimRight(text, "."), " bytes)")
	if !found {
		return -1
	}
	n, err := strconv.ParseInt(before[strings.LastIndexByte(before, '(')+1:], 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
