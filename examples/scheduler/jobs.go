package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// A job is what is to be done, and the name of the connection to do it on.
type job struct {
	name       string
	connection string
	do         func(ctx context.Context, files hawser.FileSystem) (result string, err error)
}

// A runner runs all jobs at once, over and over.
type runner struct {
	m    *hawser.Manager
	jobs []job
	out  io.Writer
	done int // runs
}

// runs runs every job n times, with a pause before each run but the first.
func (r *runner) runs(ctx context.Context, n int, pause time.Duration) error {
	for range n {
		if r.done > 0 {
			if err := sleep(ctx, pause); err != nil {
				return err
			}
		}
		r.done++
		if err := r.runAll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runAll runs every job once, side by side, and reports in the order of the
// table. A job that fails does not keep another from running.
func (r *runner) runAll(ctx context.Context) error {
	results, errs := make([]string, len(r.jobs)), make([]error, len(r.jobs))
	var running sync.WaitGroup
	for i, j := range r.jobs {
		running.Go(func() { results[i], errs[i] = r.run(ctx, j) })
	}
	running.Wait()
	for i, j := range r.jobs {
		if errs[i] != nil {
			results[i] = "failed: " + errs[i].Error()
		}
		fmt.Fprintf(r.out, "run %d  %-8s %s\n", r.done, j.name, results[i])
	}
	return errors.Join(errs...)
}

func (r *runner) run(ctx context.Context, j job) (result string, err error) {
	err = hawser.Use(ctx, r.m, j.connection, func(ctx context.Context, files hawser.FileSystem) error {
		result, err = j.do(ctx, files)
		return err
	})
	return result, err
}

// collect looks for what the partner has left.
func collect(ctx context.Context, files hawser.FileSystem) (string, error) {
	var names []string
	for info, err := range files.ReadDir(ctx, ".") {
		if err != nil {
			return "", err
		}
		if strings.HasSuffix(info.Name(), ".csv") {
			names = append(names, info.Name())
		}
	}
	return "found " + strings.Join(names, ", "), nil
}

// deliver writes a report under a name of its own and gives it its final one
// when it is whole, so that nobody reads half of it.
func deliver(ctx context.Context, files hawser.FileSystem) (string, error) {
	const name, part = "report.txt", "report.txt.part"
	w, err := files.Create(ctx, part, 0)
	if err != nil {
		return "", err
	}
	n, err := io.Copy(w, strings.NewReader("all is well\n"))
	if err := errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	return fmt.Sprintf("wrote %s, %d bytes", name, n), files.Rename(ctx, part, name)
}

// sleep waits for d unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
