package hawser

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// String tells the whole of r in lines for a person to read, a step each, without
// secrets:
//
//	bank: failed after 1.9ms
//	  lookup      0s
//	  secrets     0s
//	  resolve   62µs  192.0.2.1:21
//	  connect  110µs  192.0.2.1:21
//	  login    1.4ms  failed
//	           login refused: login: 530 Login incorrect.; check auth.user and auth.password
//	           hint: check auth.user and auth.password
func (r Report) String() string {
	var b strings.Builder
	b.WriteString(Printable(r.title()))
	b.WriteString("\n")
	labels, width := make([]string, len(r.Steps)), 0
	for i, s := range r.Steps {
		labels[i] = Printable(string(s.Phase))
		if s.Hop != "" {
			labels[i] = Printable(s.Hop) + ": " + labels[i]
		}
		width = max(width, utf8.RuneCountInString(labels[i]))
	}
	told := r.Err == nil
	for i, s := range r.Steps {
		fmt.Fprintf(&b, "  %-*s  %7s", width, labels[i], short(s.Took))
		if s.Err != nil {
			b.WriteString("  failed")
		}
		if s.Detail != "" {
			b.WriteString("  " + Printable(s.Detail))
		}
		b.WriteString("\n")
		if s.Err != nil && !r.toldAfter(i) {
			writeFailure(&b, width+13, s.Err, s.Hint)
		}
		told = told || s.Err != nil && errors.Is(r.Err, causeOf(s.Err))
	}
	if !told {
		writeFailure(&b, 2, r.Err, r.Hint())
	}
	return b.String()
}

func (r Report) title() string {
	title := r.Name
	if title == "" {
		title = "connection"
	}
	if r.Err != nil {
		title += ": failed"
	} else {
		title += ": ok"
	}
	if r.Took > 0 {
		title += " after " + short(r.Took)
	}
	return title
}

// toldAfter reports whether the error of step i is within that of a later one.
func (r Report) toldAfter(i int) bool {
	for _, later := range r.Steps[i+1:] {
		if later.Err != nil && errors.Is(later.Err, causeOf(r.Steps[i].Err)) {
			return true
		}
	}
	return false
}

// causeOf is err without what a step says itself: operation, connection and phase.
func causeOf(err error) error {
	if e, ok := err.(*Error); ok && e.Err != nil {
		return e.Err
	}
	return err
}

// writeFailure writes err and hint behind so many spaces. An error that is made of
// several has a line for each.
func writeFailure(b *strings.Builder, indent int, err error, hint string) {
	space := strings.Repeat(" ", indent)
	for line := range strings.SplitSeq(causeOf(err).Error(), "\n") {
		b.WriteString(space + Printable(line) + "\n")
	}
	if hint != "" {
		b.WriteString(space + "hint: " + Printable(hint) + "\n")
	}
}

// short is d with one digit behind the point at most.
func short(d time.Duration) string {
	for unit := time.Second; unit > time.Nanosecond; unit /= 1000 {
		if d >= unit {
			return d.Round(unit / 10).String()
		}
	}
	return d.String()
}
