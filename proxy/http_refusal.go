package proxy

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/hawser/hawser"
)

// refusal is the error of an answer that opens no tunnel.
func (w *way) refusal(t target, r *http.Response, l *login) error {
	e := &Error{Proxy: w.String(), Target: t.addr, Op: OpConnect, Code: r.StatusCode, Reason: reasonOf(r)}
	switch status := r.StatusCode; status {
	case http.StatusProxyAuthRequired, http.StatusUnauthorized: // tinyproxy has 401 for a wrong password
		e.Op, e.refused = OpLogin, true
		w.known.forget(w)
		switch {
		case w.p.User == "":
			e.cure = "the proxy wants a login: set proxy.user and proxy.password"
		case l.sent:
			e.cure = "the proxy refuses proxy.user or proxy.password"
		default:
			e.cure = "the proxy offers no login that is known here: " + l.offered()
		}
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		e.cure = "have the proxy allow CONNECT to port " + strconv.Itoa(int(t.port))
		if w.c.Protocol == hawser.FTP {
			e.cure += ", and to the ports of ftp's data"
		}
	case http.StatusBadGateway, http.StatusGatewayTimeout: // of the one behind the proxy (RFC 9110, section 15.6)
		e.target, e.passing, e.Err = true, true, syscall.EHOSTUNREACH
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError:
		e.passing = true
	}
	w.blame(e, t, r)
	return e
}

// reasonOf is the status text, and what squid adds to it.
func reasonOf(r *http.Response) string {
	const most = 200
	_, text, _ := strings.Cut(r.Status, " ")
	for _, more := range []string{r.Header.Get("X-Squid-Error"), r.Header.Get("Proxy-Status")} {
		if more != "" {
			text += " (" + more + ")"
		}
	}
	return hawser.Printable(text[:min(len(text), most)])
}

// blame looks for what the proxy tells about the target. Squid says 503 for all that
// it could not reach, and why in a header; others say it as RFC 9209 has it.
func (w *way) blame(e *Error, t target, r *http.Response) {
	kind, number, _ := strings.Cut(r.Header.Get("X-Squid-Error"), " ")
	var cause error
	switch kind {
	case "ERR_CONNECT_FAIL":
		cause = squidErrno(number)
	case "ERR_CANNOT_FORWARD": // it knows no address of the target
		cause = syscall.EHOSTUNREACH
	case "ERR_DNS_FAIL":
		cause = noName(t)
	}
	if cause == nil {
		cause = statusCause(t, r.Header.Get("Proxy-Status"))
	}
	if cause != nil && !e.refused {
		e.target, e.Err, e.cure = true, cause, ""
	}
}

// squidErrno is the error number of squid's system, which is Linux nearly always.
func squidErrno(number string) error {
	switch number {
	case "111", "61", "146": // Linux, BSD and macOS, Solaris
		return syscall.ECONNREFUSED
	case "110", "60", "145":
		return syscall.ETIMEDOUT
	case "101", "51", "128":
		return noRoute
	}
	return syscall.EHOSTUNREACH
}

// statusCause is the cause that the error parameter of Proxy-Status names (RFC 9209,
// section 2.3). Nil: none, or none of the target's.
func statusCause(t target, status string) error {
	for part := range strings.FieldsFuncSeq(status, func(r rune) bool { return r == ';' || r == ',' }) {
		kind, found := strings.CutPrefix(strings.TrimSpace(part), "error=")
		if !found {
			continue
		}
		switch kind {
		case "dns_error", "dns_timeout":
			return noName(t)
		case "connection_refused":
			return syscall.ECONNREFUSED
		case "connection_timeout":
			return syscall.ETIMEDOUT
		case "destination_ip_unroutable", "destination_unavailable", "destination_not_found":
			return syscall.EHOSTUNREACH
		}
	}
	return nil
}

func noName(t target) error {
	return &net.DNSError{Err: "no such host, for the proxy", Name: t.host, IsNotFound: true}
}
