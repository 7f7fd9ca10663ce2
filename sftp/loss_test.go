package sftp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// pkg/sftp #658: its WriteTo skips what a short answer leaves out.
func TestShortAnswersLoseNothing(t *testing.T) {
	t.Parallel()
	data := content(3*mib + 17)
	for _, packet := range []uint32{0, 256 * kib} {
		for _, short := range []uint32{1000, 32*kib - 1, 32 * kib, 100_000} {
			t.Run(fmt.Sprintf("limits %d, answers of %d bytes", packet, short), func(t *testing.T) {
				t.Parallel()
				root := t.TempDir()
				s := start(t, testserver.SSHConfig{
					SFTPPacket: packet, Limits: packet != 0,
					SFTP: testserver.TapSFTP(testserver.Files(root, packet), testserver.ShortReads(short)),
				})
				put(t, root, "file", data)
				f := login(t, to(s))
				for way, read := range ways() {
					r, err := f.Open(t.Context(), "file", 0)
					require.NoError(t, err)
					got, err := read(r)
					require.NoError(t, err, way)
					require.NoError(t, r.Close())
					sameContent(t, data, got)
				}
			})
		}
	}
}

// ways are the ways to read a file to its end.
func ways() map[string]func(r io.Reader) ([]byte, error) {
	return map[string]func(r io.Reader) ([]byte, error){
		"io.Copy": func(r io.Reader) ([]byte, error) {
			var b bytes.Buffer
			_, err := io.Copy(&b, r)
			return b.Bytes(), err
		},
		"Read": func(r io.Reader) ([]byte, error) {
			var b bytes.Buffer
			_, err := io.CopyBuffer(struct{ io.Writer }{&b}, struct{ io.Reader }{r}, make([]byte, 33333))
			return b.Bytes(), err
		},
		"io.ReadAll": io.ReadAll,
	}
}

func TestOpenSendsNoStat(t *testing.T) {
	t.Parallel()
	y := &tally{}
	// Some servers delete a file once it was looked at, others have no FSTAT.
	s, root := hooked(t, y.then(func(p testserver.Packet) (forward, reply *testserver.Packet) {
		switch p.Type {
		case testserver.FxpFstat, testserver.FxpStat, testserver.FxpLstat:
			return nil, testserver.Status(p.ID, 8, "no")
		}
		return &p, nil
	}))
	put(t, root, "file", content(100_000))
	got, err := download(t.Context(), login(t, to(s)), "file")
	require.NoError(t, err)
	sameContent(t, content(100_000), got)
	assert.Zero(t, y.count(testserver.FxpStat)+y.count(testserver.FxpFstat)+y.count(testserver.FxpLstat))
	assert.Equal(t, 1, y.count(testserver.FxpOpen))
}

func TestOpenFlags(t *testing.T) {
	t.Parallel()
	const read, write, creat, trunc = 1, 2, 8, 16
	y := &tally{}
	s, _ := hooked(t, y.then(func(p testserver.Packet) (forward, reply *testserver.Packet) {
		// AWS Transfer refuses to open for both.
		if p.Type == testserver.FxpOpen && flags(p)&(read|write) == read|write {
			return nil, testserver.Status(p.ID, 3, "no O_RDWR")
		}
		return &p, nil
	}))
	f := login(t, to(s))
	require.NoError(t, upload(t.Context(), f, "file", content(1000)))
	w, err := f.Create(t.Context(), "file", 1000)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = download(t.Context(), f, "file")
	require.NoError(t, err)
	var got []uint32
	for _, p := range y.of(testserver.FxpOpen) {
		got = append(got, flags(p))
	}
	assert.Equal(t, []uint32{write | creat | trunc, write, read}, got)
}

// flags are the pflags of an OPEN (section 6.3 of the draft).
func flags(p testserver.Packet) uint32 {
	return binary.BigEndian.Uint32(p.Payload[4+binary.BigEndian.Uint32(p.Payload):])
}

func TestGrowingFileIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	data := content(2*mib + 5)
	s, root := hooked(t, (&tally{}).hook)
	put(t, root, "file", data[:mib])
	r, err := login(t, to(s)).Open(t.Context(), "file", 0)
	require.NoError(t, err)
	got := make([]byte, 1000)
	_, err = io.ReadFull(r, got)
	require.NoError(t, err)
	log, err := os.OpenFile(filepath.Join(root, "file"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = log.Write(data[mib:])
	require.NoError(t, err)
	require.NoError(t, log.Close())
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	sameContent(t, data, append(got, rest...))
}

func TestWhatIsNoAnswerToARead(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]func(p testserver.Packet) *testserver.Packet{
		"STATUS OK": func(p testserver.Packet) *testserver.Packet { return testserver.Status(p.ID, 0, "") },
		"DATA of no bytes": func(p testserver.Packet) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpData, ID: p.ID, Payload: make([]byte, 4)}
		},
		"another id": func(p testserver.Packet) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpData, ID: p.ID + 1000, Payload: []byte("\x00\x00\x00\x01x")}
		},
		"DATA shorter than it says": func(p testserver.Packet) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpData, ID: p.ID, Payload: []byte("\x00\x00\x00\x09x")}
		},
		"DATA without a length": func(p testserver.Packet) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpData, ID: p.ID, Payload: []byte("\x00")}
		},
		"HANDLE": func(p testserver.Packet) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpHandle, ID: p.ID, Payload: []byte("\x00\x00\x00\x01x")}
		},
		"STATUS without a code": func(p testserver.Packet) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpStatus, ID: p.ID}
		},
		"a packet of no known type": func(p testserver.Packet) *testserver.Packet {
			return &testserver.Packet{Type: 250, ID: p.ID}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, root := hooked(t, func(p testserver.Packet) (forward, answer *testserver.Packet) {
				if p.Type == testserver.FxpRead {
					return nil, reply(p)
				}
				return &p, nil
			})
			put(t, root, "file", content(100_000))
			f := login(t, to(s))
			_, err := returns(t, soon, "download", func() error {
				_, err := download(t.Context(), f, "file")
				return err
			})
			t.Log(err)
			assert.ErrorIs(t, err, hawser.ErrLost)
			assert.False(t, f.Reusable())
			assert.ErrorIs(t, f.Ping(t.Context()), hawser.ErrLost)
		})
	}
}

// A server that answers half of a READ and then with an OK must not have cut
// the file.
func TestOKInTheMiddleOfAFile(t *testing.T) {
	t.Parallel()
	reads := &tally{}
	s, root := hooked(t, func(p testserver.Packet) (forward, reply *testserver.Packet) {
		if reads.hook(p); p.Type == testserver.FxpRead && reads.count(testserver.FxpRead) == 3 {
			return nil, testserver.Status(p.ID, 0, "")
		}
		return &p, nil
	})
	put(t, root, "file", content(mib))
	start := time.Now()
	_, err := download(t.Context(), login(t, to(s)), "file")
	requireSoon(t, start)
	t.Log(err)
	assert.Error(t, err)
}
