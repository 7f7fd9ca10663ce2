package smtp

import (
	"regexp"
	"strings"

	"github.com/hawser/hawser/internal/wire"
)

// The words in which servers tell the id of a message that they took. There is no
// standard for them; each is as its server's source or log has it.
var (
	idPostfix  = regexp.MustCompile(`(?i)\bqueued as <?([^\s<>()]+)`)                          // also go-smtp's, Haraka, Exim with a custom text
	idExim     = regexp.MustCompile(`\bid=([^\s,;]+)`)                                         // OK id=1tGxyz-0001Ab-2C
	idSendmail = regexp.MustCompile(`^(\S+) (?i:message accepted for delivery)`)               // also OpenSMTPD
	idExchange = regexp.MustCompile(`\[InternalId=(\d+)`)                                      // <...> [InternalId=47.., Hostname=..] Queued mail for delivery
	idGoogle   = regexp.MustCompile(`(\S+) - gsmtp$`)                                          // OK  1732580000 4fb4d7f45d1cf-...si123 - gsmtp
	idQmail    = regexp.MustCompile(`(?i)^ok (\d+) qp \d+$`)                                   // ok 1732580000 qp 12345
	idAmazon   = regexp.MustCompile(`(?i)^(?:ok|message queued|accepted)[:,]? ([\w.=-]{8,})$`) // Ok 0102019367...-000000
)

// queueID is the id in the reply that took a message; "" if there is none.
func queueID(r wire.Reply) string {
	for _, line := range r.Texts() {
		_, text := cutEnhanced(line)
		for _, words := range []*regexp.Regexp{idPostfix, idExim, idSendmail, idExchange, idGoogle, idQmail, idAmazon} {
			if found := words.FindStringSubmatch(text); found != nil {
				return strings.TrimRight(found[1], ".,;")
			}
		}
	}
	return ""
}
