package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"path"
	"time"

	"github.com/hawser/hawser"
)

// A story tells the steps as it takes them.
type story struct {
	m       *hawser.Manager
	out     io.Writer
	options options
	steps   int
}

func (s *story) headline(format string, args ...any) {
	s.steps++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.steps, fmt.Sprintf(format, args...))
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

// showConnection prints the stored form of a connection, in which a secret is a
// mask, and tests it.
func (s *story) showConnection(ctx context.Context, connections hawser.Registry, name string) error {
	c, err := connections.Lookup(ctx, name)
	if err != nil {
		return err
	}
	s.headline("The connection %q, as it is stored", name)
	text, err := json.MarshalIndent(c, "   ", "  ")
	if err != nil {
		return err
	}
	s.say("%s", text)

	s.headline("Testing it, step by step")
	report := s.m.Test(ctx, c)
	for _, step := range report.Steps {
		s.say("%-8s %9s  %s", step.Phase, step.Took.Round(10*time.Microsecond), step.Detail)
	}
	return report.Err
}

// moveFile uploads a file, lists it, downloads it and compares. While it is
// there, onServer may look at it.
func (s *story) moveFile(ctx context.Context, connection string, onServer func(ctx context.Context, file string) error) error {
	name := path.Join(s.options.dir, "hawser-"+rand.Text()+".bin")
	return hawser.Use(ctx, s.m, connection, func(ctx context.Context, files hawser.FileSystem) (err error) {
		defer func() { err = errors.Join(err, cleanUp(ctx, files, name)) }()
		sent, err := s.upload(ctx, files, name)
		if err != nil {
			return err
		}
		if err := s.list(ctx, files, name); err != nil {
			return err
		}
		got, err := s.download(ctx, files, name)
		if err != nil {
			return err
		}
		s.headline("Comparing SHA-256")
		s.say("sent      %s", sent)
		s.say("received  %s", got)
		if sent != got {
			return errors.New("the file came back different")
		}
		s.say("The same.")
		if onServer == nil {
			return nil
		}
		return onServer(ctx, name)
	})
}

// cleanUp removes the file, also after an interrupt.
func cleanUp(ctx context.Context, files hawser.FileSystem, name string) error {
	const soon = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
	defer cancel()
	err := files.Remove(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// upload writes a file of random bytes and returns their hash.
func (s *story) upload(ctx context.Context, files hawser.FileSystem, name string) (string, error) {
	s.headline("Uploading %d MiB to %s", s.options.size>>20, name)
	bar := newBar(s.out, s.options.size)
	ctx = hawser.WithTrace(ctx, &hawser.Trace{Progress: bar.progress})
	w, err := files.Create(ctx, name, 0)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	source := mathrand.NewChaCha8([32]byte([]byte(rand.Text() + rand.Text())))
	// io.Copy is the fast path: the writer has ReadFrom, and keeps many
	// requests under way.
	_, err = io.Copy(w, io.TeeReader(io.LimitReader(source, s.options.size), hash))
	if err := errors.Join(err, w.Close()); err != nil { // complete once Close returned nil
		return "", err
	}
	bar.done()
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// list looks at the directory, with the wire log on.
func (s *story) list(ctx context.Context, files hawser.FileSystem, name string) error {
	s.headline("Listing %s, with the wire log on", path.Dir(name))
	ctx = hawser.WithTrace(ctx, hawser.LogTo(indented{s.out}))
	for info, err := range files.ReadDir(ctx, path.Dir(name)) {
		if err != nil {
			return err
		}
		if info.Name() == path.Base(name) {
			s.say("%s %12d bytes  %s", info.Mode(), info.Size(), info.Name())
		}
	}
	return nil
}

// download reads the file and returns its hash.
func (s *story) download(ctx context.Context, files hawser.FileSystem, name string) (string, error) {
	s.headline("Downloading it again")
	bar := newBar(s.out, s.options.size)
	ctx = hawser.WithTrace(ctx, &hawser.Trace{Progress: bar.progress})
	r, err := files.Open(ctx, name, 0)
	if err != nil {
		return "", err
	}
	defer r.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, r); err != nil {
		return "", err
	}
	bar.done()
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// runCommand runs line on a connection of protocol ssh, with the wire log on.
func (s *story) runCommand(ctx context.Context, connection, line string) error {
	s.headline("Running %q on connection %q, with the wire log on", line, connection)
	out := indented{&lockedWriter{Writer: s.out}}
	ctx = hawser.WithTrace(ctx, hawser.LogTo(out))
	return hawser.Use(ctx, s.m, connection, func(ctx context.Context, shell hawser.Runner) error {
		return shell.Run(ctx, &hawser.Command{Line: line, Stdout: out, Stderr: out})
	})
}

// refuseStranger shows that a server with another host key is not let in.
func (s *story) refuseStranger(ctx context.Context, c hawser.Connection) error {
	s.headline("A server that shows another host key than the trusted one")
	_, err := s.m.Dialer.Dial(ctx, c)
	if !errors.Is(err, hawser.ErrUntrusted) {
		return fmt.Errorf("it was not refused: %w", err)
	}
	s.say("%v", err)
	return nil
}
