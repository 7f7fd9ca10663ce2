package testserver

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"strings"

	"github.com/xdg-go/scram"
)

// admit lets a user in who knows the password.
func (x *smtpExchange) admit(user, password string) (string, error) {
	want, known := x.server.cfg.Users[user]
	if !x.server.everybody() && (!known || password != want) {
		return "", errWrongLogin
	}
	return user, nil
}

// plain is RFC 4616. Nobody may act for somebody else.
func (x *smtpExchange) plain() (string, error) {
	response, err := x.first()
	if err != nil {
		return "", err
	}
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 || parts[1] == "" || parts[0] != "" && parts[0] != parts[1] {
		return "", errWrongLogin
	}
	return x.admit(parts[1], parts[2])
}

// login is what draft-murchison-sasl-login describes.
func (x *smtpExchange) login() (string, error) {
	user, err := x.initial, error(nil)
	if !x.hasFirst {
		if user, err = x.ask("Username:"); err != nil {
			return "", err
		}
	}
	password, err := x.ask("Password:")
	if err != nil {
		return "", err
	}
	return x.admit(string(user), string(password))
}

// cramMD5 is RFC 2195.
func (x *smtpExchange) cramMD5() (string, error) {
	if x.hasFirst {
		return "", errUnasked
	}
	challenge := "<" + rand.Text() + "@localhost>"
	response, err := x.ask(challenge)
	if err != nil {
		return "", err
	}
	// A user may have blanks in its name.
	at := strings.LastIndexByte(string(response), ' ')
	if at < 0 {
		return "", errWrongLogin
	}
	user, digest := string(response[:at]), string(response[at+1:])
	password, known := x.server.cfg.Users[user]
	mac := hmac.New(md5.New, []byte(password))
	_, _ = mac.Write([]byte(challenge))
	if x.server.everybody() || known && digest == hex.EncodeToString(mac.Sum(nil)) {
		return user, nil
	}
	return "", errWrongLogin
}

func (x *smtpExchange) scramSHA1() (string, error) { return x.scram(scram.SHA1) }

func (x *smtpExchange) scramSHA256() (string, error) { return x.scram(scram.SHA256) }

// scram is RFC 5802 and RFC 7677, without channel binding.
func (x *smtpExchange) scram(hash scram.HashGeneratorFcn) (string, error) {
	server, err := hash.NewServer(func(user string) (scram.StoredCredentials, error) {
		password, known := x.server.cfg.Users[user]
		if !known {
			return scram.StoredCredentials{}, errWrongLogin
		}
		client, err := hash.NewClient(user, password, "")
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: rand.Text(), Iters: 4096})
	})
	if err != nil {
		return "", errWrongLogin
	}
	response, err := x.first()
	if err != nil {
		return "", err
	}
	conversation := server.NewConversation()
	for range 2 {
		challenge, err := conversation.Step(string(response))
		if err != nil {
			return "", errWrongLogin
		}
		if response, err = x.ask(challenge); err != nil {
			return "", err
		}
	}
	return conversation.Username(), nil
}

// bearer lets a user in who has the token. An empty user is whoever has it.
func (x *smtpExchange) bearer(user, token string) (string, bool) {
	if x.server.everybody() {
		return user, true
	}
	if user != "" {
		want, known := x.server.cfg.Tokens[user]
		return user, known && token == want
	}
	for user, want := range x.server.cfg.Tokens {
		if token == want {
			return user, true
		}
	}
	return "", false
}

// xoauth2 is what Google and Microsoft document. Its refusal comes in two steps.
func (x *smtpExchange) xoauth2() (string, error) {
	response, err := x.first()
	if err != nil {
		return "", err
	}
	var user, token string
	rest, ok := strings.CutSuffix(string(response), "\x01\x01")
	if fields := strings.Split(rest, "\x01"); ok && len(fields) == 2 {
		user, _ = strings.CutPrefix(fields[0], "user=")
		token, _ = strings.CutPrefix(fields[1], "auth=Bearer ")
	}
	if user != "" && token != "" {
		if user, ok := x.bearer(user, token); ok {
			return user, nil
		}
	}
	return x.explain(`{"status":"401","schemes":"bearer","scope":"mail"}`)
}

// oauthBearer is RFC 7628.
func (x *smtpExchange) oauthBearer() (string, error) {
	response, err := x.first()
	if err != nil {
		return "", err
	}
	if user, token, ok := parseOAuthBearer(string(response)); ok {
		if user, ok := x.bearer(user, token); ok {
			return user, nil
		}
	}
	return x.explain(`{"status":"invalid_token","schemes":"bearer","scope":"mail"}`)
}

// parseOAuthBearer takes "n,a=user,^Akey=value^A...^A^A" apart (RFC 7628, section 3.1).
func parseOAuthBearer(text string) (user, token string, ok bool) {
	header, rest, _ := strings.Cut(text, "\x01")
	name, ok := strings.CutSuffix(header, ",")
	flag, name, found := strings.Cut(name, ",")
	if !ok || !found || flag != "n" && flag != "y" {
		return "", "", false
	}
	if name != "" {
		if name, ok = strings.CutPrefix(name, "a="); !ok || name == "" {
			return "", "", false
		}
	}
	pairs, ok := strings.CutSuffix(rest, "\x01\x01")
	if !ok {
		return "", "", false
	}
	for pair := range strings.SplitSeq(pairs, "\x01") {
		key, value, _ := strings.Cut(pair, "=")
		if key == "auth" {
			token, ok = strings.CutPrefix(value, "Bearer ")
		}
	}
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name), token, ok && token != ""
}

// explain tells a client why its token will not do, which it has to acknowledge.
func (x *smtpExchange) explain(why string) (string, error) {
	if _, err := x.ask(why); err != nil {
		return "", err
	}
	return "", errWrongLogin
}

// external is RFC 4422, appendix A.
func (x *smtpExchange) external() (string, error) {
	response, err := x.first()
	if err != nil {
		return "", err
	}
	secure, ok := x.control.(*tls.Conn)
	if !ok || len(secure.ConnectionState().VerifiedChains) == 0 {
		return "", errWrongLogin
	}
	if len(response) > 0 {
		return string(response), nil
	}
	return secure.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// anonymous is RFC 4505.
func (x *smtpExchange) anonymous() (string, error) {
	if _, err := x.first(); err != nil {
		return "", err
	}
	return "anonymous", nil
}
