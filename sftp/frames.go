package sftp

import "encoding/binary"

const (
	// headBrief is what is kept of each packet: its length, type, id, and the
	// length of what follows.
	headBrief = 4 + 1 + 4 + 4
	// headFull is what is kept for the log, in bytes; longer names are shown
	// shortened.
	headFull = 1 << 10
)

// frames finds the packets in one direction of a stream whose bytes come in
// arbitrary portions. It never holds more than the head of one.
type frames struct {
	head []byte // of the current packet, with its length
	keep int    // how much of it is wanted
	left int    // bytes of the packet that are still to come behind head
	told bool
}

// pass looks at the next bytes of the stream and calls found for each packet
// once its head is there: with at most headFull bytes of it, without the
// length, and the length. full asks for more than the fixed fields.
func (f *frames) pass(b []byte, full bool, found func(head []byte, length int)) {
	for len(b) > 0 {
		if f.told {
			n := min(f.left, len(b))
			f.left -= n
			b = b[n:]
			f.endIfDone()
			continue
		}
		if len(f.head) == 0 {
			f.keep = headBrief
			if full {
				f.keep = headFull
			}
		}
		n := min(f.wanted()-len(f.head), len(b))
		f.head = append(f.head, b[:n]...)
		b = b[n:]
		if len(f.head) >= 4 && len(f.head) == f.wanted() {
			length := f.length()
			f.told, f.left = true, length-(len(f.head)-4)
			found(f.head[4:], length)
			f.endIfDone()
		}
	}
}

// within reports whether a packet has begun that has not ended.
func (f *frames) within() bool { return len(f.head) > 0 }

// wanted is how long head is to become: first the length of the packet, then
// as much as is kept of it.
func (f *frames) wanted() int {
	if len(f.head) < 4 {
		return 4
	}
	return min(4+f.length(), f.keep)
}

// length is what the packet says of itself. A length that no packet has ends
// the session in pkg/sftp; until then it must only stay an int.
func (f *frames) length() int {
	const most = 1 << 30
	return int(min(binary.BigEndian.Uint32(f.head), most))
}

func (f *frames) endIfDone() {
	if f.left == 0 {
		f.head, f.told = f.head[:0], false
	}
}
