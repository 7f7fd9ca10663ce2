package testserver

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// The types of SFTP messages that hooks look at (draft-ietf-secsh-filexfer-02, section 3).
const (
	FxpInit          byte = 1
	FxpVersion       byte = 2
	FxpOpen          byte = 3
	FxpClose         byte = 4
	FxpRead          byte = 5
	FxpWrite         byte = 6
	FxpLstat         byte = 7
	FxpFstat         byte = 8
	FxpSetstat       byte = 9
	FxpFsetstat      byte = 10
	FxpOpendir       byte = 11
	FxpReaddir       byte = 12
	FxpRemove        byte = 13
	FxpMkdir         byte = 14
	FxpRmdir         byte = 15
	FxpRealpath      byte = 16
	FxpStat          byte = 17
	FxpRename        byte = 18
	FxpReadlink      byte = 19
	FxpSymlink       byte = 20
	FxpStatus        byte = 101
	FxpHandle        byte = 102
	FxpData          byte = 103
	FxpName          byte = 104
	FxpAttrs         byte = 105
	FxpExtended      byte = 200
	FxpExtendedReply byte = 201
)

// A Hook decides about one packet of the client. forward goes on to the server, reply back to the client; nil means
// that nothing does. Hence "return &p, nil" lets p pass, "return nil, nil" loses it, and "return nil, Status(...)"
// answers it without the server. The packet is the hook's to change. Packets of one session come one at a time and
// in order, those of several sessions concurrently.
type Hook func(p Packet) (forward, reply *Packet)

// TapSFTP puts hook between the client and next.
func TapSFTP(next SFTPServer, hook Hook) SFTPServer {
	return tap{next: next, hook: hook}.serve
}

// TapReplies shows edit each packet of the server next, and sends what it returns to the client: nothing for nil.
func TapReplies(next SFTPServer, edit func(p Packet) *Packet) SFTPServer {
	return tap{next: next, edit: edit}.serve
}

// ShortReads makes the server answer a READ with n bytes at most, which the protocol allows and naive clients take
// for the end of the file.
func ShortReads(n uint32) Hook {
	return func(p Packet) (forward, reply *Packet) {
		// A READ ends with its length (section 6.4 of the draft).
		if end := len(p.Payload) - 4; p.Type == FxpRead && end >= 0 {
			length := binary.BigEndian.Uint32(p.Payload[end:])
			binary.BigEndian.PutUint32(p.Payload[end:], min(n, length))
		}
		return &p, nil
	}
}

// Ignore never answers packets of the types given, and does not do what they ask.
func Ignore(types ...byte) Hook {
	return func(p Packet) (forward, reply *Packet) {
		if slices.Contains(types, p.Type) {
			return nil, nil
		}
		return &p, nil
	}
}

// FailNth answers the nth packet of a type, counted from one over all sessions, with a STATUS of code and message.
// That packet never reaches the server, the later ones do: a WRITE failed so leaves a hole.
func FailNth(kind byte, n int64, code uint32, message string) Hook {
	var seen atomic.Int64
	return func(p Packet) (forward, reply *Packet) {
		if p.Type == kind && seen.Add(1) == n {
			return nil, Status(p.ID, code, message)
		}
		return &p, nil
	}
}

// Status makes a STATUS packet (section 7 of the draft).
func Status(id, code uint32, message string) *Packet {
	payload := ssh.Marshal(struct {
		Code              uint32
		Message, Language string
	}{Code: code, Message: message})
	return &Packet{Type: FxpStatus, ID: id, Payload: payload}
}

// tap runs next behind a pair of pipes. A nil hook or edit lets everything pass.
type tap struct {
	next SFTPServer
	hook Hook
	edit func(p Packet) *Packet
}

func (t tap) serve(ctx context.Context, client io.ReadWriteCloser) error {
	requests, toServer := io.Pipe()
	replies, toClient := io.Pipe()
	out := &packetWriter{w: client}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = toServer.CloseWithError(t.pumpRequests(client, toServer, out))
	}()
	var pump sync.WaitGroup
	pump.Go(func() {
		_ = replies.CloseWithError(t.pumpReplies(replies, out))
	})

	err := t.next(ctx, &duplex{Reader: requests, Writer: toClient, close: func() {
		_ = requests.Close()
		_ = toClient.Close()
	}})
	_ = requests.Close()
	_ = toClient.Close()
	pump.Wait()
	select {
	case <-ended:
	default:
		// The server ended first: only closing the stream unblocks the pump.
		_ = client.Close()
		<-ended
	}
	return err
}

// pumpRequests returns nil, which a pipe turns into io.EOF, at the end of the client's stream.
func (t tap) pumpRequests(client io.Reader, server io.Writer, out *packetWriter) error {
	for {
		p, err := readPacket(client)
		if err != nil {
			return err
		}
		forward, reply := &p, (*Packet)(nil)
		if t.hook != nil {
			forward, reply = t.hook(p)
		}
		if err := out.write(reply); err != nil {
			return err
		}
		if forward == nil {
			continue
		}
		if err := writePacket(server, *forward); err != nil {
			return err
		}
	}
}

func (t tap) pumpReplies(server io.Reader, out *packetWriter) error {
	for {
		p, err := readPacket(server)
		if err != nil {
			return err
		}
		reply := &p
		if t.edit != nil {
			reply = t.edit(p)
		}
		if err := out.write(reply); err != nil {
			return err
		}
	}
}

// packetWriter keeps the packets of the server and those of the hook whole.
type packetWriter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (w *packetWriter) write(p *Packet) error {
	if p == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return writePacket(w.w, *p)
}

// duplex makes one stream of two.
type duplex struct {
	io.Reader
	io.Writer
	close func()
}

func (d *duplex) Close() error {
	d.close()
	return nil
}
