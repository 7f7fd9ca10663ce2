package hawsertest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// short is how long a deadline is that a rule waits for.
const short = 50 * time.Millisecond

// mebibyte is how many bytes pass in a rule about many.
const mebibyte = 1 << 20

// byteRules are about what passes between the two ends.
func byteRules() []rule[*transport] {
	return []rule[*transport]{
		{"bytes pass both ways unchanged", "also at once, and more of them than buffers on the way hold", passesBytes},
		{"bytes pass unchanged by io.Copy", "it uses ReadFrom and WriteTo, where a connection has them", passesCopies},
		{"a server that greets first is heard", "the greeting of ftp, ssh and smtp may come along with the proxy's answer", hearsGreeting},
		{"the end of the server's stream is io.EOF after all its bytes", "a file that ends early must not look whole, nor a whole one broken", hearsEnd},
		{"CloseWrite ends one direction", "an upload ends so, and its confirmation must still arrive", closesHalf},
		{"one goroutine may read while another writes", "ssh does so all the time", readsWhileWriting},
	}
}

func passesBytes(s *transport) {
	mine, theirs := noise(1, mebibyte), noise(2, mebibyte)
	there := make(chan error, 1)
	server := s.target(func(p peer) { there <- converse(p, theirs, mine) })
	conn := s.dial(server.addr)
	err := within(s, patience, "1 MiB each way", func() error { return converse(conn, mine, theirs) })
	assert.NoError(s, err, "1 MiB each way, at this end")
	err = within(s, patience, "1 MiB each way, at the server", func() error { return <-there })
	assert.NoError(s, err, "1 MiB each way, at the server")
}

// passesCopies uses a connection for each way, because the end of one may be the
// end of both.
func passesCopies(s *transport) {
	mine, theirs := noise(3, mebibyte), noise(4, mebibyte)
	from := s.dial(s.target(func(p peer) { _, _ = p.Write(theirs) }).addr)
	var got bytes.Buffer
	err := within(s, patience, "io.Copy from the connection", func() error {
		_, err := io.Copy(&got, from)
		return err
	})
	require.NoError(s, err, "io.Copy from the connection")
	assert.NoError(s, unequal(got.Bytes(), theirs), "io.Copy from the connection")

	there := make(chan error, 1)
	to := s.dial(s.target(func(p peer) {
		got, err := io.ReadAll(p)
		there <- errors.Join(err, unequal(got, mine))
	}).addr)
	err = within(s, patience, "io.Copy to the connection", func() error {
		// WriteTo of bytes.Reader would be used in place of ReadFrom.
		_, err := io.Copy(to, struct{ io.Reader }{bytes.NewReader(mine)})
		return errors.Join(err, to.Close())
	})
	require.NoError(s, err, "io.Copy to the connection")
	err = within(s, patience, "io.Copy, at the server", func() error { return <-there })
	assert.NoError(s, err, "io.Copy to the connection, at the server")
}

func hearsGreeting(s *transport) {
	const greeting = "220 ready\r\n"
	server := s.target(func(p peer) {
		_, _ = io.WriteString(p, greeting)
		echo(p)
	})
	conn := s.dial(server.addr)
	got := make([]byte, len(greeting))
	err := within(s, prompt, "the greeting", func() error {
		_, err := io.ReadFull(conn, got)
		return err
	})
	require.NoError(s, err, "the greeting")
	require.Equal(s, greeting, string(got), "the greeting")
	s.works(conn, "the echo after the greeting")
}

func hearsEnd(s *transport) {
	want := noise(5, 100_000)
	server := s.target(func(p peer) { _, _ = p.Write(want) })
	conn := s.dial(server.addr)
	var got []byte
	err := within(s, prompt, "the server's stream", func() (err error) {
		got, err = io.ReadAll(conn)
		return err
	})
	require.NoError(s, err, "the server's stream")
	require.NoError(s, unequal(got, want), "the server's stream")
	n, err := conn.Read(make([]byte, 1))
	assert.Equal(s, 0, n, "Read after the end")
	assert.Equal(s, io.EOF, err, "Read after the end")
}

func closesHalf(s *transport) {
	const answer = "the end came"
	want := noise(6, 100_000)
	there := make(chan error, 1)
	conn := s.dial(s.target(func(p peer) {
		got, err := io.ReadAll(p)
		there <- errors.Join(err, unequal(got, want))
		_, _ = io.WriteString(p, answer)
	}).addr)
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		s.Skipf("skipped: %T has no CloseWrite", conn)
	}
	_, err := conn.Write(want)
	require.NoError(s, err, "Write")
	if err = half.CloseWrite(); unsupported(s, "CloseWrite", err) {
		return
	}
	require.NoError(s, err, "CloseWrite")
	err = within(s, prompt, "the end after CloseWrite, at the server", func() error { return <-there })
	require.NoError(s, err, "what was written before CloseWrite, at the server")
	_, err = conn.Write(want)
	assert.Error(s, err, "Write after CloseWrite")
	var got []byte
	err = within(s, prompt, "the server's answer to the end", func() (err error) {
		got, err = io.ReadAll(conn)
		return err
	})
	if s.NoHalfClose {
		s.Logf("skipped, because the proxy ends both directions: the server's answer to the end: %q, %v", got, err)
		return
	}
	require.NoError(s, err, "the server's answer to the end")
	assert.Equal(s, answer, string(got), "the server's answer to the end")
}

// readsWhileWriting has the next Read wait when a line is written, and looks at
// the connection from a third goroutine, which is for the race detector.
func readsWhileWriting(s *transport) {
	const lines = 100
	conn := s.dial(s.target(echo).addr)
	err := within(s, prompt, "Read and Write of two goroutines", func() error {
		heard := make(chan error) // whoever does not receive has given up on conn
		go func() {               // ends with the last line, or with conn
			in := bufio.NewReader(conn)
			for i := range lines {
				got, err := in.ReadString('\n')
				if want := fmt.Sprintf("line %d\n", i); err == nil && got != want {
					err = fmt.Errorf("got %q, want %q", got, want)
				}
				heard <- err
			}
		}()
		for i := range lines {
			looked := make(chan error, 1)
			go func() { looked <- look(conn) }() // ends at once
			if _, err := fmt.Fprintf(conn, "line %d\n", i); err != nil {
				return err
			}
			if err := errors.Join(<-heard, <-looked); err != nil {
				return err
			}
		}
		return nil
	})
	assert.NoError(s, err, "Read and Write of two goroutines")
}

// look uses what else a connection has.
func look(conn net.Conn) error {
	if conn.LocalAddr() == nil || conn.RemoteAddr() == nil {
		return errors.New("an address is nil")
	}
	return conn.SetDeadline(time.Now().Add(patience))
}
