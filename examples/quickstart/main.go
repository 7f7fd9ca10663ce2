// Quickstart shows hawser at work: stored connections, a file that goes to a
// server and comes back the same, a command, the wire log, a server that is
// refused because it is not the one it should be, a certificate that is refused
// until somebody accepts it, a server behind a proxy and a jump host, and a mail of
// which each recipient has its result.
//
//	go run ./examples/quickstart
//
// starts servers of its own on the loopback interface, so it needs Go alone.
//
//	go run ./examples/quickstart -connections connections.json -use bank
//
// does the same against your own: the file is a JSON array of connections in
// their stored form. Host keys are looked up in your known_hosts, and an
// unknown one is asked about. A connection of protocol smtp is tested, and sends
// a mail if -to says to whom.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"os/signal"
	"path"
	"syscall"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/standard"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	if o.connections != "" {
		return runOwn(ctx, o, in, out)
	}
	return runEmbedded(ctx, o, out)
}

// runEmbedded stores connections to servers of this process and uses them.
func runEmbedded(ctx context.Context, o options, out io.Writer) (err error) {
	servers, err := startServers()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.close()) }()

	files, shell, drop, post := connections(servers)
	far, bastion := servers.behind(files)
	// One way to trust a server: a store of host keys and certificates, here in
	// memory. certs.File and, of host keys, certs.KnownHosts keep one on disk.
	trust := certs.Memory()
	err = errors.Join(
		trust.Add(ctx, certs.Pin{Addr: files.Addr(), Fingerprint: servers.files.fingerprint}),
		trust.Add(ctx, certs.Pin{Addr: post.Addr(), Kind: certs.KindTLS, Fingerprint: servers.post.fingerprint}),
	)
	if err != nil {
		return err
	}
	// A Registry says what a name means; a Manager opens sessions by name.
	m := standard.New(hawser.NewMemory(files, shell, drop, far, bastion, post), standard.Options{Trust: trust})
	defer func() { err = errors.Join(err, m.Close()) }()

	s := &story{m: m, options: o, screen: newScreen(out)}
	if err := s.showConnection(ctx, files); err != nil {
		return err
	}
	err = s.moveFile(ctx, "files", func(ctx context.Context, name, sum string) error {
		return s.checkOnServer(ctx, "shell", name, sum)
	})
	if err != nil {
		return err
	}
	shell.Port = servers.impostor.port
	if err := s.refuseImpostor(ctx, shell); err != nil {
		return err
	}
	if err := s.acceptCertificate(ctx, trust, drop); err != nil {
		return err
	}
	if err := s.goFar(ctx, far); err != nil {
		return err
	}
	return s.mail(ctx, "mail", servers.mail.Mails)
}

// connections returns the definitions that are stored: plain data, as it may
// also come from JSON.
func connections(s *servers) (files, shell, drop, post hawser.Connection) {
	// A real program rather stores hawser.SecretRef("env:JOBS_PASSWORD").
	login := hawser.Auth{User: s.user, Password: hawser.NewSecret(s.password)}
	log := hawser.Log{Outgoing: true, Incoming: true}
	files = hawser.Connection{
		Name: "files", Protocol: hawser.SFTP, Host: s.files.host, Port: s.files.port,
		Auth: login, Log: log,
	}
	shell = hawser.Connection{
		Name: "shell", Protocol: hawser.SSH, Host: s.shell.host, Port: s.shell.port,
		Auth: login, Log: log,
		// The other way to trust a server: the connection lists its host keys.
		SSH: hawser.SSHOptions{HostKeys: []string{s.shell.fingerprint}},
	}
	drop = hawser.Connection{
		Name: "drop", Protocol: hawser.FTP, Host: s.drop.Host(), Port: s.drop.Port(),
		Auth: login, Log: log, TLS: hawser.TLSOptions{Mode: hawser.TLSExplicit},
	}
	post = hawser.Connection{
		Name: "mail", Protocol: hawser.SMTP, Host: s.post.host, Port: s.post.port,
		Auth: login, Log: log, // STARTTLS is what SMTP does if nothing is said
	}
	return files, shell, drop, post
}

// A story tells the steps as it takes them.
type story struct {
	m       *hawser.Manager
	options options
	screen
	steps int
}

func (s *story) headline(format string, args ...any) {
	s.steps++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.steps, fmt.Sprintf(format, args...))
}

// showConnection prints the stored form of c and tests c, step by step.
func (s *story) showConnection(ctx context.Context, c hawser.Connection) error {
	s.headline("The connection %q as it is stored: a literal secret is masked", c.Name)
	if err := s.json(c); err != nil {
		return err
	}
	s.headline("Testing %q", c.Name)
	return s.test(ctx, c).Err
}

// test tests c, saved or not, and prints how each step went.
func (s *story) test(ctx context.Context, c hawser.Connection) hawser.Report {
	report := s.m.Test(ctx, c)
	for _, step := range report.Steps {
		detail := step.Detail
		if step.Err != nil {
			detail = "FAILED"
		}
		if step.Hop != "" {
			detail = step.Hop + ": " + detail
		}
		s.say("%-8s %8s  %s", step.Phase, short(step.Took), detail)
	}
	return report
}

// moveFile uploads a file, lists it, downloads it, compares, and removes it.
// While it is on the server, look is called with its name and SHA-256; nil is
// nothing to call.
func (s *story) moveFile(ctx context.Context, connection string, look func(ctx context.Context, name, sum string) error) error {
	name := path.Join(s.options.dir, "hawser-"+rand.Text()+".bin")
	return hawser.Use(ctx, s.m, connection, func(ctx context.Context, files hawser.FileSystem) (err error) {
		defer func() { err = errors.Join(err, remove(ctx, files, name)) }()
		sent, err := s.upload(ctx, files, name)
		if err != nil {
			return err
		}
		if err := s.list(ctx, files, name); err != nil {
			return err
		}
		received, err := s.download(ctx, files, name)
		if err != nil {
			return err
		}
		s.headline("Comparing by SHA-256")
		s.say("sent      %s", sent)
		s.say("received  %s", received)
		if sent != received {
			return errors.New("the file came back different")
		}
		s.say("The same.")
		if look == nil {
			return nil
		}
		return look(ctx, name, sent)
	})
}

// upload writes a file of random bytes and returns their SHA-256.
func (s *story) upload(ctx context.Context, files hawser.FileSystem, name string) (string, error) {
	s.headline("Uploading %d MiB, made up on the fly, to %s", s.options.size>>20, name)
	bar := s.newBar(s.options.size)
	defer bar.end()
	ctx = hawser.WithTrace(ctx, &hawser.Trace{Progress: bar.progress})
	w, err := files.Create(ctx, name, 0)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	content := io.LimitReader(mathrand.NewChaCha8(seed), s.options.size)
	// io.Copy takes the fast path of w, which keeps many requests under way.
	_, err = io.Copy(w, io.TeeReader(content, hash))
	// Only a Close that returns nil says that the file is complete.
	return hex.EncodeToString(hash.Sum(nil)), errors.Join(err, w.Close())
}

// list looks for the file in its directory, with the wire log on: the Log of
// the connection says what may be logged, the Trace in ctx where it goes.
func (s *story) list(ctx context.Context, files hawser.FileSystem, name string) error {
	dir, start, entries := path.Dir(name), time.Now(), 0
	s.headline("Listing the directory %s, with the wire log on", dir)
	ctx = hawser.WithTrace(ctx, hawser.LogTo(s.lines("   | ")))
	for info, err := range files.ReadDir(ctx, dir) {
		if err != nil {
			return err
		}
		entries++
		if info.Name() == path.Base(name) {
			s.say("%s  %d bytes  %s", info.Mode(), info.Size(), hawser.Printable(info.Name()))
		}
	}
	s.say("Entries: %d, in %s.", entries, short(time.Since(start)))
	return nil
}

// download reads the file and returns its SHA-256.
func (s *story) download(ctx context.Context, files hawser.FileSystem, name string) (string, error) {
	s.headline("Downloading it again")
	bar := s.newBar(s.options.size)
	defer bar.end()
	ctx = hawser.WithTrace(ctx, &hawser.Trace{Progress: bar.progress})
	r, err := files.Open(ctx, name, 0)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, r)
	return hex.EncodeToString(hash.Sum(nil)), errors.Join(err, r.Close())
}

// remove removes the file, also after an interrupt.
func remove(ctx context.Context, files hawser.FileSystem, name string) error {
	const soon = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
	defer cancel()
	err := files.Remove(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkOnServer has the server itself hash the file.
func (s *story) checkOnServer(ctx context.Context, connection, name, sum string) error {
	var answer bytes.Buffer
	if err := s.runCommand(ctx, connection, hawser.Quote("sha256sum", name), &answer); err != nil {
		return err
	}
	if !bytes.HasPrefix(answer.Bytes(), []byte(sum)) {
		return errors.New("the server has a different file")
	}
	s.say("The server has the same.")
	return nil
}

// runCommand runs line, with the wire log on. What it writes to its standard
// output also goes to output.
func (s *story) runCommand(ctx context.Context, connection, line string, output io.Writer) error {
	s.headline("Running a command on %q, with the wire log on", connection)
	start := time.Now()
	ctx = hawser.WithTrace(ctx, hawser.LogTo(s.lines("   | ")))
	stdout, stderr := s.lines("   "), s.lines("   ")
	err := hawser.Use(ctx, s.m, connection, func(ctx context.Context, shell hawser.Runner) error {
		return shell.Run(ctx, &hawser.Command{Line: line, Stdout: io.MultiWriter(stdout, output), Stderr: stderr})
	})
	stdout.end()
	stderr.end()
	if err != nil {
		return err
	}
	s.say("Connected, logged in, ran and closed in %s.", short(time.Since(start)))
	return nil
}
