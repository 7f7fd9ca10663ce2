package hawser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

// wise is an error that knows what to do.
type wise string

func (e wise) Error() string { return "wise failure" }
func (e wise) Hint() string  { return string(e) }

func TestHint(t *testing.T) {
	t.Parallel()
	dial := func(number syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", number)}
	}
	lost := func(err error) error { return fmt.Errorf("%w: %w", hawser.ErrLost, err) }
	field := func(name string) error { return &hawser.FieldError{Field: name, Problem: "is wrong"} }
	const (
		fingerprint = "compare the fingerprint with what the server's operator says, then accept it, set tls.roots to its authority, or allow what is wrong by tls.allow"
		unreachable = "check host, and this machine's network: there is no way to that address; a VPN may be down"
		unanswered  = "check host and port, and the firewalls between: nothing answers there at all"
	)
	for _, row := range []struct {
		name     string
		phase    hawser.Phase
		protocol hawser.Protocol
		err      error
		want     string
	}{
		{"a field", "lookup", ftp, field("tls.mode"), "correct tls.mode"},
		{"several fields, each once", "lookup", ftp, errors.Join(field("host"), field("tls.mode"), field("host")), "correct host, tls.mode"},
		{"the whole definition", "lookup", ftp, field(""), "correct the definition"},
		{"a name that is not there", "lookup", "", hawser.ErrNotFound, "correct the name, or save a connection under it"},
		{"a protocol without a driver", "lookup", "gopher", hawser.ErrNoDriver, "correct protocol, or build the program with a driver for it"},
		{"no session left", "pool", ftp, hawser.ErrBusy, "wait for another session to end, or set limits.sessions as high as the server allows"},
		{"a registry that does not answer", "lookup", "", context.DeadlineExceeded, "see whether the registry can be reached"},

		{"a secret that is not there", "secrets", ftp, errors.New("environment variable is empty"), "correct the secret, key or certificate that the error names, or the reference to it"},
		{"a file that is not there", "secrets", ssh, &fs.PathError{Op: "open", Path: "id", Err: syscall.ENOENT}, "put the file there, on the machine that runs this program, or correct its path"},
		{"a file that may not be read", "secrets", ssh, &fs.PathError{Op: "open", Path: "id", Err: syscall.EACCES}, "let the user that runs this program read the file"},
		{"a vault that does not answer", "secrets", ssh, context.DeadlineExceeded, "see whether the store of secrets can be reached"},

		{"a name that DNS does not have", "resolve", ftp, &net.DNSError{IsNotFound: true}, "correct host: this machine's DNS has no such name"},
		{"a DNS that does not answer", "resolve", ftp, &net.DNSError{IsTimeout: true}, "try again, and see whether this machine's DNS answers"},
		{"a port where nobody listens", "connect", ftp, dial(syscall.ECONNREFUSED), "check port, and whether the server runs: nothing listens there, or a firewall says no"},
		{"a host without a way", "connect", ftp, dial(syscall.EHOSTUNREACH), unreachable},
		{"a network without a way", "connect", ftp, dial(syscall.ENETUNREACH), unreachable},
		{"a firewall of this machine", "connect", ftp, dial(syscall.EPERM), "have this machine's own firewall allow the connection"},
		{"a system that gave up", "connect", ftp, dial(syscall.ETIMEDOUT), unanswered},
		{"time that was up", "connect", ftp, fmt.Errorf("no answer within 1s: %w", os.ErrDeadlineExceeded), unanswered},
		{"the caller's time", "connect", ftp, context.DeadlineExceeded, unanswered},
		{"a connection that was ended at once", "connect", ftp, lost(io.EOF), "check port: the server takes the connection and ends it before it says what is expected"},

		{"a proxy", "proxy", ftp, fmt.Errorf("%w: %w", hawser.ErrProxy, dial(syscall.ECONNREFUSED)), "check proxy.host and proxy.port, or via, and whether the proxy or jump host runs"},
		{"a proxy that refuses the login", "proxy", ftp, fmt.Errorf("%w: %w", hawser.ErrProxy, hawser.ErrAuth), "check proxy.user and proxy.password"},
		{"a proxy that is not trusted", "proxy", ftp, fmt.Errorf("%w: %w", hawser.ErrProxy, hawser.ErrUntrusted), "compare the proxy's certificate with what its operator says, then accept it or set tls.roots to its authority"},

		{"a certificate", "trust", ftp, hawser.ErrUntrusted, fingerprint},
		{"a certificate of mail", "trust", smtp, hawser.ErrUntrusted, fingerprint},
		{"a host key", "trust", ssh, hawser.ErrUntrusted, "compare the fingerprint with what ssh-keygen -l says on the server, then accept it or add it to ssh.host_keys"},
		{"another server's data", "data", ftp, hawser.ErrUntrusted, "see whether a firewall or balancer leads data connections to another server than the login"},
		{"a client certificate", "trust", ftp, hawser.ErrAuth, "set tls.certificate to one that the server accepts"},
		{"a handshake without an end", "trust", ftp, os.ErrDeadlineExceeded, "check port: the server takes the connection and shakes no hands"},

		{"a login", "login", ftp, hawser.ErrAuth, "check auth.user and auth.password"},
		{"a login without an answer", "login", ftp, os.ErrDeadlineExceeded, "set timeout higher: the server does not answer the login in time"},
		{"a directory that may not be listed", "probe", ftp, fs.ErrPermission, "let the login list its login directory, or pass over this if jobs do not need it"},
		{"a listing without an end", "probe", ftp, os.ErrDeadlineExceeded, "set timeout higher: the login works, and what comes after it is too slow"},

		{"a caller that gave up", "secrets", ftp, context.Canceled, ""},
		{"what is not known", "login", ftp, errFake, ""},
		{"what the error knows", "login", ftp, fmt.Errorf("%w: %w", hawser.ErrAuth, wise("do this")), "do this"},
		{"what the outer error does not know", "connect", ftp, errors.Join(wise(""), wise("do that"), wise("do more")), "do that"},
		{"a jump host", "proxy", ftp, fmt.Errorf("via: %w", &hawser.Error{Name: "jump", Phase: "login", Protocol: ssh, Err: hawser.ErrAuth}), "connection jump: check auth.user and auth.password"},
		{"the same connection once more", "probe", ftp, &hawser.Error{Name: "bank", Phase: "login", Err: hawser.ErrAuth}, "check auth.user and auth.password"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := &hawser.Error{Op: "open", Phase: row.phase, Name: "bank", Protocol: row.protocol, Err: row.err}
			require.Equal(t, row.want, hawser.Hint(err))
			require.Equal(t, row.want, hawser.Report{Err: err}.Hint())
		})
	}
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, hawser.Hint(nil))
		require.Empty(t, hawser.Report{}.Hint())
	})
	t.Run("an error without a phase", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "check auth.user and auth.password", hawser.Hint(hawser.ErrAuth))
	})
	t.Run("text that would move a cursor is escaped", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, `correct extra.\x1b[2J`, hawser.Hint(field("extra.\x1b[2J")))
	})
}
