package sftp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wirelog"
	"github.com/hawser/hawser/ssh"
)

// A Session is a hawser.FileSystem, with all of its optional abilities but
// hashing. Up to [Session.Parallelism] goroutines may use it at once.
type Session struct {
	shell      *ssh.Session
	client     *sftp.Client
	engine     *engine
	log        *wirelog.Log
	calls      *bounded.Caller
	packet     int               // the largest READ and WRITE, in bytes
	extensions map[string]string // that the server announced

	chunks sync.Pool // of *chunk that no request refers to

	mu   sync.Mutex // guards files
	busy int        // operations that are waited for, and files that are open
}

var _ interface {
	fmt.Formatter
	hawser.Session
	hawser.Leasable
	hawser.Parallel
	hawser.FileSystem
	hawser.Chmoder
	hawser.Symlinker
	hawser.SpaceReporter
} = (*Session)(nil)

// start makes a Session of shell, which it closes if that fails.
func start(ctx context.Context, shell *ssh.Session, c hawser.Connection) (*Session, error) {
	s := &Session{
		shell: shell, log: wirelog.New(c),
		calls: &bounded.Caller{Timeout: opening.Timeout(c), Lost: shell.Lose},
	}
	defer s.log.Listen(ctx)()
	if err := s.shake(ctx, c); err != nil {
		_ = shell.Close()
		s.calls.Wait()
		return nil, err
	}
	return s, nil
}

// shake speaks the handshake of SFTP and hands the stream to pkg/sftp.
func (s *Session) shake(ctx context.Context, c hawser.Connection) error {
	stream, err := openStream(ctx, s.shell, c)
	if err != nil {
		return err
	}
	s.log.Sent("INIT version %d", version)
	g, err := bounded.Do(ctx, s.calls, func() (greeting, error) { return greet(stream) }, nil)
	if err != nil {
		const patience = 100 * time.Millisecond
		if errors.Is(err, hawser.ErrLost) {
			err = complaint(err, stream.LastWords(patience))
		}
		return err
	}
	s.log.Received("VERSION %d, packets of %d bytes", version, g.packet)
	s.packet, s.extensions = g.packet, g.extensions
	w := newWire(stream, g, s.log, s.shell.Lose)
	s.calls.Silence = w.silence
	s.engine = newEngine(w.send, s.calls)
	w.engine = s.engine
	s.calls.Go(func() {
		<-s.shell.Ended()
		s.engine.end(s.shell.Cause())
	})
	s.client, err = sftp.NewClientPipe(w, w)
	if err != nil {
		return err
	}
	// pkg/sftp gives up reading at a packet that it cannot place, and tells nobody but its calls.
	s.calls.Go(func() { s.shell.Lose(malformed(s.client.Wait())) })
	return nil
}

// Ping makes one round trip, a REALPATH of the login directory.
func (s *Session) Ping(ctx context.Context) error {
	defer s.log.Listen(ctx)()
	_, err := bounded.Do(ctx, s.calls, guarded(s, func() (string, error) { return s.client.RealPath(".") }), nil)
	if err != nil {
		return s.shell.Fail("ping", s.explain(err))
	}
	return nil
}

// Close ends the session and everything that runs in it. It may be called at
// any time. A file that was being written is left as far as it came.
func (s *Session) Close() error {
	err := s.shell.Close()
	_ = s.client.Close() // the stream is closed already; this waits for its reader
	s.calls.Wait()
	return err
}

// Lease makes c's user the one who is named in errors and messages.
func (s *Session) Lease(ctx context.Context, c hawser.Connection) error {
	s.log.Lease(c)
	return s.shell.Lease(ctx, c)
}

// Reusable is false once the session ended, while an operation is waited for and
// while a file is open in it.
func (s *Session) Reusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shell.Cause() == nil && s.busy == 0
}

// Parallelism is how many operations pay off at once.
func (s *Session) Parallelism() int { return 64 }

// Format writes what the session is connected to, whatever the verb: what is
// inside changes while it is looked at.
func (s *Session) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "sftp session with ", s.shell.Addr())
}

// Algorithms names what SSH negotiated; see ssh.Session.Algorithms.
func (s *Session) Algorithms() string { return s.shell.Algorithms() }

func (s *Session) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

func (s *Session) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
}

// guarded runs fn of pkg/sftp so that an answer which that library cannot bear
// ends the session and not the program.
func guarded[T any](s *Session, fn func() (T, error)) func() (T, error) {
	return func() (value T, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = malformed(fmt.Errorf("%v", r))
				s.shell.Lose(err)
			}
		}()
		value, err = fn()
		return value, s.judge(err)
	}
}
