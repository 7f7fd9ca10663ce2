package ftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// An exchange is one operation, and what a server says in it.
type exchange struct {
	name     string
	tls      hawser.TLSMode
	mode     hawser.DataMode
	features []string
	steps    testserver.Steps
	told     bool // the result is what a reply says, so that to change that changes it
	run      func(ctx context.Context, s *ftp.Session, f *testserver.ScriptedFTP) error
}

// errWrong is of an operation that called itself a success and is none.
var errWrong = errors.New("the result is wrong")

func wrong(got any) error { return fmt.Errorf("%w: %v", errWrong, got) }

const (
	scriptContent = "the content of a file"
	scriptSum     = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// exchanges are all of them.
func exchanges() []exchange {
	all := simpleExchanges()
	for _, mode := range []hawser.DataMode{hawser.Passive, hawser.Active} {
		for _, secure := range []hawser.TLSMode{hawser.TLSNone, hawser.TLSExplicit} {
			for _, x := range []exchange{uploadExchange(mode), downloadExchange(mode)} {
				x.name, x.tls = x.name+" "+string(secure), secure
				all = append(all, x)
			}
		}
		all = append(all, mlsdExchange(mode), listExchange(mode))
	}
	return append(all, pasvExchange())
}

// dataStep is how a data connection is agreed on.
func dataStep(mode hawser.DataMode) testserver.Step {
	if mode == hawser.Active {
		return testserver.Step{Want: "EPRT |1|127.0.0.1|*", Reply: "200 ok"}
	}
	return testserver.Step{Want: "EPSV", Reply: "229 go (|||{port}|)"}
}

func uploadExchange(mode hawser.DataMode) exchange {
	return exchange{
		name: "upload " + string(mode), mode: mode,
		steps: testserver.Steps{
			dataStep(mode),
			{Want: "STOR file", Reply: "150 go", Data: &testserver.Transfer{Receive: true}, Then: "226 done"},
			{Want: "SIZE file", Reply: fmt.Sprintf("213 %d", len(scriptContent))},
		},
		run: func(ctx context.Context, s *ftp.Session, f *testserver.ScriptedFTP) error {
			if err := store(ctx, s, "file", scriptContent); err != nil {
				return err
			}
			got := f.Uploads()
			if len(got) != 1 || got[0].Content != scriptContent || got[0].Err != nil {
				return wrong(got)
			}
			return nil
		},
	}
}

// store uploads a file.
func store(ctx context.Context, s *ftp.Session, name, text string) error {
	w, err := s.Create(ctx, name, 0)
	if err != nil {
		return err
	}
	_, _ = io.Copy(w, strings.NewReader(text)) // it is Close that says
	return w.Close()
}

// fetch downloads a file.
func fetch(ctx context.Context, s *ftp.Session, name string) (string, error) {
	r, err := s.Open(ctx, name, 0)
	if err != nil {
		return "", err
	}
	var got bytes.Buffer
	_, err = io.Copy(&got, r)
	if closed := r.Close(); err == nil {
		err = closed
	}
	return got.String(), err
}

func downloadExchange(mode hawser.DataMode) exchange {
	return exchange{
		name: "download " + string(mode), mode: mode,
		steps: testserver.Steps{
			dataStep(mode),
			{
				Want: "RETR file", Reply: fmt.Sprintf("150 here (%d bytes)", len(scriptContent)),
				Data: &testserver.Transfer{Send: scriptContent}, Then: "226 done",
			},
		},
		run: func(ctx context.Context, s *ftp.Session, _ *testserver.ScriptedFTP) error {
			got, err := fetch(ctx, s, "file")
			if err == nil && got != scriptContent {
				return wrong(got)
			}
			return err
		},
	}
}

// pasvExchange is of a server that has no EPSV.
func pasvExchange() exchange {
	x := downloadExchange(hawser.Passive)
	x.name = "download passive by PASV"
	x.steps = append(testserver.Steps{
		{Want: "EPSV", Reply: "500 what"}, {Want: "PASV", Reply: "227 go (127,0,0,1,{p1},{p2})"},
	}, x.steps[1:]...)
	return x
}

// names lists a directory.
func names(ctx context.Context, s *ftp.Session, dir string) ([]string, error) {
	var found []string
	for info, err := range s.ReadDir(ctx, dir) {
		if err != nil {
			return nil, err
		}
		found = append(found, info.Name())
	}
	return found, nil
}

func runNames(ctx context.Context, s *ftp.Session, _ *testserver.ScriptedFTP) error {
	got, err := names(ctx, s, "dir")
	if err == nil && !slices.Equal(got, []string{"one", "two"}) {
		return wrong(got)
	}
	return err
}

func mlsdExchange(mode hawser.DataMode) exchange {
	listing := "type=file;size=1; one\r\ntype=dir; two\r\n"
	return exchange{
		name: "MLSD " + string(mode), mode: mode, features: []string{"MLST type*;size*;"},
		steps: testserver.Steps{
			dataStep(mode),
			{Want: "MLSD dir", Reply: "150 here", Data: &testserver.Transfer{Send: listing}, Then: "226 done"},
		},
		run: runNames,
	}
}

func listExchange(mode hawser.DataMode) exchange {
	listing := "drwxr-xr-x 1 u g 1 Jan 02 2024 .\r\n-rw-r--r-- 1 u g 1 Jan 02 2024 one\r\ndrwxr-xr-x 1 u g 1 Jan 02 2024 two\r\n"
	return exchange{
		name: "LIST " + string(mode), mode: mode,
		steps: testserver.Steps{
			{Want: "CWD dir", Reply: "250 there"},
			dataStep(mode),
			{Want: "LIST -a", Reply: "150 here", Data: &testserver.Transfer{Send: listing}, Then: "226 done"},
			{Want: "CWD /home", Reply: "250 back"},
		},
		run: runNames,
	}
}

// simpleExchanges are those without a data connection.
func simpleExchanges() []exchange {
	type run = func(context.Context, *ftp.Session) error
	var all []exchange
	add := func(name, features string, run run, steps ...testserver.Step) {
		x := exchange{name: name, mode: hawser.Passive, steps: steps}
		if features != "" {
			x.features = strings.Split(features, ",")
		}
		x.told = strings.HasPrefix(name, "stat")
		x.run = func(ctx context.Context, s *ftp.Session, _ *testserver.ScriptedFTP) error { return run(ctx, s) }
		all = append(all, x)
	}
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	look := func(ctx context.Context, s *ftp.Session) error { return runStat(ctx, s, at) }
	add("stat by MLST", "MLST type*;size*;modify*;", look,
		testserver.Step{Want: "MLST file", Reply: "250-this\n type=file;size=7;modify=20240102030405; file\n250 end"})
	add("stat by SIZE and MDTM", "SIZE,MDTM", look,
		testserver.Step{Want: "SIZE file", Reply: "213 7"}, testserver.Step{Want: "MDTM file", Reply: "213 20240102030405"},
		testserver.Step{Want: "STAT file", Reply: "213-this\n-rw-r--r-- 1 u g 7 Jan 02 2024 file\n213 end"})
	add("mkdir", "", func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, "dir") },
		testserver.Step{Want: "MKD dir", Reply: `257 "/home/dir" made`})
	add("rename", "", func(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, "one", "two") },
		testserver.Step{Want: "RNFR one", Reply: "350 to what"}, testserver.Step{Want: "RNTO two", Reply: "250 done"})
	add("remove", "", func(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, "file") },
		testserver.Step{Want: "DELE file", Reply: "250 gone"})
	add("remove of a directory", "MLST type*;", func(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, "dir") },
		testserver.Step{Want: "DELE dir", Reply: "550 no"}, testserver.Step{Want: "MLST dir", Reply: "250-this\n type=dir; dir\n250 end"},
		testserver.Step{Want: "RMD dir", Reply: "250 gone"})
	add("chtimes", "MFMT", func(ctx context.Context, s *ftp.Session) error { return s.Chtimes(ctx, "file", at) },
		testserver.Step{Want: "MFMT 20240102030405 file", Reply: "213 Modify=20240102030405; file"})
	add("chmod", "", func(ctx context.Context, s *ftp.Session) error { return s.Chmod(ctx, "file", 0o640) },
		testserver.Step{Want: "SITE CHMOD 0640 file", Reply: "200 ok"})
	add("ping", "", func(ctx context.Context, s *ftp.Session) error { return s.Ping(ctx) },
		testserver.Step{Want: "NOOP", Reply: "200 ok"})
	add("hash", "HASH SHA-256*;MD5", runHash,
		testserver.Step{Want: "OPTS HASH SHA-256", Reply: "200 ok"}, testserver.Step{Want: "HASH file", Reply: "213 SHA-256 0-4 " + scriptSum + " file"})
	return all
}

func runStat(ctx context.Context, s *ftp.Session, at time.Time) error {
	info, err := s.Stat(ctx, "file")
	if err != nil {
		return err
	}
	if info.Name() != "file" || info.Size() != 7 || !info.ModTime().Equal(at) || info.Mode()&fs.ModeType != 0 {
		return wrong(fmt.Sprint(info.Name(), info.Size(), info.ModTime(), info.Mode()))
	}
	return nil
}

func runHash(ctx context.Context, s *ftp.Session) error {
	sum, err := s.Hash(ctx, "sha256", "file")
	if err == nil && fmt.Sprintf("%x", sum) != scriptSum {
		return wrong(sum)
	}
	return err
}
