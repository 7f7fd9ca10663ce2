package smtp

import (
	"strconv"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// features are what a server offers, by keyword in upper case, with the
// parameters (RFC 5321, section 4.1.1.1).
type features map[string]string

// parseFeatures reads the reply to EHLO, whose first line names the server.
func parseFeatures(r wire.Reply) features {
	f := features{}
	for _, text := range r.Texts()[1:] {
		keyword, parameters, _ := strings.Cut(strings.TrimSpace(text), " ")
		keyword = strings.ToUpper(keyword)
		if mechanisms, ok := strings.CutPrefix(keyword, "AUTH="); ok { // of before RFC 2554
			keyword, parameters = "AUTH", mechanisms+" "+parameters
		}
		if keyword == "AUTH" {
			parameters = strings.ToUpper(strings.TrimSpace(f["AUTH"] + " " + parameters))
		}
		if keyword != "" {
			f[keyword] = strings.TrimSpace(parameters)
		}
	}
	return f
}

func (f features) has(keyword string) bool {
	_, ok := f[keyword]
	return ok
}

// mechanisms are those of SASL that the server offers.
func (f features) mechanisms() []string { return strings.Fields(f["AUTH"]) }

// maxSize is the largest message that the server takes, in bytes; 0 if it does not
// say (RFC 1870, section 4).
func (f features) maxSize() int64 {
	n, err := strconv.ParseInt(f["SIZE"], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// describe names the offers that matter, for a report.
func (f features) describe() string {
	var has []string
	for _, keyword := range []string{"PIPELINING", "CHUNKING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN"} {
		if f.has(keyword) {
			has = append(has, strings.TrimSpace(keyword+" "+hawser.Printable(f[keyword])))
		}
	}
	if len(has) == 0 {
		return "no extensions"
	}
	return strings.Join(has, ", ")
}
