package ftp

import (
	"context"

	"github.com/hawser/hawser"
)

// A meter tells how much of a file is through.
type meter struct {
	name  string
	total int64 // bytes of the whole file; -1: not known
	tell  []func(name string, done, total int64)
}

// newMeter tells the traces of ctx.
func newMeter(ctx context.Context, name string, total int64) meter {
	m := meter{name: name, total: total}
	for _, trace := range hawser.ContextTraces(ctx) {
		if trace.Progress != nil {
			m.tell = append(m.tell, trace.Progress)
		}
	}
	return m
}

// at says that the file is through up to done.
func (m meter) at(done int64) {
	for _, tell := range m.tell {
		tell(m.name, done, m.total)
	}
}
