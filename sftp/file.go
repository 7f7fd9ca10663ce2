package sftp

import (
	"context"
	"fmt"
)

// Flags of OPEN (draft-ietf-secsh-filexfer-02, section 6.3).
const (
	openRead     = 0x01
	openWrite    = 0x02
	openCreate   = 0x08
	openTruncate = 0x10
)

// A file is an open file of the server.
type file struct {
	s      *Session
	name   string
	handle string
}

// openFile opens name. A file whose opener did not wait is closed again.
func (s *Session) openFile(ctx context.Context, op, name string, flags uint32) (*file, error) {
	if err := checkName(op, name); err != nil {
		return nil, err
	}
	defer s.log.Listen(ctx)()
	packet := appendUint32(appendString(newPacket(fxpOpen), name), flags)
	r := &request{packet: appendUint32(packet, 0)} // no attributes: the server's defaults
	f := &file{s: s, name: name}
	err := s.engine.call(ctx, r, func() {
		if f.opened(r) == nil {
			s.engine.start(f.closing())
		}
	})
	if err == nil {
		err = f.opened(r)
	}
	if err != nil {
		return nil, s.pathError(op, name, err)
	}
	return f, nil
}

// opened reads the answer to OPEN.
func (f *file) opened(r *request) (err error) {
	switch {
	case r.err != nil:
		return r.err
	case r.kind == fxpHandle:
		f.handle, err = parseHandle(r.body)
		return err
	case r.kind == fxpStatus:
		if err = parseStatus(r.body); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %s to OPEN", errMalformed, packetName(r.kind))
}

func (f *file) closing() *request {
	return &request{packet: appendString(newPacket(fxpClose), f.handle)}
}

// close sends CLOSE and waits for the answer.
func (f *file) close(ctx context.Context) error { return f.do(ctx, f.closing()) }

// truncate cuts the file to size bytes.
func (f *file) truncate(ctx context.Context, size int64) error {
	const hasSize = 1
	packet := appendUint32(appendString(newPacket(fxpFsetstat), f.handle), hasSize)
	return f.do(ctx, &request{packet: appendUint64(packet, uint64(size))})
}

// size asks how long the file is.
func (f *file) size(ctx context.Context) (int64, error) {
	r := &request{packet: appendString(newPacket(fxpFstat), f.handle)}
	err := f.s.engine.call(ctx, r, nil)
	if err != nil {
		return 0, err
	}
	if r.kind == fxpAttrs {
		return parseSize(r.body)
	}
	if err := answerOf(r); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%w: OK to FSTAT", errMalformed)
}

// do sends r, whose answer is a STATUS.
func (f *file) do(ctx context.Context, r *request) error {
	if err := f.s.engine.call(ctx, r, nil); err != nil {
		return err
	}
	return answerOf(r)
}

// answerOf is the STATUS that r was answered with.
func answerOf(r *request) error {
	if r.err != nil {
		return r.err
	}
	if r.kind != fxpStatus {
		return fmt.Errorf("%w: %s for a STATUS", errMalformed, packetName(r.kind))
	}
	return parseStatus(r.body)
}
