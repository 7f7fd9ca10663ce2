package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

// A prompt asks a person on a terminal whether to trust a server. Its ask is a
// certs.Asker, for many goroutines.
type prompt struct {
	turn chan struct{} // holds one token while nobody asks; whoever has it uses the rest
	in   *bufio.Reader
	out  io.Writer
	once map[string]bool // servers and keys that are trusted as long as the program runs
	left bool            // a question was given up, and its Read still waits
}

func newPrompt(in io.Reader, out io.Writer) *prompt {
	p := &prompt{turn: make(chan struct{}, 1), in: bufio.NewReader(in), out: out, once: map[string]bool{}}
	p.turn <- struct{}{}
	return p
}

func (p *prompt) ask(ctx context.Context, q certs.Question) (certs.Answer, error) {
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return certs.Answer{}, ctx.Err()
	}
	server := q.Addr + " " + q.Fingerprint
	if p.once[server] {
		return certs.Answer{Decision: certs.AcceptOnce}, nil // one dial each; the person answered for all of them
	}
	p.show(q)
	line, err := p.readLine(ctx)
	if err != nil {
		return certs.Answer{}, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		p.once[server] = true
		return certs.Answer{Decision: certs.AcceptOnce}, nil
	case "a", "always":
		return certs.Answer{Decision: certs.AcceptAlways}, nil
	}
	return certs.Answer{}, nil
}

func (p *prompt) show(q certs.Question) {
	what, always := "host key", " [a]lways;"
	if q.Kind == certs.KindTLS {
		what, always = "certificate", "" // known_hosts has no place for one
	}
	fmt.Fprintf(p.out, "\n   The %s of %s is %s:\n", what, hawser.Printable(q.Addr), q.Reason)
	fmt.Fprintf(p.out, "   presented  %s  %s\n", q.Fingerprint, hawser.Printable(q.KeyType()))
	for _, known := range q.Known {
		fmt.Fprintf(p.out, "   known      %s\n", known)
	}
	for _, f := range q.Findings {
		fmt.Fprintf(p.out, "   %s: %s\n", f.Anomaly, hawser.Printable(f.Detail))
	}
	fmt.Fprintf(p.out, "   Compare it with what the server's administrator says. Trust it?\n"+
		"   [y]es, until this program ends;%s [N]o: ", always)
}

// readLine returns a line, what is left before the end of the input, or the
// error of a ctx that ends before.
func (p *prompt) readLine(ctx context.Context) (string, error) {
	if p.left {
		return "", errors.New("nobody answers")
	}
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	// Nothing ends the Read of a terminal: where ctx ends first, the goroutine
	// stays until a line comes or the process ends, and nobody asks again.
	go func() {
		line, err := p.in.ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			fmt.Fprintln(p.out) // nobody pressed Enter
		}
		if errors.Is(a.err, io.EOF) {
			return a.line, nil
		}
		return a.line, a.err
	case <-ctx.Done():
		p.left = true
		return "", ctx.Err()
	}
}
