package ssh

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wirelog"
)

func TestSocketWrite(t *testing.T) {
	t.Parallel()
	head := bytes.Repeat([]byte("h"), writerSize)
	for _, test := range []struct {
		name   string
		writes [][]byte
	}{
		{"a small packet goes out as it is", [][]byte{[]byte("small")}},
		{"a head goes out with its tail", [][]byte{head, []byte("tail")}},
		{"a packet of just the size of a head goes out alone", [][]byte{head}},
		{"two such packets go out in order", [][]byte{head, head}},
		{"a large write goes out as it is", [][]byte{bytes.Repeat([]byte("l"), 3*writerSize)}},
		{"order is kept over many", [][]byte{head, []byte("1"), []byte("2"), head, []byte("3"), head, head, head}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				s := newSocket(near, wirelog.New(hawser.Connection{}))
				received := make(chan []byte)
				go func() {
					all, _ := io.ReadAll(far)
					received <- all
				}()
				for _, p := range test.writes {
					n, err := s.Write(p)
					require.NoError(t, err)
					require.Equal(t, len(p), n)
				}
				time.Sleep(time.Second) // of the bubble: the head that is left goes out
				require.NoError(t, s.Close())
				assert.Equal(t, bytes.Join(test.writes, nil), <-received)
			})
		})
	}
	t.Run("the error of a head that went out alone is that of the next write", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			s := newSocket(near, wirelog.New(hawser.Connection{}))
			require.NoError(t, far.Close())
			_, err := s.Write(head)
			require.NoError(t, err)
			time.Sleep(time.Second)
			_, err = s.Write([]byte("x"))
			assert.ErrorIs(t, err, io.ErrClosedPipe)
			require.NoError(t, s.Close())
		})
	})
}
