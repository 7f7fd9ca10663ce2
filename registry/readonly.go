package registry

import (
	"context"

	"github.com/hawser/hawser"
)

// ReadOnly returns r without its ability to be changed: the result is no
// hawser.Writer, whatever r is. It can be watched if r can, else Watch gives
// errors.ErrUnsupported; its Version is that of r, or 0 if r has none. It closes
// nothing.
func ReadOnly(r hawser.Registry) hawser.Registry { return readOnly{r} }

type readOnly struct{ hawser.Registry }

var _ interface {
	hawser.Registry
	hawser.Watcher
	hawser.Versioner
} = readOnly{}

func (r readOnly) Watch(ctx context.Context) (changes, error) { return watch(ctx, r.Registry) }
func (r readOnly) Version() uint64                            { return versionOf(r.Registry) }
