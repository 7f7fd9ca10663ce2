package sftp

import (
	"context"
	"io"

	"github.com/hawser/hawser"
)

// maxWindow is how many requests of one transfer are under way at most. With
// packets of 255 KiB that is 16 MiB of buffers.
const maxWindow = 64

// offsetAndLength is what follows the handle in a READ and a WRITE, in bytes.
const offsetAndLength = 8 + 4

// A transfer moves the content of one open file in chunks of at most a packet.
// It is for the goroutine that reads or writes the file.
type transfer struct {
	*file
	room int // of the head of a READ or WRITE, in bytes
}

// A chunk is a range of a file and the request that moves it.
type chunk struct {
	request
	offset  int64
	memory  []byte // maxRoom, then content
	content []byte // as long as a packet
	filled  int    // bytes of content that are to be written
}

// newTransfer takes over f.
func newTransfer(f *file) *transfer {
	f.s.begin()
	return &transfer{file: f, room: headSize + 4 + len(f.handle) + offsetAndLength}
}

// maxRoom is what the head of a WRITE takes at most, in bytes.
const maxRoom = headSize + 4 + maxHandle + offsetAndLength

// take returns an empty chunk for offset.
func (t *transfer) take(offset int64) *chunk {
	c, ok := t.s.chunks.Get().(*chunk)
	if !ok {
		c = &chunk{memory: make([]byte, maxRoom+t.s.packet)}
		c.content = c.memory[maxRoom:]
	}
	c.offset, c.filled, c.packet, c.into = offset, 0, nil, nil
	return c
}

// give back a chunk whose request is answered.
func (t *transfer) give(c *chunk) { t.s.chunks.Put(c) }

// read starts to fill c. At the end of the file there is less in it, and
// [chunk.failure] is io.EOF.
func (t *transfer) read(c *chunk) {
	c.packet = t.head(c, fxpRead, c.memory[:0], len(c.content)) // in the room that it does not use itself
	c.into = c.content
	t.s.engine.start(&c.request)
}

// write starts to send what c is filled with.
func (t *transfer) write(c *chunk) {
	begin := maxRoom - t.room
	t.head(c, fxpWrite, c.memory[begin:begin], c.filled)
	c.packet = c.memory[begin : maxRoom+c.filled]
	t.s.engine.start(&c.request)
}

// head appends what READ and WRITE begin with to b: room bytes.
func (t *transfer) head(c *chunk, kind byte, b []byte, length int) []byte {
	b = appendString(append(b, 0, 0, 0, 0, kind, 0, 0, 0, 0), t.handle)
	return appendUint32(appendUint64(b, uint64(c.offset)), uint32(length))
}

// wait returns when c is answered or ctx ended. The error is only ctx's; that
// of the answer is c.failure.
func (c *chunk) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *chunk) answered() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// failure is why c, which is answered, was not moved whole; nil if it was.
func (c *chunk) failure() error {
	if c.into == nil {
		return answerOf(&c.request)
	}
	if code, ok := statusCode(c.err); ok && code == statusEOF {
		return io.EOF
	}
	return c.err
}

// report tells the traces of ctx how far the file is.
func (t *transfer) report(ctx context.Context, done int64) {
	for _, trace := range hawser.ContextTraces(ctx) {
		if trace.Progress != nil {
			trace.Progress(t.name, done, -1)
		}
	}
}
