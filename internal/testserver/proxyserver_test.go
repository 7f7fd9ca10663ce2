package testserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requireEcho passes a word through a tunnel to an echo and back.
func requireEcho(t *testing.T, r io.Reader, w io.Writer) {
	t.Helper()
	_, err := io.WriteString(w, "through")
	require.NoError(t, err)
	got := make([]byte, len("through"))
	_, err = io.ReadFull(r, got)
	require.NoError(t, err)
	require.Equal(t, "through", string(got))
}

// reach connects to a proxy for the length of the test.
func reach(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(readyWithin)))
	return c.(*net.TCPConn)
}

// closedPort is one that nobody listens on: systems give it to nobody who asks for any.
const closedPort = 1

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// digest answers a challenge to CONNECT as RFC 7616, section 3.4 has it.
func (s *ProxyServer) digest(challenge, password, uri string) string {
	value := func(name string) string {
		return regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(challenge)[1]
	}
	hash := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	realm, nonce := value("realm"), value("nonce")
	response := hash(hash(s.User+":"+realm+":"+password) + ":" + nonce + ":00000001:c:auth:" + hash("CONNECT:"+uri))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", qop=auth, nc=00000001, cnonce="c", `+
		`response="%s"`, s.User, realm, nonce, uri, response)
}

// askHTTP sends CONNECT, with a login unless password is empty, and logs the head of the answer.
func (s *ProxyServer) askHTTP(t *testing.T, c net.Conn, auth, password, to string) (*http.Response, *bufio.Reader) {
	t.Helper()
	request := "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n"
	switch {
	case password == "":
	case auth == ProxyBasic:
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s.User+":"+password)) + "\r\n"
	case auth == ProxyDigest:
		challenge, _ := s.askHTTP(t, reach(t, s.Addr()), auth, "", hostPort("127.0.0.1", closedPort))
		request += "Proxy-Authorization: " + s.digest(challenge.Header.Get("Proxy-Authenticate"), password, to) + "\r\n"
	}
	_, err := io.WriteString(c, request+"\r\n")
	require.NoError(t, err)
	r := bufio.NewReader(c)
	answer, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	require.NoError(t, err)
	t.Logf("%s %s, length %d, %v", answer.Proto, answer.Status, answer.ContentLength, answer.Header)
	return answer, r
}

func TestHTTPProxiesAnswer(t *testing.T) {
	t.Parallel()
	open, denied := startTCP(t, echo).Port(), startTCP(t, echo).Port()
	for _, p := range []struct {
		name  string
		start func(testing.TB, ProxyServerConfig) *ProxyServer
		auth  string
		// The status of each answer but 200. Without auth, the first two do not matter.
		none, wrong, closed, unknown int
	}{
		{"squid", Squid, "", 0, 0, 503, 500},
		{"squid, Basic", Squid, ProxyBasic, 407, 407, 503, 500},
		{"squid, Digest", Squid, ProxyDigest, 407, 407, 503, 500},
		{"tinyproxy", Tinyproxy, "", 0, 0, 500, 500},
		{"tinyproxy, Basic", Tinyproxy, ProxyBasic, 407, 401, 500, 500},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.start(t, ProxyServerConfig{Auth: p.auth, DenyPorts: []uint16{denied}})
			ask := func(name, password, to string, status int) {
				t.Run(name, func(t *testing.T) {
					c := reach(t, s.Addr())
					answer, r := s.askHTTP(t, c, p.auth, password, to)
					require.Equal(t, status, answer.StatusCode)
					if status == http.StatusOK {
						requireEcho(t, r, c)
					}
				})
			}
			ask("an open port", s.Password, hostPort("127.0.0.1", open), 200)
			ask("localhost", s.Password, hostPort("localhost", open), 200)
			ask("a name of its own", s.Password, hostPort(s.Name, open), 200)
			ask("a closed port", s.Password, hostPort("127.0.0.1", closedPort), p.closed)
			ask("a closed port of IPv6", s.Password, hostPort("::1", closedPort), p.closed)
			ask("a denied port", s.Password, hostPort("127.0.0.1", denied), 403)
			ask("an unknown name", s.Password, hostPort("nowhere.invalid", open), p.unknown)
			if p.auth != "" {
				ask("no login", "", hostPort("127.0.0.1", open), p.none)
				ask("a wrong password", "guess", hostPort("127.0.0.1", open), p.wrong)
			}
		})
	}
}

func TestSquidSpeaksTLS(t *testing.T) {
	t.Parallel()
	s := Squid(t, ProxyServerConfig{TLS: true})
	c := tls.Client(reach(t, s.TLSAddr()), &tls.Config{RootCAs: s.Identity.Pool(), ServerName: "localhost"})
	_, r := s.askHTTP(t, c, "", "", hostPort("127.0.0.1", startTCP(t, echo).Port()))
	requireEcho(t, r, c)
}

// greet agrees on a login with a SOCKS5 proxy, with the password unless it is empty, and returns the last answer.
func (s *ProxyServer) greet(t *testing.T, c net.Conn, password string) []byte {
	t.Helper()
	if password == "" {
		return talk(t, c, []byte{5, 1, 0}, 2)
	}
	if answer := talk(t, c, []byte{5, 1, 2}, 2); answer[1] != 2 {
		return answer
	}
	return talk(t, c, socksLogin(s.User, password), 2)
}

// talk sends a message, if there is one, and logs it with the answer of n bytes. To write nothing fails where Dante has
// reset the connection behind its last answer.
func talk(t *testing.T, c net.Conn, message []byte, n int) []byte {
	t.Helper()
	if len(message) > 0 {
		_, err := c.Write(message)
		require.NoError(t, err)
	}
	answer := make([]byte, n)
	_, err := io.ReadFull(c, answer)
	require.NoError(t, err)
	t.Logf("% x: % x", message, answer)
	return answer
}

// reply sends a request of SOCKS5, if there is one, and returns the code of the reply and the address in it, unless it
// is a name.
func reply(t *testing.T, c net.Conn, message []byte) (code byte, addr string) {
	t.Helper()
	head := talk(t, c, message, 5)
	size := map[byte]int{1: 4, 3: 1 + int(head[4]), 4: 16}[head[3]]
	body := append(head[4:], talk(t, c, nil, size+1)...)
	return head[1], hostPort(net.IP(body[:size]).String(), binary.BigEndian.Uint16(body[size:]))
}

func TestSOCKSProxiesAnswer(t *testing.T) {
	t.Parallel()
	open, denied := startTCP(t, echo).Port(), startTCP(t, echo).Port()
	for _, p := range []struct {
		name    string
		start   func(testing.TB, ProxyServerConfig) *ProxyServer
		auth    string
		deny    []uint16
		unknown byte   // the code for an unknown name
		bind    byte   // and for BIND
		none    []byte // the answer to who offers no login
		wrong   []byte // and to a wrong password
	}{
		{"dante", Dante, "", []uint16{denied}, 4, 0, []byte{5, 0}, []byte{5, 255}},
		{"dante, password", Dante, ProxyPassword, []uint16{denied}, 4, 0, []byte{5, 255}, []byte{1, 1}},
		{"microsocks", Microsocks, "", nil, 1, 7, []byte{5, 0}, []byte{5, 255}},
		{"microsocks, password", Microsocks, ProxyPassword, nil, 1, 7, []byte{5, 255}, []byte{1, 2}},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.start(t, ProxyServerConfig{Auth: p.auth, DenyPorts: p.deny})
			password := ""
			if p.auth != "" {
				password = s.Password
			}
			ask := func(name string, command byte, host string, port uint16, want byte) {
				t.Run(name, func(t *testing.T) {
					c := reach(t, s.Addr())
					require.Zero(t, s.greet(t, c, password)[1])
					code, _ := reply(t, c, socksRequest(command, host, port))
					require.Equal(t, want, code)
					if command == 1 && code == 0 {
						requireEcho(t, c, c)
					}
				})
			}
			ask("an open port", 1, "127.0.0.1", open, 0)
			ask("localhost", 1, "localhost", open, 0)
			ask("a name of its own", 1, s.Name, open, 0)
			ask("an unknown name", 1, "nowhere.invalid", open, p.unknown)
			ask("a closed port", 1, "127.0.0.1", closedPort, 5)
			ask("a closed port of IPv6", 1, "::1", closedPort, 5)
			ask("BIND", 2, "127.0.0.1", 0, p.bind)
			if p.deny != nil {
				ask("a denied port", 1, "127.0.0.1", denied, 2)
			}
			require.Equal(t, p.none, s.greet(t, reach(t, s.Addr()), ""))
			require.Equal(t, p.wrong, s.greet(t, reach(t, s.Addr()), "guess"))
		})
	}
}

func TestDanteSpeaksSOCKS4(t *testing.T) {
	t.Parallel()
	open, denied := startTCP(t, echo).Port(), startTCP(t, echo).Port()
	ask := func(s *ProxyServer, host [4]byte, port uint16, name string, want byte) {
		c := reach(t, s.Addr())
		message := append(binary.BigEndian.AppendUint16([]byte{4, 1}, port), host[:]...)
		require.Equal(t, []byte{0, want}, talk(t, c, append(message, "me\x00"+name...), 8)[:2])
		if want == 90 {
			requireEcho(t, c, c)
		}
	}
	loopback := [4]byte{127, 0, 0, 1}
	s := Dante(t, ProxyServerConfig{DenyPorts: []uint16{denied}})
	ask(s, loopback, open, "", 90)
	ask(s, loopback, closedPort, "", 91)
	ask(s, loopback, denied, "", 91)
	ask(s, [4]byte{0, 0, 0, 1}, open, "localhost\x00", 91)
	ask(Dante(t, ProxyServerConfig{Auth: ProxyPassword}), loopback, open, "", 91)
}

func TestDanteBinds(t *testing.T) {
	t.Parallel()
	s := Dante(t, ProxyServerConfig{})
	c := reach(t, s.Addr())
	s.greet(t, c, "")
	code, bound := reply(t, c, socksRequest(2, "127.0.0.1", 0))
	require.Zero(t, code)
	peer := reach(t, bound)
	code, from := reply(t, c, nil)
	require.Zero(t, code)
	require.Equal(t, peer.LocalAddr().String(), from)
	_, err := io.WriteString(peer, "back")
	require.NoError(t, err)
	require.Equal(t, "back", string(talk(t, c, nil, 4)))
}

func TestDanteKeepsHalfOfATunnelOpen(t *testing.T) {
	t.Parallel()
	target := startTCP(t, func(_ context.Context, c net.Conn) {
		all, _ := io.ReadAll(c)
		_, _ = c.Write(bytes.ToUpper(all))
	})
	s := Dante(t, ProxyServerConfig{})
	c := reach(t, s.Addr())
	s.greet(t, c, "")
	_, _ = reply(t, c, socksRequest(1, "127.0.0.1", target.Port()))
	_, err := io.WriteString(c, "half")
	require.NoError(t, err)
	require.NoError(t, c.CloseWrite())
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "HALF", string(all))
}

func TestProxiesAreNotTakenForOthers(t *testing.T) {
	t.Parallel()
	var cfg ProxyServerConfig
	squid, tiny, dante, micro := Squid(t, cfg), Tinyproxy(t, cfg), Dante(t, cfg), Microsocks(t, cfg)
	require.False(t, squid.squidAnswers("other.example")(t.Context(), squid.Addr()))
	require.False(t, httpAnswer(t.Context(), tiny.Addr(), " is here", "GET http://other.invalid/ HTTP/1.0"))
	require.False(t, dante.danteAnswers("127.0.0.1", cfg)(t.Context(), dante.Addr()))
	require.False(t, micro.microsocksAnswers(t.TempDir(), cfg)(t.Context(), micro.Addr()))
}

func TestSquidLeavesNothingBehind(t *testing.T) {
	var s *ProxyServer
	if t.Run("squid", func(t *testing.T) { s = Squid(t, ProxyServerConfig{Auth: ProxyDigest}) }); s == nil {
		t.SkipNow()
	}
	shared, _ := filepath.Glob("/dev/shm/squid-*")
	require.Empty(t, shared)
	require.NoDirExists(t, filepath.Dir(s.logs[0]))
	_, err := net.Dial("tcp", s.Addr())
	require.Error(t, err)
}
