package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hawser/hawser"
)

// Watch tells of the changes of all layers, also of those that a higher layer
// hides. A layer that cannot be watched makes it errors.ErrUnsupported, because
// a change of it would be missed; the layer of [Environment] can be watched and
// has nothing to tell. An error of one layer ends the watch. So does leaving the
// loop, which waits until the layers have noticed.
func (l *Layered) Watch(ctx context.Context) (changes, error) {
	if err := firstOf(ctx.Err(), l.check()); err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancel(ctx)
	m := &merger{parent: ctx, ctx: inner, cancel: cancel, told: make(chan told)}
	for _, layer := range l.Layers {
		layerChanges, err := watch(inner, layer.Registry)
		if err != nil {
			cancel()
			return nil, layer.wrap(ctx, err)
		}
		m.layers = append(m.layers, layer)
		m.changes = append(m.changes, layerChanges)
	}
	return m.run, nil
}

// A merger tells what several watches tell. Its goroutines live while run does.
type merger struct {
	parent  context.Context // the caller's; run binds it to the loop
	ctx     context.Context // of the watches: ends with parent, or when the loop is left
	cancel  context.CancelFunc
	layers  []Layer
	changes []changes
	told    chan told
	used    atomic.Bool
}

type told struct {
	change hawser.Change
	err    error
}

func (m *merger) run(yield func(hawser.Change, error) bool) {
	if m.used.Swap(true) {
		yield(hawser.Change{}, firstOf(m.parent.Err(), errors.New("watch has ended: its loop was left")))
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer m.cancel()
	for i := range m.layers {
		running.Go(func() { m.forward(m.layers[i], m.changes[i]) })
	}
	for {
		select {
		case <-m.parent.Done():
			yield(hawser.Change{}, m.parent.Err())
			return
		case t := <-m.told:
			if t.err != nil {
				yield(hawser.Change{}, firstOf(m.parent.Err(), t.err))
				return
			}
			if !yield(t.change, nil) {
				return
			}
		}
	}
}

// forward passes on what one layer tells, until the watch ends.
func (m *merger) forward(layer Layer, layerChanges changes) {
	err := errors.New("watch ended without an error")
	for change, failure := range layerChanges {
		if err = failure; err != nil {
			break
		}
		if !m.send(told{change: change}) {
			return
		}
		err = errors.New("watch ended without an error")
	}
	m.send(told{err: fmt.Errorf("layer %s: %w", layer.Name, err)})
}

// send reports whether the watch goes on.
func (m *merger) send(t told) bool {
	select {
	case m.told <- t:
		return true
	case <-m.ctx.Done():
		return false
	}
}
