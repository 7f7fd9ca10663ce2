package ftp

import (
	"strings"

	"github.com/hawser/hawser/internal/wire"
)

// features is what a server says of itself by FEAT (RFC 2389, section 3.2), by
// verb in upper case. A server without FEAT has none, though it may know more.
type features map[string]string

// parseFeatures reads the reply to FEAT.
func parseFeatures(r wire.Reply) features {
	f := features{}
	if r.Code != 211 {
		return f
	}
	for _, line := range r.Body() {
		verb, details, _ := strings.Cut(strings.TrimSpace(line), " ")
		if verb != "" {
			f[strings.ToUpper(verb)] = strings.TrimSpace(details)
		}
	}
	return f
}

func (f features) has(verb string) bool {
	_, ok := f[verb]
	return ok
}
