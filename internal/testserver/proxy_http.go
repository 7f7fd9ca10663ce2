package testserver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// proxyRealm is what the challenges of a [Proxy] name.
const proxyRealm = "hawser"

// http serves requests until one became a tunnel, or the connection is to end.
func (s *proxySession) http(ctx context.Context) {
	for {
		req, err := http.ReadRequest(s.in)
		switch {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return
		case err != nil:
			_, words := s.httpRefusal(http.StatusBadRequest, "ERR_INVALID_REQ 0", nil, true)
			_, _ = s.conn.Write(words)
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		last := req.Close || s.proxy.cfg.CloseAfter407
		if !s.request(ctx, req, last) || last {
			return
		}
	}
}

// request serves one request, and reports whether the connection can have another; last says in the
// answer that it has none.
func (s *proxySession) request(ctx context.Context, req *http.Request, last bool) bool {
	r := ProxyRequest{Protocol: ProxyHTTP, Method: req.Method, Target: req.RequestURI, Header: req.Header.Clone()}
	login := s.proxy.httpLogin(req)
	r.User, r.Scheme = login.user, login.scheme
	answer := func(err error, _ netip.AddrPort) (int, []byte) { return s.httpAnswer(err, last) }
	switch {
	case !login.ok:
		status, words := s.challenge(login, last)
		r.Status, r.Refused = status, true
		s.proxy.note(r)
		_, err := s.conn.Write(words)
		return err == nil
	case req.Method != http.MethodConnect:
		s.refuse(r, answer, errProxyCommand)
	case !validTarget(req.RequestURI), req.Host == "":
		s.refuse(r, answer, errProxyRequest)
	default:
		return !s.connect(ctx, r, answer)
	}
	return true
}

// httpAnswer is the answer to a client that was let in.
func (s *proxySession) httpAnswer(err error, last bool) (int, []byte) {
	unreachable := http.StatusBadGateway
	if s.proxy.cfg.Squid {
		unreachable = http.StatusServiceUnavailable
	}
	switch {
	case err == nil:
		return http.StatusOK, []byte("HTTP/1.1 200 Connection established\r\n\r\n")
	case errors.Is(err, errProxyCommand):
		return s.httpRefusal(http.StatusMethodNotAllowed, "ERR_UNSUP_REQ 0", http.Header{"Allow": {http.MethodConnect}}, last)
	case errors.Is(err, errProxyRequest):
		return s.httpRefusal(http.StatusBadRequest, "ERR_INVALID_URL 0", nil, last)
	case errors.Is(err, errProxyDenied):
		return s.httpRefusal(http.StatusForbidden, "ERR_ACCESS_DENIED 0", nil, last)
	case errors.Is(err, errProxyNoHost):
		return s.httpRefusal(unreachable, "ERR_DNS_FAIL 0", nil, last)
	case errors.Is(err, errProxyUnreachable):
		return s.httpRefusal(unreachable, "ERR_CONNECT_FAIL 101", nil, last)
	}
	return s.httpRefusal(unreachable, "ERR_CONNECT_FAIL 111", nil, last)
}

// httpRefusal is a refusal with a page of HTML, as proxies send it. squid is what squid calls the error.
func (s *proxySession) httpRefusal(status int, squid string, header http.Header, last bool) (int, []byte) {
	page := fmt.Sprintf("<html><body><h1>%d %s</h1></body></html>\n", status, http.StatusText(status))
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "text/html")
	if s.proxy.cfg.Squid {
		header.Set("X-Squid-Error", squid)
	}
	answer := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: header, Close: last,
		Body: io.NopCloser(strings.NewReader(page)), ContentLength: int64(len(page)),
	}
	var words bytes.Buffer
	_ = answer.Write(&words) // A buffer takes all.
	return status, words.Bytes()
}

// httpLogin is what became of a login (RFC 9110, section 11.7.2).
type httpLogin struct {
	user, scheme string // empty where there was none
	ok           bool
	stale        bool // it was right, but for a nonce that is no longer good
}

func (p *Proxy) httpLogin(req *http.Request) httpLogin {
	scheme, rest, _ := strings.Cut(req.Header.Get("Proxy-Authorization"), " ")
	var login httpLogin
	switch {
	case strings.EqualFold(scheme, "Basic"):
		login = p.basicLogin(rest)
	case strings.EqualFold(scheme, "Digest"):
		login = p.digestLogin(req, rest)
	}
	login.ok = login.ok || p.cfg.User == ""
	return login
}

func (p *Proxy) basicLogin(rest string) httpLogin {
	pair, err := base64.StdEncoding.DecodeString(rest)
	user, password, ok := strings.Cut(string(pair), ":")
	ok = ok && err == nil && slices.Contains(p.cfg.Schemes, "Basic")
	return httpLogin{user: user, scheme: "Basic", ok: ok && user == p.cfg.User && password == p.cfg.Password}
}

// challenge refuses a login that is missing or wrong.
func (s *proxySession) challenge(login httpLogin, last bool) (int, []byte) {
	var challenges []string
	for _, scheme := range s.proxy.cfg.Schemes {
		if scheme == "Basic" {
			challenges = append(challenges, fmt.Sprintf("Basic realm=%q", proxyRealm))
			continue
		}
		challenges = append(challenges, s.proxy.nonces.challenge(scheme, login.stale))
	}
	if s.proxy.cfg.OneLine {
		challenges = []string{strings.Join(challenges, ", ")}
	}
	const squid = "ERR_CACHE_ACCESS_DENIED 0"
	if s.proxy.cfg.Status401 && login.scheme != "" {
		return s.httpRefusal(http.StatusUnauthorized, squid, http.Header{"Www-Authenticate": challenges}, last)
	}
	header := http.Header{"Proxy-Authenticate": challenges}
	return s.httpRefusal(http.StatusProxyAuthRequired, squid, header, last)
}

// proxyNonces are the nonces that a [Proxy] has given out for Digest.
type proxyNonces struct {
	uses int // how often one serves, zero for ever

	mu    sync.Mutex // guards what follows
	given map[string]proxyNonce
}

// proxyNonce is a nonce, good for one of ProxyConfig.Schemes.
type proxyNonce struct {
	scheme string
	used   map[string]bool // by nc, in lower case
}

func newProxyNonces(uses int) *proxyNonces {
	return &proxyNonces{uses: uses, given: make(map[string]proxyNonce)}
}

// challenge is that of a scheme (RFC 7616, section 3.3), with a new nonce.
func (n *proxyNonces) challenge(scheme string, stale bool) string {
	nonce := rand.Text()
	n.mu.Lock()
	n.given[nonce] = proxyNonce{scheme: scheme, used: make(map[string]bool)}
	n.mu.Unlock()
	words := fmt.Sprintf("Digest realm=%q, qop=%q, nonce=%q, opaque=%q", proxyRealm, "auth", nonce, proxyOpaque(nonce))
	if _, algorithm, ok := strings.Cut(scheme, " "); ok {
		words += ", algorithm=" + algorithm
	}
	if stale {
		words += ", stale=true"
	}
	return words
}

// proxyOpaque is what a client must send back with the nonce as it came.
func proxyOpaque(nonce string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(nonce)))[:16] }

// use notes that a login counted nc for nonce, and reports whether that was new and the nonce is still good.
func (n *proxyNonces) use(nonce, nc string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	known, ok := n.given[nonce]
	nc = strings.ToLower(nc)
	if !ok || known.used[nc] || n.uses > 0 && len(known.used) >= n.uses {
		return false
	}
	known.used[nc] = true
	return true
}

// scheme is what a nonce was given out for, or empty.
func (n *proxyNonces) scheme(nonce string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.given[nonce].scheme
}

// digestLogin verifies a login by Digest (RFC 7616, section 3.4). rest is what follows the scheme.
func (p *Proxy) digestLogin(req *http.Request, rest string) httpLogin {
	params, ok := authParams(rest)
	login := httpLogin{user: params["username"], scheme: p.nonces.scheme(params["nonce"])}
	if !ok || !slices.Contains(p.cfg.Schemes, login.scheme) {
		login.scheme = "Digest"
		return login
	}
	hash := proxyHash(login.scheme)
	_, algorithm, _ := strings.Cut(login.scheme, " ")
	right := digestResponse(hash, req.Method, p.cfg.Password, params)
	switch {
	case params["username"] != p.cfg.User, params["realm"] != proxyRealm, params["uri"] != req.RequestURI,
		params["qop"] != "auth", len(params["nc"]) != 8, params["cnonce"] == "",
		params["opaque"] != proxyOpaque(params["nonce"]), params["response"] != right,
		!strings.EqualFold(cmp.Or(params["algorithm"], "MD5"), cmp.Or(algorithm, "MD5")):
		return login
	}
	login.ok = p.nonces.use(params["nonce"], params["nc"])
	login.stale = !login.ok
	return login
}

// digestResponse is what params must have as response (RFC 7616, section 3.4.1).
func digestResponse(hash func(string) string, method, password string, params map[string]string) string {
	a1 := hash(params["username"] + ":" + params["realm"] + ":" + password)
	a2 := hash(method + ":" + params["uri"])
	return hash(strings.Join([]string{a1, params["nonce"], params["nc"], params["cnonce"], params["qop"], a2}, ":"))
}

// proxyHash is that of a scheme, in hexadecimal, or nil for one that is unknown.
func proxyHash(scheme string) func(string) string {
	switch scheme {
	case "Digest", "Digest MD5":
		return func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	case "Digest SHA-256":
		return func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	case "Digest SHA-512-256":
		return func(s string) string { return fmt.Sprintf("%x", sha512.Sum512_256([]byte(s))) }
	}
	return nil
}

// authParams parses name=value, value a token or a quoted string, separated by commas (RFC 9110, section 11.2), with
// names in lower case. Each name may come once.
func authParams(s string) (params map[string]string, ok bool) {
	params = make(map[string]string)
	for s = strings.TrimLeft(s, ", \t"); s != ""; s = strings.TrimLeft(s, ", \t") {
		name, rest, found := strings.Cut(s, "=")
		name = strings.ToLower(strings.TrimRight(name, " \t"))
		value, rest, closed := authValue(strings.TrimLeft(rest, " \t"))
		if _, twice := params[name]; !found || !closed || twice || strings.ContainsAny(name, " \t\r\n,\"") {
			return params, false
		}
		params[name], s = value, rest
	}
	return params, true
}

// authValue takes a token or a quoted string off s.
func authValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ", \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], true
	}
	var unquoted strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return unquoted.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		unquoted.WriteByte(s[i])
	}
	return "", "", false
}
