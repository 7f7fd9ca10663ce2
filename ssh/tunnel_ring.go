package ssh

// take copies the first bytes of the ring to p.
func (f *tunnelFlow) take(p []byte) int {
	n := 0
	for n < len(p) && f.size > 0 {
		moved := copy(p[n:], f.front())
		f.advance(moved)
		n += moved
	}
	return n
}

// front is the first bytes, as far as they lie together.
func (f *tunnelFlow) front() []byte {
	return f.ring[f.head:min(f.head+f.size, len(f.ring))]
}

// back is the place behind the last byte, as far as it lies together. The ring
// grows while less than want is free.
func (f *tunnelFlow) back(want int) []byte {
	for len(f.ring)-f.size < want && (len(f.ring) < tunnelBuffer || f.boundless) {
		f.grow()
	}
	if f.size == len(f.ring) {
		return nil
	}
	tail := (f.head + f.size) % len(f.ring)
	if tail < f.head {
		return f.ring[tail:f.head]
	}
	return f.ring[tail:]
}

func (f *tunnelFlow) grow() {
	ring := make([]byte, max(tunnelPiece, 2*len(f.ring)))
	n := copy(ring, f.front())
	copy(ring[n:], f.ring[:f.size-n])
	f.ring, f.head = ring, 0
}

// advance lets go of the first n bytes.
func (f *tunnelFlow) advance(n int) {
	f.head = (f.head + n) % len(f.ring)
	f.size -= n
	f.moved += int64(n)
	f.changed.Broadcast()
}
