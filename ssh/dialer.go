package ssh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wirelog"
)

// clientVersion is the identification line of RFC 4253, section 4.2.
const clientVersion = "SSH-2.0-hawser"

// A Dialer opens SSH sessions. Its zero value reaches servers directly and
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

// Open connects to c, checks the host key and logs in. ctx bounds Open, not
// the session; c.Timeout bounds it too, without the time that a person takes
// to judge a host key. Errors are *hawser.Error. The caller closes the Session.
func (d Dialer) Open(ctx context.Context, c hawser.Connection) (*Session, error) {
	var answer answer
	s, err := d.open(ctx, c, &answer)
	// A server waits only so long for a login (OpenSSH: LoginGraceTime). A
	// person who took longer has answered by now, so the next try is quick.
	const quick = time.Second
	if errors.Is(err, hawser.ErrLost) && answer.took > quick && ctx.Err() == nil {
		s, err = d.open(ctx, c, &answer)
	}
	return s, err
}

// An answer is what the Verifier said in one Open, which does not ask twice.
type answer struct {
	took    time.Duration
	hostKey []byte // the accepted one, in wire format
}

func (d Dialer) open(ctx context.Context, c hawser.Connection, a *answer) (*Session, error) {
	o := opening.Start(ctx, c)
	defer o.Close()
	log := wirelog.New(c)
	defer log.Listen(ctx)()
	s, err := d.connect(o, c, log, a)
	if err != nil {
		return nil, o.Fail(err)
	}
	o.Done(s.Algorithms())
	return s, nil
}

func (d Dialer) connect(o *opening.Opening, c hawser.Connection, log *wirelog.Log, a *answer) (*Session, error) {
	o.Enter(hawser.PhaseSecrets)
	l, err := newLogin(o.Context(), c, log)
	if err != nil {
		return nil, err
	}
	defer l.close()
	o.Enter(hawser.PhaseConnect)
	transport := d.Transport
	if transport == nil {
		transport = hawser.Direct{}
	}
	conn, err := transport.DialNet(o.Context(), c, "tcp", c.Addr())
	if err != nil {
		return nil, err
	}
	o.Done(conn.RemoteAddr().String())
	h := &handshake{c: c, verifier: d.Verifier, opening: o, login: l, log: log, vouched: a.hostKey}
	s, err := h.run(newSocket(conn, log))
	a.took, a.hostKey = o.Paused(), h.accepted()
	return s, err
}

// A handshake is the key exchange and the login on one socket.
type handshake struct {
	c        hawser.Connection
	verifier hawser.Verifier
	opening  *opening.Opening
	login    *login
	log      *wirelog.Log
	vouched  []byte // a host key that the Verifier accepted a moment ago

	mu      sync.Mutex // guards both: x/crypto checks the key in a goroutine
	hostKey []byte     // the accepted one, in wire format; nil before
	refused error      // why the host key was not accepted
}

// run shakes hands on sock, which it closes if that fails.
func (h *handshake) run(sock *socket) (*Session, error) {
	h.opening.Enter(hawser.PhaseTrust)
	config, err := h.config()
	if err != nil {
		_ = sock.Close()
		return nil, err
	}
	// x/crypto knows no context here (golang/go #51926): closing the socket is
	// what ends a handshake.
	stop := context.AfterFunc(h.opening.Context(), func() { _ = sock.Close() })
	h.log.Sent("%s", clientVersion)
	conn, channels, requests, err := xssh.NewClientConn(sock, h.c.Addr(), config)
	if err == nil && !stop() {
		_ = conn.Close()
		err = h.opening.Context().Err()
	}
	if err != nil {
		stop()
		return nil, opening.WithHint(h.explain(err), sock.stranger())
	}
	h.log.Received("USERAUTH_SUCCESS")
	return newSession(h.c, conn, sock, h.log, channels, requests), nil
}

func (h *handshake) config() (*xssh.ClientConfig, error) {
	p := profileOf(h.c.SSH.Algorithms)
	if orderer, ok := h.verifier.(hawser.HostKeyOrderer); ok {
		first, err := orderer.HostKeyAlgorithms(h.opening.Context(), h.c, h.c.Addr())
		if err != nil && h.opening.Context().Err() == nil && !errors.Is(err, hawser.ErrUntrusted) {
			err = fmt.Errorf("%w: %w", hawser.ErrUntrusted, err)
		}
		if err != nil {
			return nil, err
		}
		p.hostKeys = preferring(p.hostKeys, first)
	}
	config := &xssh.ClientConfig{
		User:              h.c.Auth.User,
		ClientVersion:     clientVersion,
		Auth:              h.login.methods(),
		AuthCallback:      h.login.observe,
		HostKeyCallback:   h.checkHostKey,
		HostKeyAlgorithms: p.hostKeys,
		BannerCallback: func(text string) error {
			h.log.Received("USERAUTH_BANNER %s", text)
			return nil
		},
	}
	config.KeyExchanges, config.Ciphers, config.MACs = p.kex, p.ciphers, p.macs
	return config, nil
}

// explain turns what x/crypto says of a failed handshake into what a caller
// can match. x/crypto's errors are texts, so the state of h decides.
func (h *handshake) explain(err error) error {
	var mismatch *xssh.AlgorithmNegotiationError
	h.mu.Lock()
	refused := h.refused
	h.mu.Unlock()
	switch {
	case refused != nil:
		return refused
	case errors.As(err, &mismatch) && h.c.SSH.Algorithms != "legacy":
		err := fmt.Errorf("%w; if the server cannot be updated, set ssh.algorithms to \"legacy\"", mismatch)
		return opening.WithHint(err, "update the server, or set ssh.algorithms to legacy if that cannot be")
	case opening.IsLoss(err):
		return fmt.Errorf("%w: %w", hawser.ErrLost, err)
	case h.opening.Phase() == hawser.PhaseLogin && h.login.attempted():
		return h.login.refusal(err)
	}
	return err
}

// Algorithms names what was negotiated: the key exchange, the host key, the
// cipher and the MAC, for a report.
func (s *Session) Algorithms() string {
	negotiated, ok := s.conn.(xssh.AlgorithmsConnMetadata)
	if !ok {
		return ""
	}
	a := negotiated.Algorithms()
	names := []string{string(s.conn.ServerVersion()), a.KeyExchange, a.HostKey, a.Write.Cipher, a.Write.MAC}
	text := ""
	for _, name := range slices.DeleteFunc(names, func(name string) bool { return name == "" }) {
		if text != "" {
			text += ", "
		}
		text += hawser.Printable(name)
	}
	return text
}
