package sftp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hawser/hawser"
)

const (
	// version is the one that this package speaks.
	version = 3
	// defaultPacket is what every server takes in one READ or WRITE, in bytes
	// (draft-ietf-secsh-filexfer-02, section 3).
	defaultPacket = 32 << 10
	// maxPacket is the largest that is asked for, in bytes: what OpenSSH
	// announces, and what is left of the 256 KiB that it takes as a message.
	maxPacket = 261120
	// maxReply bounds the packets of the handshake, in bytes.
	maxReply = 256 << 10
	// limitsID is the request id of the question for the limits.
	limitsID = firstID

	limitsExtension = "limits@openssh.com"
)

// A greeting is what a server says of itself before the first request.
type greeting struct {
	packet     int    // the largest READ and WRITE, in bytes
	replay     []byte // the VERSION packet with its length
	extensions map[string]string
}

// greet sends INIT and asks for the limits, if the server has such. Both come
// before pkg/sftp, which can ask for neither, takes over the stream.
func greet(stream io.ReadWriter) (greeting, error) {
	init := binary.BigEndian.AppendUint32([]byte{fxpInit}, version)
	// A program that was no SFTP server may be over, and have said why before.
	if err := writePacket(stream, init); err != nil && !errors.Is(err, io.EOF) {
		return greeting{}, err
	}
	r := bufio.NewReader(stream)
	reply, err := readPacket(r)
	if err != nil {
		return greeting{}, noVersion(err)
	}
	g, err := parseVersion(reply)
	if err != nil {
		return greeting{}, err
	}
	if _, ok := g.extensions[limitsExtension]; ok {
		g.packet, err = askLimits(stream, r)
	}
	// A server that says more than it was asked has pkg/sftp complain of it.
	more, _ := r.Peek(r.Buffered())
	g.replay = append(g.replay, more...)
	return g, err
}

// noVersion is why there is none. ProFTPD only ends the stream where it is told
// to speak others than this.
func noVersion(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("%w: the server ended SFTP before its VERSION; it may want one other than %d: %w", hawser.ErrLost, version, err)
}

func writePacket(w io.Writer, packet []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...))
	return err
}

func readPacket(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > maxReply {
		return nil, notSFTP(head[:], r)
	}
	packet := make([]byte, length)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	return packet, nil
}

// notSFTP quotes what came in place of a packet: a login script that prints
// something looks like a packet of its first letters.
func notSFTP(head []byte, r *bufio.Reader) error {
	const most = 200
	more, _ := r.Peek(min(r.Buffered(), most))
	return fmt.Errorf("not an SFTP packet: begins with %q; does the login shell print a text?", append(head, more...))
}

// parseVersion reads the VERSION packet (section 4).
func parseVersion(packet []byte) (greeting, error) {
	if len(packet) < 5 || packet[0] != fxpVersion {
		return greeting{}, fmt.Errorf("want VERSION as the server's first packet, got %q", packet[:min(len(packet), 5)])
	}
	g := greeting{packet: defaultPacket, extensions: map[string]string{}}
	g.replay = append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...)
	if got := binary.BigEndian.Uint32(packet[1:]); got != version {
		return greeting{}, fmt.Errorf("%w: the server speaks SFTP version %d alone, and this package version %d", errors.ErrUnsupported, got, version)
	}
	for rest := packet[5:]; len(rest) > 0; {
		var name, value []byte
		var ok bool
		if name, rest, ok = cutString(rest); ok {
			value, rest, ok = cutString(rest)
		}
		if !ok {
			return greeting{}, errors.New("malformed extension in the VERSION packet")
		}
		g.extensions[string(name)] = string(value)
	}
	return g, nil
}

// askLimits asks for the largest packets that the server takes.
func askLimits(w io.Writer, r *bufio.Reader) (int, error) {
	ask := binary.BigEndian.AppendUint32([]byte{fxpExtended}, limitsID)
	ask = binary.BigEndian.AppendUint32(ask, uint32(len(limitsExtension)))
	if err := writePacket(w, append(ask, limitsExtension...)); err != nil {
		return 0, err
	}
	reply, err := readPacket(r)
	if err != nil {
		return 0, err
	}
	return parseLimits(reply)
}

// parseLimits reads max-packet-length, max-read-length, max-write-length and
// max-open-handles (OpenSSH: PROTOCOL, section 4.8); zero is no limit. A
// server that refuses gets what every server takes.
func parseLimits(packet []byte) (int, error) {
	const fields = 1 + 4 + 4*8
	switch {
	case len(packet) < 5 || binary.BigEndian.Uint32(packet[1:]) != limitsID:
		return 0, errors.New("malformed answer to limits@openssh.com")
	case packet[0] != fxpExtendedReply || len(packet) < fields:
		return defaultPacket, nil
	}
	size := uint64(maxPacket)
	for _, at := range []int{13, 21} { // read, write
		if limit := binary.BigEndian.Uint64(packet[at:]); limit != 0 {
			size = min(size, limit)
		}
	}
	const smallest = 512 // below that the server means something else
	if size < smallest {
		return defaultPacket, nil
	}
	return int(size), nil
}

// complaint is what a server wrote as an error instead of speaking SFTP.
func complaint(err error, stderr string) error {
	if stderr = strings.TrimSpace(stderr); stderr == "" {
		return err
	}
	return fmt.Errorf("%w (the server says %q)", err, stderr)
}
