package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hawser/hawser"
)

// differences compares two definitions field by field, in the order of the
// names; comparable false gives none.
func differences(here, used hawser.Connection, comparable bool) []Difference {
	if !comparable {
		return nil
	}
	hereFields, hereSecrets := leaves(here)
	usedFields, usedSecrets := leaves(used)
	var found []Difference
	for _, name := range keysOf(hereFields, usedFields) {
		a, b := hereFields[name], usedFields[name]
		if a == b {
			continue
		}
		if strings.HasSuffix(name, "host") && strings.Contains(a+b, "@") {
			a, b = "", "" // what stands before the @ may be a password
		}
		found = append(found, Difference{Field: name, Here: a, Used: b})
	}
	for _, name := range keysOf(hereSecrets, usedSecrets) {
		if !hereSecrets[name].Equal(usedSecrets[name]) {
			found = append(found, Difference{Field: name})
		}
	}
	return found
}

func keysOf[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// leaves returns the fields of c that are set, as JSON, and its secrets, both by
// stored name. The name of c is not among them.
func leaves(c hawser.Connection) (map[string]string, map[string]hawser.Secret) {
	plain, secrets := withoutSecrets(c, func(hawser.Secret) bool { return true })
	plain.Name = ""
	fields := map[string]string{}
	text, err := json.Marshal(plain)
	if err != nil {
		return fields, secrets // a Connection always marshals
	}
	flatten(fields, "", text)
	delete(fields, "name")
	return fields, secrets
}

// flatten puts the members of the JSON object text into fields, those of the
// objects in it as "group.member".
func flatten(fields map[string]string, prefix string, text json.RawMessage) {
	var members map[string]json.RawMessage
	if !bytes.HasPrefix(text, []byte("{")) || json.Unmarshal(text, &members) != nil {
		fields[strings.TrimSuffix(prefix, ".")] = string(text)
		return
	}
	for name, member := range members {
		flatten(fields, prefix+name+".", member)
	}
}

// withoutSecrets returns a copy of c without the secrets that drop picks, and
// those by their stored names.
func withoutSecrets(c hawser.Connection, drop func(hawser.Secret) bool) (hawser.Connection, map[string]hawser.Secret) {
	c = c.Clone()
	dropped := map[string]hawser.Secret{}
	for name, secret := range c.Secrets() {
		if drop(*secret) {
			dropped[name] = *secret
			*secret = hawser.Secret{}
		}
	}
	maps.DeleteFunc(c.ExtraSecrets, func(_ string, secret hawser.Secret) bool { return secret.IsZero() })
	return c, dropped
}
