package ftp_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
)

func TestDataErrorHint(t *testing.T) {
	t.Parallel()
	const (
		there     = "192.0.2.1:40123"
		firewall  = "open the port range of the server in the firewall, or set ftp.mode to active or auto"
		noBinding = "set ftp.mode to passive, or reach the server through a SOCKS proxy that can bind"
	)
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	reply := func(code int) error { return &ftp.Error{Command: "EPSV", Code: code, Text: "no"} }
	for _, row := range []struct {
		name string
		err  ftp.DataError
		want string
	}{
		{"a passive port", ftp.DataError{Mode: hawser.Passive, Addr: there, Err: refused}, "passive port 40123 cannot be reached: " + firewall},
		{"no passive port", ftp.DataError{Mode: hawser.Passive, Err: reply(550)}, "the server opens no passive port: set ftp.mode to active or auto"},
		{"EPSV that is not known", ftp.DataError{Mode: hawser.Passive, Err: reply(502)}, "the server opens no passive port: set ftp.mode to active or auto"},
		{"a port that is no number", ftp.DataError{Mode: hawser.Passive, Err: errors.New("the server names no port")}, firewall},
		{"425 after the passive port was reached", ftp.DataError{Mode: hawser.Passive, Addr: there, Err: reply(425)}, firewall},
		{"a proxy", ftp.DataError{Mode: hawser.Passive, Addr: there, Err: fmt.Errorf("%w: %w", hawser.ErrProxy, refused)}, "have the proxy or jump host allow connections to the ports of the server's data"},
		{"a server that does not come", ftp.DataError{Mode: hawser.Active, Addr: there, Err: os.ErrDeadlineExceeded}, "the server did not connect to 192.0.2.1:40123: set ftp.ports and ftp.external as the firewall has them, or set ftp.mode to passive"},
		{"a server that cannot come", ftp.DataError{Mode: hawser.Active, Addr: there, Err: reply(425)}, "the server did not connect to 192.0.2.1:40123: set ftp.ports and ftp.external as the firewall has them, or set ftp.mode to passive"},
		{"PORT that is refused", ftp.DataError{Mode: hawser.Active, Err: reply(501)}, "the server does not connect to clients: set ftp.mode to passive"},
		{"no way back", ftp.DataError{Mode: hawser.Active, Err: errors.ErrUnsupported}, noBinding},
		{"a proxy that binds not", ftp.DataError{Mode: hawser.Active, Err: hawser.ErrProxy}, noBinding},
	} {
		assert.Equal(t, row.want, row.err.Hint(), row.name)
		err := fmt.Errorf("LIST: %w", &row.err)
		assert.Equal(t, row.want, hawser.Hint(err), row.name)
		assert.ErrorIs(t, err, row.err.Err, row.name)
	}
}
