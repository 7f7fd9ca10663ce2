package registry

import (
	"fmt"
	"io"
)

// readBounded reads all of r, which must not have more than limit bytes.
func readBounded(r io.Reader, limit int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > limit {
		return nil, fmt.Errorf("file is larger than %d MiB", limit>>20)
	}
	return text, nil
}
