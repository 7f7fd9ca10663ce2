package smtp

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/hawser/hawser"
)

// oauthBearer is RFC 7628.
func oauthBearer(l login, c hawser.Connection) *talk {
	host, port, _ := net.SplitHostPort(c.Addr()) // made by JoinHostPort
	number, _ := strconv.Atoi(port)
	t := of(sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: gs2Name(l.user), Token: l.secret, Host: host, Port: number}))
	refusedBy(t, l, []byte("\x01")) // RFC 7628, section 3.2.3
	return t
}

// gs2Name is a user as RFC 5801, section 4, writes it.
func gs2Name(user string) string { return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user) }

// xoauth2 is what Google and Microsoft speak besides. go-sasl has dropped it.
func xoauth2(l login) *talk {
	t := &talk{first: func() ([]byte, error) {
		return []byte("user=" + l.user + "\x01auth=Bearer " + l.secret + "\x01\x01"), nil
	}}
	refusedBy(t, l, nil)
	return t
}

// refusedBy answers the one challenge there is, which tells in JSON why the token
// is refused, so that the server ends the exchange; why tells it.
func refusedBy(t *talk, l login, answer []byte) {
	var reason error
	t.next = func(challenge []byte) ([]byte, error) {
		if reason == nil {
			reason = explainToken(challenge, l.secret)
		}
		return answer, nil
	}
	t.why = func() error { return reason }
}

// explainToken is the JSON that refuses a token, in words.
func explainToken(challenge []byte, token string) error {
	var said struct {
		Status  string `json:"status"`
		Schemes string `json:"schemes"`
		Scope   string `json:"scope"`
	}
	text := string(challenge)
	if json.Unmarshal(challenge, &said) == nil && said.Status != "" {
		text = "status " + said.Status
		if said.Scope != "" {
			text += ", scope " + said.Scope
		}
	}
	const most = 200
	text = strings.ReplaceAll(text, token, "***")
	return fmt.Errorf("the server refuses the token: %s; get a fresh one for auth.token", hawser.Printable(text[:min(len(text), most)]))
}
