//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/sftp"
)

// childEnv makes this test binary do one job as hawser's contender.
const childEnv = "HAWSER_BENCH_JOB"

// A job is what hawser does as a process of its own.
type job struct {
	Op            string // "get", "put", "getmany", "putmany"
	URL           string
	Password      string
	Remote, Local string
	Sessions      int // for many files; 0: one

	Mail *mailJob // instead of all above, if it is set
}

// A mailJob is what a Go client does with mail as a process of its own.
type mailJob struct {
	Client string // one of openMailer's
	Addr   string
	Count  int // of messages, one after the other on one session

	Ready            string // file of a message, which is sent as it is; or
	Text, Attachment string // files that each message is composed of; Attachment may be ""
}

func TestMain(m *testing.M) {
	text := os.Getenv(childEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hawserDoes makes a contender of j: hawser, or another Go client of mail.
func hawserDoes(b *testing.B, j job) contender {
	text, err := json.Marshal(j)
	if err != nil {
		b.Fatal(err)
	}
	name := "hawser"
	if j.Mail != nil {
		name = j.Mail.Client
	}
	return contender{name: name, command: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+string(text))
		return cmd
	}}
}

func (j job) run(ctx context.Context) error {
	if j.Mail != nil {
		return j.Mail.run(ctx)
	}
	c, err := hawser.ParseURL(j.URL)
	if err != nil {
		return err
	}
	if j.Password != "" {
		c.Auth.Password = hawser.NewSecret(j.Password)
	}
	var all []hawser.FileSystem
	for range max(j.Sessions, 1) {
		s, err := hawser.Mux{hawser.SFTP: sftp.Dialer{}, hawser.FTP: ftp.Dialer{}}.Dial(ctx, c)
		if err != nil {
			return err
		}
		defer s.Close()
		fsys, _ := hawser.As[hawser.FileSystem](s)
		all = append(all, fsys)
	}
	switch j.Op {
	case "get":
		return download(ctx, all[0], j.Remote, j.Local)
	case "put":
		return upload(ctx, all[0], j.Local, j.Remote)
	case "getmany":
		return j.getMany(ctx, workers(all))
	case "putmany":
		return j.putMany(ctx, workers(all))
	}
	return fmt.Errorf("unknown op %q", j.Op)
}

// workers returns a session for each goroutine that may use one.
func workers(all []hawser.FileSystem) []hawser.FileSystem {
	if p, ok := all[0].(hawser.Parallel); ok && len(all) == 1 {
		return slices.Repeat(all, p.Parallelism())
	}
	return all
}

func download(ctx context.Context, fsys hawser.FileSystem, remote, local string) error {
	r, err := fsys.Open(ctx, remote, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.Create(local)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

func upload(ctx context.Context, fsys hawser.FileSystem, local, remote string) error {
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := fsys.Create(ctx, remote, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, w.Close())
}

func (j job) getMany(ctx context.Context, all []hawser.FileSystem) error {
	var names []string
	for f, err := range all[0].ReadDir(ctx, j.Remote) {
		if err != nil {
			return err
		}
		names = append(names, f.Name())
	}
	return each(names, all, func(s hawser.FileSystem, name string) error {
		return download(ctx, s, j.Remote+"/"+name, filepath.Join(j.Local, name))
	})
}

func (j job) putMany(ctx context.Context, all []hawser.FileSystem) error {
	entries, err := os.ReadDir(j.Local)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return each(names, all, func(s hawser.FileSystem, name string) error {
		return upload(ctx, s, filepath.Join(j.Local, name), j.Remote+"/"+name)
	})
}

// each calls do for every name, on as many sessions at a time.
func each(names []string, sessions []hawser.FileSystem, do func(hawser.FileSystem, string) error) error {
	queue := make(chan string, len(names))
	for _, name := range names {
		queue <- name
	}
	close(queue)
	errs := make(chan error, len(names))
	var workers sync.WaitGroup
	for _, s := range sessions {
		workers.Go(func() {
			for name := range queue {
				errs <- do(s, name)
			}
		})
	}
	workers.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

func (j *mailJob) run(ctx context.Context) error {
	l := letter{attachment: j.Attachment}
	var err error
	if j.Ready != "" {
		l.ready, err = os.ReadFile(j.Ready)
	} else {
		l.text, err = os.ReadFile(j.Text)
	}
	if err != nil {
		return err
	}
	m, err := openMailer(ctx, j.Client, j.Addr, nil)
	if err != nil {
		return err
	}
	for range j.Count {
		if err := m.send(l); err != nil {
			return errors.Join(err, m.close())
		}
	}
	return m.close()
}
