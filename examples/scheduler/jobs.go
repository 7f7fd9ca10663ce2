package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hawser/hawser"
)

// collect looks for what the partner has left.
func collect(ctx context.Context, m *hawser.Manager, connection string) (string, error) {
	var names []string
	err := hawser.Use(ctx, m, connection, func(ctx context.Context, files hawser.FileSystem) error {
		for info, err := range files.ReadDir(ctx, ".") {
			if err != nil {
				return err
			}
			if strings.HasSuffix(info.Name(), ".csv") {
				names = append(names, hawser.Printable(info.Name()))
			}
		}
		return nil
	})
	return "found " + strings.Join(names, ", "), err
}

// deliver writes a report under a name of its own and gives it its final one
// when it is whole, so that nobody reads half of it.
func deliver(ctx context.Context, m *hawser.Manager, connection string) (string, error) {
	const name, part = "report.txt", "report.txt.part"
	err := hawser.Use(ctx, m, connection, func(ctx context.Context, files hawser.FileSystem) error {
		if err := write(ctx, files, part, strings.NewReader("all is well\n")); err != nil {
			return err
		}
		return files.Rename(ctx, part, name)
	})
	return "delivered " + name, err
}

// check asks a host how long it has been up.
func check(ctx context.Context, m *hawser.Manager, connection string) (string, error) {
	var answer bytes.Buffer
	err := hawser.Use(ctx, m, connection, func(ctx context.Context, shell hawser.Runner) error {
		return shell.Run(ctx, &hawser.Command{Line: hawser.Quote("uptime", "-p"), Stdout: &answer})
	})
	return "is " + hawser.Printable(strings.TrimSpace(answer.String())), err
}

// backup writes more than goes over in a moment.
func backup(ctx context.Context, m *hawser.Manager, connection string) (string, error) {
	const mib = 32
	err := hawser.Use(ctx, m, connection, func(ctx context.Context, files hawser.FileSystem) error {
		return write(ctx, files, "backup.bin", io.LimitReader(zeros{}, mib<<20))
	})
	return fmt.Sprintf("wrote all of %d MiB", mib), err
}

// write writes a file, which is complete only if the error is nil.
func write(ctx context.Context, files hawser.FileSystem, name string, content io.Reader) error {
	w, err := files.Create(ctx, name, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	return errors.Join(err, w.Close())
}

// zeros reads as zeros without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
