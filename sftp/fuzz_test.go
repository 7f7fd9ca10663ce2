package sftp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/bounded"
)

func TestCutString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		s, rest string
		ok      bool
	}{
		"":                            {},
		"\x00\x00\x00":                {},
		"\x00\x00\x00\x00":            {ok: true},
		"\x00\x00\x00\x01":            {},
		"\x00\x00\x00\x01ab":          {s: "a", rest: "b", ok: true},
		"\xff\xff\xff\xffab":          {},
		"\x00\x00\x00\x02ab\x00":      {s: "ab", rest: "\x00", ok: true},
		"\x80\x00\x00\x00" + "abcdef": {},
	} {
		s, rest, ok := cutString([]byte(in))
		assert.Equal(t, want.ok, ok, "%q", in)
		assert.Equal(t, want.s, string(s), "%q", in)
		assert.Equal(t, want.rest, string(rest), "%q", in)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	id := "\x00\x00\x00\x07"
	for head, want := range map[string]string{
		"":          "malformed",
		"\x03\x00":  "malformed",
		"\x03" + id: "OPEN #7",
		"\x03" + id + "\x00\x00\x00\x04/a b\x00\x00\x00\x01":                                                  "OPEN /a b #7",
		"\x03" + id + "\x00\x00\xff\xff/long":                                                                 "OPEN /long... #7",
		"\x05" + id + "\x00\x00\x00\x04\x00\x00\x00\x03" + "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x80\x00": "READ 3 offset 4294967296 length 32768 #7",
		"\x05" + id + "\x00\x00\x00\x04\x00":                                                                  "READ malformed #7",
		"\x12" + id + "\x00\x00\x00\x01a\x00\x00\x00\x01b":                                                    "RENAME a b #7",
		"\x65" + id + "\x00\x00\x00\x00":                                                                      "STATUS OK #7",
		"\x65" + id + "\x00\x00\x00\x04\x00\x00\x00\x04full":                                                  `STATUS FAILURE "full" #7`,
		"\x65" + id + "\xff\xff\xff\xff":                                                                      "STATUS code 4294967295 #7",
		"\x66" + id + "\x00\x00\x00\x02\xab\xcd":                                                              "HANDLE abcd #7",
		"\x67" + id + "\x00\x00\x00\x05hello":                                                                 "DATA length 5 #7",
		"\x68" + id + "\x00\x00\x00\x02":                                                                      "NAME entries 2 #7",
		"\xc8" + id + "\x00\x00\x00\x13statvfs@openssh.com\x00\x00\x00\x01/":                                  "EXTENDED statvfs@openssh.com / #7",
		"\xfa" + id: "type 250 #7",
	} {
		assert.True(t, strings.HasPrefix(describe([]byte(head)), want), "describe(%q) = %q, want %q", head, describe([]byte(head)), want)
	}
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		packet []byte
		want   int // 0: an error
	}{
		"nothing":   {nil, 0},
		"no id":     {[]byte{fxpExtendedReply}, 0},
		"a refusal": {binary.BigEndian.AppendUint32([]byte{fxpStatus}, limitsID), defaultPacket},
		"too short": {append(binary.BigEndian.AppendUint32([]byte{fxpExtendedReply}, limitsID), make([]byte, 31)...), defaultPacket},
		"no limits": {append(binary.BigEndian.AppendUint32([]byte{fxpExtendedReply}, limitsID), make([]byte, 32)...), maxPacket},
	} {
		got, err := parseLimits(row.packet)
		assert.Equal(t, row.want, got, name)
		assert.Equal(t, row.want == 0, err != nil, name)
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x07\x00\x00\x00\x04/a b"))
	f.Add([]byte("\x65\x00\x00\x00\x07\x00\x00\x00\x04\x00\x00\x00\x04full"))
	f.Add([]byte("\xc8\x00\x00\x00\x07\x00\x00\x00\x18posix-rename@openssh.com\x00\x00\x00\x01a\x00\x00\x00\x01b"))
	f.Add([]byte("\x68\x00\x00\x00\x07\x00\x00\x00\x18"))
	f.Fuzz(func(t *testing.T, head []byte) {
		text := describe(head)
		require.NotEmpty(t, text)
		require.Less(t, len(text), 8*len(head)+200)
	})
}

func FuzzHandshake(f *testing.F) {
	version := "\x00\x00\x00\x09\x02\x00\x00\x00\x03\x00\x00\x00\x00"
	f.Add([]byte(version))
	f.Add([]byte("\x00\x00\x00\x05\x02\x00\x00\x00\x03"))
	f.Add([]byte("\x00\x00\x00\x1c\x02\x00\x00\x00\x03\x00\x00\x00\x12limits@openssh.com\x00\x00\x00\x011" + "\x00\x00\x00\x25\xc9\x80\x00\x00\x00" + strings.Repeat("\x00\x00\x00\x00\x00\x00\x40\x00", 4)))
	f.Add([]byte("Welcome"))
	f.Fuzz(func(t *testing.T, said []byte) {
		whole, wholeErr := greet(stream{bytes.NewReader(said)})
		single, singleErr := greet(stream{iotest.OneByteReader(bytes.NewReader(said))})
		require.Equal(t, wholeErr == nil, singleErr == nil)
		if wholeErr != nil {
			return
		}
		require.Equal(t, whole.packet, single.packet)
		require.GreaterOrEqual(t, whole.packet, 512)
		require.LessOrEqual(t, whole.packet, maxPacket)
	})
}

// stream is a server that says what it says whatever it is told.
type stream struct{ io.Reader }

func (stream) Write(p []byte) (int, error) { return len(p), nil }

// FuzzAnswers has a READ, a WRITE and an OPEN answered by anything, in any
// portions.
func FuzzAnswers(f *testing.F) {
	id := func(n byte) string { return "\x80\x00\x00" + string([]byte{n}) }
	f.Add([]byte("\x67"+id(0)+"\x00\x00\x00\x04abcd"), []byte("\x65"+id(1)+"\x00\x00\x00\x00"), []byte("\x66"+id(2)+"\x00\x00\x00\x01h"))
	f.Add([]byte("\x67"+id(0)+"\x00\x00\x00\x02ab"), []byte("\x67"+id(3)+"\x00\x00\x00\x02cd"), []byte("\x65"+id(1)+"\x00\x00\x00\x04"))
	f.Add([]byte("\x67"+id(0)+"\x00\x00\x00\x00"), []byte("\x65"+id(0)), []byte("\x69"+id(0)+"abc"))
	f.Add([]byte("\x65"+id(0)+"\x00\x00\x00\x01"), []byte("\x67"+id(2)+"\x00\x00\x00\x00"), []byte{})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		outcome := func(wrap func(io.Reader) io.Reader) string {
			calls := &bounded.Caller{Timeout: time.Hour, Lost: func(error) {}}
			e := newEngine(func([]byte) error { return nil }, calls)
			read := &request{packet: make([]byte, 40), into: make([]byte, 4)}
			write, open := &request{packet: make([]byte, 40)}, &request{packet: make([]byte, 40)}
			for _, r := range []*request{read, write, open} {
				e.start(r)
			}
			var ended error
			for _, packet := range [][]byte{a, b, c} {
				if len(packet) < 5 || ended != nil {
					break
				}
				r := wrap(bytes.NewReader(packet[5:]))
				ended = e.receive(r, packet[0], binary.BigEndian.Uint32(packet[1:]), len(packet)-5)
			}
			e.end(io.EOF)
			calls.Wait()
			var text strings.Builder
			for _, r := range []*request{read, write, open} {
				<-r.done
				require.LessOrEqual(t, r.n, len(r.into))
				fmt.Fprintf(&text, "%d %d %q %v; ", r.kind, r.n, r.body, r.err)
			}
			file := file{s: nil}
			_ = file.opened(open)
			_ = answerOf(write)
			return fmt.Sprintf("%s%q %v", text.String(), read.into, ended)
		}
		whole := outcome(func(r io.Reader) io.Reader { return r })
		require.Equal(t, whole, outcome(iotest.OneByteReader))
		require.Equal(t, whole, outcome(func(r io.Reader) io.Reader { return bufio.NewReaderSize(r, 16) }))
	})
}
