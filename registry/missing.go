package registry

import (
	"maps"
	"slices"

	"github.com/hawser/hawser"
)

const (
	maxImport = 16 << 20
	maxURL    = 1 << 20 // of one line
)

// Missing is a literal secret that an export left out: whoever imports the
// connection has to give it again. References are exported.
type Missing struct {
	Name  string // of the connection
	Field string // stored name, "auth.password"
}

// withoutLiterals returns a copy of c without its literal secrets, and which
// they were.
func withoutLiterals(c hawser.Connection) (hawser.Connection, []Missing) {
	plain, dropped := withoutSecrets(c, func(s hawser.Secret) bool { return s.Ref() == "" })
	var missing []Missing
	for _, field := range slices.Sorted(maps.Keys(dropped)) {
		missing = append(missing, Missing{Name: c.Name, Field: field})
	}
	return plain, missing
}
