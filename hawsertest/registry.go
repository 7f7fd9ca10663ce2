package hawsertest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRegistry checks a [hawser.Registry]: that it finds what it holds, whole
// and by its exact name; lists in name order and holds no lock meanwhile; gives
// copies; heeds contexts; and is safe for concurrent use. If it is a
// [hawser.Writer], also compare-and-swap by revision, refusal of what is not
// valid, that literal secrets are kept to the byte or refused but never lost,
// and shown by no error and no print of the registry. If it is a
// [hawser.Watcher] too, that no change after Watch is missed, however late
// somebody ranges; if it is a [hawser.Versioner], that its Version tells of every
// change in time; and if it is an io.Closer, that Close ends its watches.
// [TestRegistryHandles] checks several of one store.
//
// open returns a registry of exactly conns, which are valid, and whose secrets
// are references; it is called for each rule, once with a thousand, so it had
// better store them at once. Names are up to a thousand bytes long. t.Cleanup is
// the place to close it, also where a rule closed it before. What changes inside
// of a registry without a call has to be guarded from fmt too, by a method Format
// or a pointer in between, because a rule prints it.
func TestRegistry(t *testing.T, open func(t *testing.T, conns ...hawser.Connection) hawser.Registry) {
	t.Helper()
	run(t, registryRules(), func(t *testing.T) *registry { return &registry{T: t, open: open} })
}

func registryRules() []rule[*registry] {
	return slices.Concat(
		registryReadRules(), registryTextRules(), registryWriteRules(), registrySecretRules(), registryRaceRules(),
		registryWatchRules(), registryLateWatchRules(), registryVersionRules(),
	)
}

// registry is the subject of the rules.
type registry struct {
	*testing.T
	open func(t *testing.T, conns ...hawser.Connection) hawser.Registry
}

// holding returns a registry of connections of these names.
func (r *registry) holding(names ...string) hawser.Registry {
	r.Helper()
	conns := make([]hawser.Connection, len(names))
	for i, name := range names {
		conns[i] = sample(name)
	}
	reg := r.open(r.T, conns...)
	require.NotNil(r, reg, "open returned no registry")
	return reg
}

func registryReadRules() []rule[*registry] {
	return []rule[*registry]{
		{"Lookup returns the connection whole", "jobs run with what was stored: every field counts", lookupWhole},
		{"Lookup takes a name exactly", "names differ by case, accents and spaces, and may hold any printable character", lookupExact},
		{"Lookup of a missing name matches ErrNotFound", "callers tell a misspelt name from a registry that is down", lookupMissing},
		{"Lookup returns a copy", "a caller that changes its connection must not change that of all others", lookupCopies},
		{"All yields each connection once, in name order", "lists and comparisons need one order: that of Go strings, bytes", allOrdered},
		{"All of an empty registry yields nothing", "an empty registry is no error", allEmpty},
		{"All yields copies", "a caller that changes its connection must not change that of all others", allCopies},
		{"All may be left early", "breaking out of the loop is not an error and holds nothing up", allLeft},
		{"the registry may be used inside a loop over All", "no lock is held while yielding, else a lookup in the loop is a deadlock", allReentrant},
		{"an ended context ends Lookup and All", "the error is the context's own, so that callers can tell who gave up", readEnded},
		{"many goroutines may read at once", "a registry is safe for concurrent use", readConcurrent},
	}
}

func lookupWhole(r *registry) {
	want := sample("bank")
	reg := r.open(r.T, want, sample("other"))
	got, err := reg.Lookup(r.Context(), "bank")
	require.NoError(r, err, "Lookup of a stored connection")
	sameConnection(r, want, got)
	assert.NoError(r, got.Validate(), "a valid connection came back invalid")
}

func lookupExact(r *registry) {
	names := []string{"bank", "Bank", "BANK", "bänk", "bank eu", "bank/eu", "bank.eu", "../bank", "bank%20", `bank"'\`, "銀行", "*", "null", "true", "1e3"}
	reg := r.holding(names...)
	for _, name := range names {
		got, err := reg.Lookup(r.Context(), name)
		if assert.NoError(r, err, "Lookup(%q)", name) {
			assert.Equal(r, name, got.Name, "Lookup(%q) found another connection", name)
		}
	}
	for _, name := range []string{"bAnk", "bank ", "bank%", "bank_eu"} {
		_, err := reg.Lookup(r.Context(), name)
		assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup(%q), of which there are only similar ones", name)
	}
}

func lookupMissing(r *registry) {
	for _, reg := range []hawser.Registry{r.holding(), r.holding("bank")} {
		for _, name := range []string{"bnak", ""} {
			_, err := reg.Lookup(r.Context(), name)
			assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup(%q)", name)
		}
	}
}

func lookupCopies(r *registry) {
	reg := r.holding("bank")
	c, err := reg.Lookup(r.Context(), "bank")
	require.NoError(r, err)
	spoil(c)
	sameConnection(r, sample("bank"), must(reg.Lookup(r.Context(), "bank"))(r, "Lookup again"))
}

func allOrdered(r *registry) {
	names := []string{"b", "a", "c-1", "B", "a10", "a2", "a b", "ä", "c1"}
	got := namesOf(r, r.holding(names...))
	slices.Sort(names)
	assert.Equal(r, names, got, "the names that All yields")
}

func allEmpty(r *registry) {
	assert.Empty(r, namesOf(r, r.holding()), "the names that All yields")
}

func allCopies(r *registry) {
	reg := r.holding("bank", "other")
	for c, err := range reg.All(r.Context()) {
		require.NoError(r, err)
		spoil(c)
	}
	for c, err := range reg.All(r.Context()) {
		require.NoError(r, err)
		sameConnection(r, sample(c.Name), c)
	}
}

func allLeft(r *registry) {
	reg := r.holding("a", "b", "c")
	for range reg.All(r.Context()) {
		break
	}
	err := within(r, prompt, "Lookup after a loop that was left", func() error {
		_, err := reg.Lookup(r.Context(), "c")
		return err
	})
	assert.NoError(r, err, "Lookup after a loop that was left")
	assert.Len(r, namesOf(r, reg), 3, "All after a loop that was left")
}

func allReentrant(r *registry) {
	reg := r.holding("a", "b", "c")
	w, writes := r.writerOf(reg)
	err := within(r, prompt, "Lookup and Put inside a loop over All", func() error {
		for c, err := range reg.All(r.Context()) {
			if err != nil {
				return err
			}
			if c, err = reg.Lookup(r.Context(), c.Name); err != nil {
				return err
			}
			if writes {
				if _, err := w.Put(r.Context(), c); err != nil {
					return err
				}
			}
		}
		return nil
	})
	assert.NoError(r, err)
}

func readEnded(r *registry) {
	reg := r.holding("bank")
	_, err := reg.Lookup(ended(r.Context()), "bank")
	assert.ErrorIs(r, err, context.Canceled, "Lookup with an ended context")
	err = nil
	for _, e := range reg.All(ended(r.Context())) {
		err = e
	}
	assert.ErrorIs(r, err, context.Canceled, "the last error of All with an ended context")
}

func readConcurrent(r *registry) {
	reg := r.holding("a", "b", "c")
	err := each(8, 200, func(i int) error {
		name := string("abc"[i%3])
		c, err := reg.Lookup(r.Context(), name)
		if err != nil || c.Name != name {
			return fmt.Errorf("Lookup(%q) = %q, %w", name, c.Name, err)
		}
		spoil(c)
		for _, err := range reg.All(r.Context()) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	assert.NoError(r, err)
}

// sample is a valid connection in which most kinds of field are set.
func sample(name string) hawser.Connection {
	return hawser.Connection{
		Name: name, Description: "two lines,\n100 % “quoted”: '\"\\ # - {}", Group: "banks/eu",
		Protocol: hawser.FTP, Host: "ftp.example.com", Port: 2121, Timeout: 45 * time.Second,
		Auth: hawser.Auth{User: "O'Brien: #1", Password: hawser.SecretRef("env:BANK_PASSWORD")},
		TLS: hawser.TLSOptions{
			Mode: hawser.TLSExplicit, MinVersion: "1.2", Data: hawser.ProtectClear, ServerName: "ftp.example.net",
			Allow: []hawser.Anomaly{hawser.Expired, hawser.NameMismatch},
		},
		FTP:          hawser.FTPOptions{Mode: hawser.Active, Ports: "50000-50100", Account: hawser.SecretRef("file:/run/a b")},
		Limits:       hawser.Limits{Sessions: 3, Idle: 90 * time.Second},
		Log:          hawser.Log{Outgoing: true},
		Extra:        map[string]string{"bank.branch": "0042", "bank.note": " null "},
		ExtraSecrets: map[string]hawser.Secret{"bank.pin": hawser.SecretRef("env:BANK_PIN")},
	}
}

// spoil changes all of c that a shallow copy shares.
func spoil(c hawser.Connection) {
	for i := range c.TLS.Allow {
		c.TLS.Allow[i] = "spoilt"
	}
	for key := range c.Extra {
		c.Extra[key] = "spoilt"
	}
	for key := range c.ExtraSecrets {
		c.ExtraSecrets[key] = hawser.SecretRef("env:SPOILT")
	}
}

// sameConnection compares every stored field, which is all but the revision.
func sameConnection(t testing.TB, want, got hawser.Connection) {
	t.Helper()
	for _, s := range settings() {
		assert.True(t, s.equal(want, got), "connection %.100q is not what was stored: %s is %.200v, want %.200v", want.Name, s.name, s.of(&got), s.of(&want))
	}
}

func namesOf(t testing.TB, reg hawser.Registry) []string {
	t.Helper()
	return must(listNames(t.Context(), reg))(t, "All")
}

// listNames returns the names that All yields before it ends.
func listNames(ctx context.Context, reg hawser.Registry) ([]string, error) {
	var names []string
	for c, err := range reg.All(ctx) {
		if err != nil {
			return names, err
		}
		names = append(names, c.Name)
	}
	return names, nil
}
