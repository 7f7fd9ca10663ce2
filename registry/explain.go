package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hawser/hawser"
)

// An Explanation says where a [Layered] has a connection from. It holds no
// literal secret, and its String is meant for people.
type Explanation struct {
	Name   string
	Layers []Finding // in the order of the layers
	// Winner is the index in Layers of the definition that counts, or -1: no
	// layer has the name, or one that fails stands before the first that does.
	Winner int
	// Via explains the connections that the winner leads through, nearest first.
	// It ends before a name that it holds already.
	Via []Explanation
}

// A Finding is what one layer of a [Layered] has of a name.
type Finding struct {
	Layer    string
	Found    bool
	Revision string // as a Layered gives it
	Err      error  // why the layer could not be asked, or nil
	// Differs lists the fields in which a connection that is hidden differs from
	// the one that counts, by stored name.
	Differs []Difference
}

// A Difference is one field that two definitions of a connection do not share.
// Here and Used are its values as JSON, "" where it is not set; of a secret both
// are "" always.
type Difference struct {
	Field      string // stored name, "tls.mode"
	Here, Used string
}

// Explain asks every layer for name, also those that [Layered.Lookup] would not
// come to, and for the connections that it leads through. A layer that fails is
// part of the Explanation; the error is that of ctx, or of Layers that are
// wrong.
func (l *Layered) Explain(ctx context.Context, name string) (Explanation, error) {
	whole, via, err := l.explain(ctx, name)
	seen := map[string]bool{name: true}
	for err == nil && via != "" && !seen[via] {
		seen[via] = true
		var hop Explanation
		hop, via, err = l.explain(ctx, via)
		whole.Via = append(whole.Via, hop)
	}
	if err != nil {
		return Explanation{}, err
	}
	return whole, nil
}

// explain also returns the name of the next hop.
func (l *Layered) explain(ctx context.Context, name string) (e Explanation, via string, err error) {
	if err := l.check(); err != nil {
		return e, "", err
	}
	e = Explanation{Name: name, Winner: -1}
	var winner hawser.Connection
	blocked := false
	for i, layer := range l.Layers {
		c, err := layer.Registry.Lookup(ctx, name)
		if ended := ctx.Err(); ended != nil {
			return e, "", ended
		}
		f := Finding{Layer: layer.Name}
		switch {
		case errors.Is(err, hawser.ErrNotFound):
		case err != nil:
			f.Err = err
			blocked = blocked || e.Winner < 0
		case e.Winner < 0 && !blocked:
			e.Winner, winner = i, c
			fallthrough
		default:
			f.Found, f.Revision = true, layer.stamp(c).Revision
			f.Differs = differences(c, winner, e.Winner >= 0)
		}
		e.Layers = append(e.Layers, f)
	}
	return e, winner.Via, nil
}

// String returns a line for each layer, and then for each of those of Via.
func (e Explanation) String() string {
	var b strings.Builder
	e.write(&b, "")
	for _, hop := range e.Via {
		hop.write(&b, "via ")
	}
	return b.String()
}

func (e Explanation) write(b *strings.Builder, label string) {
	fmt.Fprintf(b, "%s%s: %s\n", label, hawser.Printable(e.Name), e.verdict())
	for i, f := range e.Layers {
		fmt.Fprintf(b, "  %s: %s\n", hawser.Printable(f.Layer), f.text(i == e.Winner))
	}
}

// verdict says what a Lookup would do.
func (e Explanation) verdict() string {
	if e.Winner >= 0 {
		return "of layer " + hawser.Printable(e.Layers[e.Winner].Layer)
	}
	for _, f := range e.Layers {
		if f.Err != nil {
			return "not known, because layer " + hawser.Printable(f.Layer) + " fails"
		}
	}
	return "in no layer"
}

func (f Finding) text(used bool) string {
	switch {
	case f.Err != nil:
		return "fails: " + hawser.Printable(f.Err.Error())
	case !f.Found:
		return "not found"
	case used:
		return "used, revision " + hawser.Printable(f.Revision)
	}
	return "hidden, revision " + hawser.Printable(f.Revision) + "; " + f.differences()
}

func (f Finding) differences() string {
	if len(f.Differs) == 0 {
		return "the same"
	}
	parts := make([]string, len(f.Differs))
	for i, d := range f.Differs {
		parts[i] = d.String()
	}
	return "differs in " + strings.Join(parts, ", ")
}

// String returns `port 2222, used 22`, or of a secret its name alone.
func (d Difference) String() string {
	if d.Here == "" && d.Used == "" {
		return hawser.Printable(d.Field)
	}
	return hawser.Printable(fmt.Sprintf("%s (%s here, %s used)", d.Field, orUnset(d.Here), orUnset(d.Used)))
}

func orUnset(value string) string {
	if value == "" {
		return "unset"
	}
	return value
}
