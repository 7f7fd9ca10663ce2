package sftp

import (
	"context"
	"errors"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ssh"
)

// A Dialer opens SFTP sessions. Its zero value reaches servers directly and
// trusts the host keys that the Connection lists, no other. It may be copied
// and is safe for concurrent use while nobody changes it.
type Dialer struct {
	Transport hawser.Transport // nil: hawser.Direct
	Verifier  hawser.Verifier  // nil: only Connection.SSH.HostKeys
}

var _ hawser.Dialer = Dialer{}

// Dial opens a session; see [Dialer.Open].
func (d Dialer) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	s, err := d.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Open logs in to c by SSH and starts SFTP. ctx bounds Open, not the session.
// Errors are *hawser.Error. The caller closes the Session.
func (d Dialer) Open(ctx context.Context, c hawser.Connection) (*Session, error) {
	shell, err := ssh.Dialer(d).Open(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, shell, c)
	if err != nil {
		var inner *hawser.Error
		if errors.As(err, &inner) {
			err = inner.Err // says the same of the connection
		}
		return nil, &hawser.Error{
			Op: "open", Phase: hawser.PhaseLogin, Name: c.Name, Protocol: c.Protocol, Addr: c.Addr(), Err: err,
		}
	}
	return s, nil
}

// openStream starts the server's sftp: the subsystem, or the program that
// c.SFTP.Subsystem gives the path of.
func openStream(ctx context.Context, shell *ssh.Session, c hawser.Connection) (*ssh.Stream, error) {
	name := c.SFTP.Subsystem
	if name == "" {
		name = "sftp"
	}
	open := shell.Subsystem
	if strings.Contains(name, "/") {
		open = shell.Exec
	}
	return open(ctx, name)
}
