package smtp

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"

	"github.com/hawser/hawser"
)

// cramMD5 is RFC 2195: a digest of the challenge, keyed by the password.
func cramMD5(l login) *talk {
	return &talk{
		first: func() ([]byte, error) { return nil, nil },
		next: func(challenge []byte) ([]byte, error) {
			mac := hmac.New(md5.New, []byte(l.secret))
			_, _ = mac.Write(challenge) // never fails
			return []byte(l.user + " " + hex.EncodeToString(mac.Sum(nil))), nil
		},
	}
}

// loginTalk is LOGIN (draft-murchison-sasl-login): the user, then the password,
// whatever the server calls them. go-sasl's gives up unless the second question is
// "Password:" to the letter.
func loginTalk(l login) *talk {
	answers := []string{l.user, l.secret}
	return &talk{
		first: func() ([]byte, error) { return nil, nil },
		next: func([]byte) ([]byte, error) {
			if len(answers) == 0 {
				return nil, errors.New("the server asks for more than user and password")
			}
			answer := answers[0]
			answers = answers[1:]
			return []byte(answer), nil
		},
	}
}

func scramMechanism(name string) mechanism {
	return mechanism{name: name, start: func(l login, _ hawser.Connection) *talk { return scramTalk(name, l) }}
}

// scramTalk is RFC 5802 and RFC 7677, in which the server proves that it knows
// the password too.
func scramTalk(name string, l login) *talk {
	hashes := map[string]func() hash.Hash{"SCRAM-SHA-1": sha1.New, "SCRAM-SHA-256": sha256.New}
	var conversation *scram.ClientConversation
	step := func(message string) ([]byte, error) {
		answer, err := conversation.Step(message)
		return []byte(answer), err
	}
	return &talk{
		first: func() ([]byte, error) {
			client, err := scram.HashGeneratorFcn(hashes[name]).NewClient(l.user, l.secret, "")
			if err != nil {
				return nil, errors.New("auth.user or auth.password holds characters that SASLprep forbids (RFC 4013)")
			}
			conversation = client.NewConversation()
			return step("")
		},
		next: func(challenge []byte) ([]byte, error) {
			if err := checkIterations(string(challenge)); err != nil {
				return nil, err
			}
			return step(string(challenge))
		},
		check: func() error {
			if conversation.Valid() {
				return nil
			}
			return fmt.Errorf("%w: the server has not proved that it knows the password", hawser.ErrUntrusted)
		},
	}
}

// checkIterations refuses a count that would keep this machine busy for long,
// which no context could end.
func checkIterations(challenge string) error {
	const most = 2_000_000
	for field := range strings.SplitSeq(challenge, ",") {
		count, ok := strings.CutPrefix(field, "i=")
		if n, err := strconv.Atoi(count); ok && (err != nil || n > most) {
			return fmt.Errorf("the server asks for %s iterations; %d is the most that is computed", hawser.Printable(count), most)
		}
	}
	return nil
}
