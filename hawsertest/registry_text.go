package hawsertest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func registryTextRules() []rule[*registry] {
	return []rule[*registry]{
		{"every field of every protocol is kept", "a schema of its own forgets the field that was added last", keepFields},
		{"numbers and durations are kept exactly", "units that are too coarse, or too small, change what jobs do", keepNumbers},
		{"text is kept to the byte", "what looks like a line end, a comment, a number or a command is text all the same", keepText},
		{"text that is odd is kept or refused, never changed", "what was stored and what runs must not differ unseen", keepOdd},
		{"empty lists and maps are as good as none", "they are what a form leaves behind", keepEmpty},
		{"names that look alike are different names", "a job must not run with the definition of another", keepNames},
		{"long names are whole names", "a name that is cut is that of another connection", keepLongNames},
		{"a thousand connections are found and listed", "pages, buffers and quadratic work show with many", keepMany},
	}
}

// keeps checks that a registry holds conns whole, whether it was opened with
// them or they were put.
func (r *registry) keeps(conns ...hawser.Connection) {
	r.Helper()
	for _, c := range conns {
		require.NoError(r, c.Validate(), "the suite's own connection %q", c.Name)
	}
	r.held(r.open(r.T, conns...), conns...)
	reg := r.holding()
	w, ok := r.writerOf(reg)
	if !ok {
		return
	}
	for _, c := range conns {
		sameConnection(r, c, r.put(w, c))
	}
	r.held(reg, conns...)
}

// held checks that reg holds conns and nothing else.
func (r *registry) held(reg hawser.Registry, conns ...hawser.Connection) {
	r.Helper()
	byName := map[string]hawser.Connection{}
	for _, c := range conns {
		byName[c.Name] = c
		sameConnection(r, c, r.lookup(reg, c.Name))
	}
	for c, err := range reg.All(r.Context()) {
		require.NoError(r, err, "All")
		want, ok := byName[c.Name]
		if assert.True(r, ok, "All yields %.100q, which nobody stored", c.Name) {
			sameConnection(r, want, c)
		}
		delete(byName, c.Name)
	}
	assert.Empty(r, byName, "what All left out")
}

func keepFields(r *registry) { r.keeps(filledAll()...) }

func keepNumbers(r *registry) {
	longest, smallest, plain := tiny("longest"), tiny("smallest"), tiny("plain")
	longest.Port, longest.Timeout = math.MaxUint16, math.MaxInt64
	longest.Limits = hawser.Limits{Sessions: math.MaxInt32, Idle: 100*24*time.Hour + 1, Lifetime: math.MaxInt64}
	longest.SSH.KeepAlive = time.Hour + time.Minute + time.Second + time.Millisecond + time.Microsecond + time.Nanosecond
	smallest.Port, smallest.Timeout, smallest.Limits.Idle = 1, 1, 1
	smallest.SSH.KeepAlive = -1 // never
	r.keeps(longest, smallest, plain)
}

// tiny is the smallest connection that logs in, for where there are many.
func tiny(name string) hawser.Connection {
	return hawser.Connection{Name: name, Protocol: hawser.SFTP, Host: "h.example", Auth: hawser.Auth{User: "u", Agent: true}}
}

func keepText(r *registry) {
	var conns []hawser.Connection
	for i, text := range []string{
		"one\n", "\n\ntwo lines before", "  spaces and\n\ttabs, and spaces  ", "a form\r\nends lines\r\nso", "or\rso",
		"---\n# no comment\n...\n", "- a\n- b", "key: value", "null", "~", "yes", "0x1F", "1e3", "007", "2026-01-01", "{}", "[]", "|", ">-\n x", "&a *a !!b %",
		`\n \u0041 \`, `"'"`, "${HOME} $(id) `id` {{.}}", "&lt;<b>&amp;", "'; DROP TABLE connections; --", "$1 ? :a %s %%",
		"\u00a0\u2028\u2029\u200d", "\ufeffmarked", "\u202eturned", "e\u0301 is not é", "𝕏 🏦", strings.Repeat("100 KiB of text\n", 6400),
	} {
		c := tiny(fmt.Sprint("text ", i))
		c.Description = text
		c.Extra = map[string]string{"ours.text": text, fmt.Sprintf("ours.%.40s", text): "a key"}
		if !strings.ContainsFunc(text, unicode.IsControl) {
			c.Group = text
		}
		conns = append(conns, c)
	}
	r.keeps(conns...)
}

func keepOdd(r *registry) {
	reg, w := r.writer()
	for i, text := range []string{"Latin-1: \xe4\xff", "cut: \xe2\x82", "half: \xed\xa0\x80", "NUL: \x00.", "escape: \x1b[31m", "DEL: \x7f", "NEL: \u0085."} {
		described, extra, grouped := tiny(fmt.Sprint("described ", i)), tiny(fmt.Sprint("extra ", i)), tiny(fmt.Sprint("grouped ", i))
		described.Description, grouped.Group = text, text
		extra.Extra = map[string]string{"ours.text": text, "ours." + text: "key"}
		named := tiny("name " + text)
		for _, c := range []hawser.Connection{described, extra, grouped, named} {
			r.keptOrRefused(reg, w, c)
		}
	}
}

// keptOrRefused puts c, and checks that it is there whole or not at all. It
// returns the refusal.
func (r *registry) keptOrRefused(reg hawser.Registry, w hawser.Writer, c hawser.Connection) error {
	r.Helper()
	put, err := w.Put(r.Context(), c)
	if err != nil {
		_, lookupErr := reg.Lookup(r.Context(), c.Name)
		assert.ErrorIs(r, lookupErr, hawser.ErrNotFound, "Lookup of %q, the Put of which was refused", c.Name)
		return err
	}
	sameConnection(r, c, put)
	sameConnection(r, c, r.lookup(reg, c.Name))
	listed := false
	for got, err := range reg.All(r.Context()) {
		require.NoError(r, err, "All")
		if got.Name == c.Name {
			listed = true
			sameConnection(r, c, got)
		}
	}
	assert.True(r, listed, "All leaves out %q", c.Name)
	return nil
}

func keepEmpty(r *registry) {
	reg, w := r.writer()
	want := tiny("bank")
	want.Protocol = "ours" // of which Validate does not know what it reads
	c := want.Clone()
	c.TLS.Allow, c.SSH.HostKeys, c.SMTP.Auth = []hawser.Anomaly{}, []string{}, []string{}
	c.Extra, c.ExtraSecrets = map[string]string{}, map[string]hawser.Secret{}
	require.NoError(r, c.Validate(), "a connection with empty lists and maps")
	r.put(w, c)
	got := r.lookup(reg, "bank")
	assert.NoError(r, got.Validate(), "what came back")
	for _, s := range settings() {
		v, plain := s.value(&got), s.value(&want)
		if slices.Contains([]string{"tls.allow", "ssh.host_keys", "smtp.auth", "extra", "extra_secrets"}, s.name) {
			assert.Zero(r, v.Len(), "%s is not empty any more", s.name)
			v.Set(plain)
		}
	}
	sameConnection(r, want, got)
}

func keepNames(r *registry) {
	alike := []string{
		"caf\u00e9", "cafe\u0301", "cafe", "Caf\u00e9", "ﬁle", "file", "ｆile", "b\u0430nk", "bank", "ba\u200dnk", "ba\u00adnk", "stra\u00dfe", "strasse",
		"\u0131d", "id", "ID", "\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m", "a\u00a0b", "a b", "a  b", "a\u3000b", "1", "01", "1.0", "٣", "3", "-", "--", "..", ".",
	}
	reg := r.holding(alike...)
	for _, name := range alike {
		assert.Equal(r, name, r.lookup(reg, name).Name, "Lookup(%+q) found another connection", name)
	}
	slices.Sort(alike)
	assert.Equal(r, alike, namesOf(r, reg), "the names that All yields")
	one := r.holding("caf\u00e9")
	_, err := one.Lookup(r.Context(), "cafe\u0301")
	assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup of a name that is written with other code points")
}

func keepLongNames(r *registry) {
	stem := strings.Repeat("long/ ", 166) + "nam" // 999 bytes
	reg := r.holding(stem+"a", stem+"b")
	for _, name := range []string{stem + "a", stem + "b"} {
		assert.Equal(r, name, r.lookup(reg, name).Name, "Lookup of a long name found another connection")
	}
	_, err := reg.Lookup(r.Context(), stem)
	assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup of the beginning of long names")
	assert.Equal(r, []string{stem + "a", stem + "b"}, namesOf(r, reg), "the names that All yields")
}

func keepMany(r *registry) {
	const many = 1000
	conns, names := make([]hawser.Connection, many), make([]string, many)
	for i := range conns {
		names[i] = fmt.Sprintf("connection %03d", i)
		conns[(i*7)%many] = tiny(names[i])
	}
	reg := r.open(r.T, conns...)
	err := within(r, patience, "All and Lookup of many connections", func() error {
		if got, err := listNames(r.Context(), reg); err != nil || !slices.Equal(names, got) {
			return fmt.Errorf("yielded %d connections by All, want %d, in order: %w", len(got), many, err)
		}
		for _, name := range []string{names[0], names[many/2], names[many-1]} {
			if c, err := reg.Lookup(r.Context(), name); err != nil || c.Name != name {
				return fmt.Errorf("Lookup(%q) = %q, %w", name, c.Name, err)
			}
		}
		return nil
	})
	require.NoError(r, err)
	if w, ok := r.writerOf(reg); ok {
		r.put(w, tiny("one more"))
		require.NoError(r, w.Delete(r.Context(), names[0], hawser.AnyRevision))
		assert.Len(r, namesOf(r, reg), many, "All after a Put and a Delete")
	}
}
