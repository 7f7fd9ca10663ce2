package ssh

import (
	"fmt"
	"io"
	"sync"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// streams copies between a command's channel and the caller's reader and
// writers. Its goroutines end with the channel, but for one that is in a
// caller's own Read or Write.
type streams struct {
	written chan struct{} // closed when all output is written
	failed  chan struct{} // closed when a writer or the reader failed; err is set then
	outlets []*outlet

	once sync.Once
	err  error
}

func startStreams(c *channel, cmd *hawser.Command) *streams {
	s := &streams{written: make(chan struct{}), failed: make(chan struct{})}
	var writing sync.WaitGroup
	for _, stream := range []struct {
		from io.Reader
		to   io.Writer
		name string
	}{{c, cmd.Stdout, "stdout"}, {c.Stderr(), cmd.Stderr, "stderr"}} {
		out := newOutlet(stream.to)
		s.outlets = append(s.outlets, out)
		writing.Go(func() { s.copyOut(out, stream.from, stream.name) })
	}
	go func() { // ends with the writers, which end with the channel
		writing.Wait()
		close(s.written)
	}()
	go s.copyIn(c, cmd.Stdin) // ends with the channel, or when Stdin's Read returns
	return s
}

// copyOut copies until the server ends the stream. A writer that fails is not
// written to again, but the stream is read on, so that the command does not
// block before it is told to end.
func (s *streams) copyOut(out *outlet, from io.Reader, name string) {
	_, _ = io.Copy(out, from) // from fails with the connection, of which others tell
	if out.err != nil {
		s.fail(fmt.Errorf("%s: %w", name, out.err))
		_, _ = io.Copy(io.Discard, from)
	}
}

// copyIn copies Stdin and then ends the command's input. A command that does
// not read all of it is not a failure; a Stdin that fails is, and then the
// command must not take what it got for the whole.
func (s *streams) copyIn(c xssh.Channel, stdin io.Reader) {
	if stdin != nil {
		from := &source{r: stdin}
		if _, err := io.Copy(c, from); err != nil {
			if from.err != nil {
				s.fail(fmt.Errorf("stdin: %w", from.err))
			}
			return
		}
	}
	_ = c.CloseWrite()
}

func (s *streams) fail(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.failed)
	})
}

// detach returns when nothing is written to the caller's writers any more.
func (s *streams) detach() {
	for _, out := range s.outlets {
		out.shut()
	}
}

// A source tells a reader's failure from that of the writer it is copied to.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// An outlet passes writes on to w until it is shut.
type outlet struct {
	w    io.Writer
	turn chan struct{} // holds one token; who writes takes it
	open bool          // guarded by turn
	err  error         // of the writer; read by who writes alone
}

func newOutlet(w io.Writer) *outlet {
	if w == nil {
		w = io.Discard
	}
	o := &outlet{w: w, turn: make(chan struct{}, 1), open: true}
	o.turn <- struct{}{}
	return o
}

func (o *outlet) Write(p []byte) (int, error) {
	<-o.turn
	defer func() { o.turn <- struct{}{} }()
	if !o.open {
		return len(p), nil
	}
	n, err := o.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	o.err = err
	return n, err
}

// shut waits for a Write that is under way, but not for ever: one that never
// returns is the caller's own, and must not keep a Run that was cancelled.
func (o *outlet) shut() {
	const patience = time.Second
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-o.turn:
		o.open = false
		o.turn <- struct{}{}
	case <-timer.C:
	}
}
