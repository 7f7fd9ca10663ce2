package leak_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hawser/hawser/internal/leak"
)

func TestFormsFindASecretAnywhereInBase64(t *testing.T) {
	t.Parallel()
	const secret = "correct horse"
	for before := range 7 {
		for after := range 4 {
			text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + secret + strings.Repeat("x", after)))
			found := slices.ContainsFunc(leak.Forms(secret), func(form string) bool { return strings.Contains(text, form) })
			assert.True(t, found, "%d bytes before, %d after: %s", before, after, text)
		}
	}
	for _, form := range leak.Forms(secret) {
		assert.GreaterOrEqual(t, len(form), 12, form)
	}
}
