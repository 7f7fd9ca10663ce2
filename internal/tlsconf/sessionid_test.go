package tlsconf_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

func TestThisReleaseOfGoReadsTheSessionsThatAreMade(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	middle := testcert.Intermediate(t, root)
	server := &tls.Config{Certificates: []tls.Certificate{testcert.Server(t, middle).TLS(middle)}, MaxVersion: tls.VersionTLS12}
	seen, err, _ := testcert.Handshake(t, server, &tls.Config{RootCAs: testcert.Pool(root), ServerName: "localhost"})
	require.NoError(t, err)
	require.NotNil(t, tlsconf.NewSessionState(seen, make([]byte, 48)), "servers that give no tickets can no longer be resumed: see sessionid.go")
}

// A recorder keeps the first bytes of both directions.
type recorder struct {
	net.Conn
	mu              sync.Mutex // guards both
	sent, delivered []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.sent = append(r.sent, b...)
	r.mu.Unlock()
	return r.Conn.Write(b)
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.mu.Lock()
	r.delivered = append(r.delivered, b[:n]...)
	r.mu.Unlock()
	return n, err
}

func TestIdentifierOfASessionIsSaidInItsPlaceAlone(t *testing.T) {
	t.Parallel()
	server := testcert.Server(t, nil)
	addr := openssl(t, server, "-tls1_2", "-no_ticket")
	k := newClient(t, ftps(t, server), tlsconf.Options{})
	first := &recorder{Conn: dial(t, addr)}
	control, err := k.Handshake(t.Context(), first)
	require.NoError(t, err)
	require.NoError(t, control.Close())
	_, id := tlsconf.ReadServerHello(first.delivered)
	require.Len(t, id, 32)

	// The place of both is the same in a hello of either side.
	said := func(r *recorder) (random, session []byte) {
		require.Greater(t, len(r.sent), 76)
		require.EqualValues(t, 32, r.sent[43])
		return r.sent[11:43], r.sent[44:76]
	}
	randoms := make(map[string]bool)
	for range 3 {
		second := &recorder{Conn: dial(t, addr)}
		c, err := k.Data(t.Context(), second)
		require.NoError(t, err)
		require.True(t, c.ConnectionState().DidResume)
		require.NoError(t, c.Close())
		random, session := said(second)
		require.Equal(t, id, session)
		require.NotEqual(t, id, random)
		randoms[string(random)] = true
	}
	require.Len(t, randoms, 3, "and all else stays random")
	random, session := said(first)
	require.NotEqual(t, random, session)
}

func TestSessionIsKnownByItsIdentifierOnlyWithoutATicket(t *testing.T) {
	t.Parallel()
	server := &tls.Config{Certificates: []tls.Certificate{testcert.Server(t, nil).TLS()}, MaxVersion: tls.VersionTLS12}
	seen, err, _ := testcert.Handshake(t, server, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	hello := []byte(helloText(3))
	hello[43] = 32
	hello = append(hello, make([]byte, 32)...)
	require.True(t, tlsconf.KeepsByID(hello, seen, false))
	require.False(t, tlsconf.KeepsByID(hello, seen, true))
	hello[43] = 31
	require.False(t, tlsconf.KeepsByID(hello, seen, false), "of a length that crypto/tls does not say")
}

func TestOnlyFTPKeepsSessionsWithoutTickets(t *testing.T) {
	t.Parallel()
	server := testcert.Server(t, nil)
	addr := openssl(t, server, "-tls1_2", "-no_ticket")
	c := ftps(t, server)
	c.Protocol = hawser.SMTP
	k := newClient(t, c, tlsconf.Options{})
	control, err := converse(t, k, addr)
	require.NoError(t, err)
	require.NoError(t, control.Close())
	second, err := data(t, k, addr)
	require.NoError(t, err)
	require.False(t, second.ConnectionState().DidResume)
}

func TestIdentifierMustStandWhereItBelongs(t *testing.T) {
	t.Parallel()
	id := bytes.Repeat([]byte{7}, 32)
	hello := slices.Concat([]byte{22, 3, 1, 0, 100, 1, 0, 0, 96, 3, 3}, bytes.Repeat([]byte{1}, 32), []byte{32}, id, []byte("rest"))
	elsewhere := slices.Concat(hello[:44], bytes.Repeat([]byte{8}, 32), id)
	for name, row := range map[string]struct {
		sent []byte
		ok   bool
	}{
		"there": {hello, true}, "elsewhere": {elsewhere, false}, "cut": {hello[:60], false},
		"nothing": {nil, false}, "another record": {append([]byte{23}, hello[1:]...), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, row.ok, tlsconf.SaysID(row.sent, id))
		})
	}
}
