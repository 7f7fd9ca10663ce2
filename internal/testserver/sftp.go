package testserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// An SFTPServer serves one SFTP session on rwc and returns when it has ended. The caller closes rwc afterwards; the
// server may close it sooner to end the session. ctx is cancelled when the channel is closed or the connection ends.
type SFTPServer func(ctx context.Context, rwc io.ReadWriteCloser) error

const (
	defaultPacket = 32 << 10  // pkg/sftp's largest answer to a READ
	openSSHPacket = 261120    // OpenSSH's: 256 KiB less 1 KiB for the headers
	openSSHLimit  = 256 << 10 // OpenSSH's and pkg/sftp's largest message
)

// Files serves the real file system with the server of github.com/pkg/sftp. Relative names start in root. packet is
// the largest answer to a READ in bytes; zero means 32 KiB. It announces version 3 with hardlink@openssh.com,
// posix-rename@openssh.com and statvfs@openssh.com.
func Files(root string, packet uint32) SFTPServer {
	return func(_ context.Context, rwc io.ReadWriteCloser) error {
		options := []sftp.ServerOption{sftp.WithServerWorkingDirectory(root)}
		if packet != 0 {
			options = append(options, sftp.WithMaxTxPacket(packet))
		}
		server, err := sftp.NewServer(rwc, options...)
		if err != nil {
			return err
		}
		err = server.Serve()
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return nil
		}
		return err
	}
}

// serveSFTP runs the subsystem that the configuration chose.
func (s *SSH) serveSFTP(ctx context.Context, rwc io.ReadWriteCloser) error {
	serve := s.cfg.SFTP
	if serve == nil {
		root, err := s.root()
		if err != nil {
			return err
		}
		serve = Files(root, s.cfg.SFTPPacket)
	}
	if s.cfg.Limits {
		serve = AddLimits(serve, max(s.cfg.SFTPPacket, defaultPacket))
	}
	return serve(ctx, rwc)
}

// AddLimits makes next announce limits@openssh.com, which pkg/sftp's server lacks, and answers it (OpenSSH
// PROTOCOL, section 4.8): READs up to maxRead bytes, but no more than the 261120 that OpenSSH allows, WRITEs up to
// those, and no limit on handles.
func AddLimits(next SFTPServer, maxRead uint32) SFTPServer {
	const name = "limits@openssh.com"
	answer := func(p Packet) (forward, reply *Packet) {
		var request struct {
			Name string
			Rest []byte `ssh:"rest"`
		}
		if p.Type != FxpExtended || ssh.Unmarshal(p.Payload, &request) != nil || request.Name != name {
			return &p, nil
		}
		limits := struct{ Packet, Read, Write, Handles uint64 }{
			openSSHLimit, uint64(min(maxRead, openSSHPacket)), openSSHPacket, 0,
		}
		return nil, &Packet{Type: FxpExtendedReply, ID: p.ID, Payload: ssh.Marshal(limits)}
	}
	announce := func(p Packet) *Packet {
		if p.Type == FxpVersion {
			p.Payload = append(p.Payload, ssh.Marshal(struct{ Name, Data string }{name, "1"})...)
		}
		return &p
	}
	return TapReplies(TapSFTP(next, answer), announce)
}

// Packet is one SFTP message (draft-ietf-secsh-filexfer-02, section 3). FxpInit and FxpVersion have no ID: theirs
// is zero here, and their Payload starts with the version.
type Packet struct {
	Type    byte
	ID      uint32
	Payload []byte
}

func (p Packet) hasID() bool { return p.Type != FxpInit && p.Type != FxpVersion }

// maxMessage bounds the memory that a broken length can ask for.
const maxMessage = 1 << 20

func readPacket(r io.Reader) (Packet, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Packet{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 1 || size > maxMessage {
		return Packet{}, errors.New("testserver: sftp message has an impossible length")
	}
	p := Packet{Type: head[4], Payload: make([]byte, size-1)}
	if _, err := io.ReadFull(r, p.Payload); err != nil {
		return Packet{}, err
	}
	if !p.hasID() {
		return p, nil
	}
	if len(p.Payload) < 4 {
		return Packet{}, errors.New("testserver: sftp message without an id")
	}
	p.ID, p.Payload = binary.BigEndian.Uint32(p.Payload), p.Payload[4:]
	return p, nil
}

func writePacket(w io.Writer, p Packet) error {
	size := 1 + len(p.Payload)
	if p.hasID() {
		size += 4
	}
	b := make([]byte, 0, 4+size)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = append(b, p.Type)
	if p.hasID() {
		b = binary.BigEndian.AppendUint32(b, p.ID)
	}
	_, err := w.Write(append(b, p.Payload...))
	return err
}
