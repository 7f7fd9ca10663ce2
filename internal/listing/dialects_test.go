package listing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The first line decides the dialect, so that no line may be of two.
func TestNoLineIsOfTwoDialects(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(content)) {
			line = strings.TrimPrefix(trimEnd(line), "\ufeff")
			if isBlank(line) {
				continue
			}
			var claims []string
			for _, d := range dialects() {
				if ok, err := d.read(newScan(Options{}), line); ok || err != nil {
					claims = append(claims, d.String())
				}
			}
			assert.LessOrEqual(t, len(claims), 1, "%s: %q is of %v", file, line, claims)
		}
	}
}
