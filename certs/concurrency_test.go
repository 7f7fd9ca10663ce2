package certs_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

func TestTwentyDialsAskOnce(t *testing.T) {
	t.Parallel()
	for _, answer := range []certs.Decision{certs.Deny, certs.AcceptOnce, certs.AcceptAlways} {
		t.Run(answer.String(), func(t *testing.T) {
			t.Parallel()
			key := newEd25519(t)
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				answered := make(chan struct{})
				v := &certs.Verifier{Ask: func(context.Context, certs.Question) (certs.Answer, error) {
					asked.Add(1)
					<-answered
					return certs.Answer{Decision: answer}, nil
				}}
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						c := bank()
						c.Name = strconv.Itoa(i)
						err := v.Verify(t.Context(), c, peer(key))
						if answer == certs.Deny {
							assert.Equal(t, c.Name, refused(t, err).Question.Connection)
							return
						}
						assert.NoError(t, err)
					})
				}
				synctest.Wait()
				close(answered)
				wg.Wait()
				assert.EqualValues(t, 1, asked.Load())
			})
		})
	}
}

func TestDialThatIsGivenUpLeavesTheOthersWaiting(t *testing.T) {
	t.Parallel()
	key := newEd25519(t)
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan struct{})
		v := &certs.Verifier{Ask: func(ctx context.Context, _ certs.Question) (certs.Answer, error) {
			select {
			case <-answered:
				return certs.Answer{Decision: certs.AcceptOnce}, nil
			case <-ctx.Done():
				return certs.Answer{}, ctx.Err()
			}
		}}
		impatient, cancel := context.WithCancel(t.Context())
		results := make(chan error, 1)
		var wg sync.WaitGroup
		wg.Go(func() { assert.ErrorIs(t, v.Verify(impatient, bank(), peer(key)), context.Canceled) })
		synctest.Wait()
		go func() { results <- v.Verify(t.Context(), bank(), peer(key)) }()
		synctest.Wait()
		cancel()
		wg.Wait()
		close(answered)
		require.NoError(t, <-results)
	})
}

func TestContextThatEndsWhileAskingIsTheError(t *testing.T) {
	t.Parallel()
	key := newEd25519(t)
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		v := &certs.Verifier{Ask: func(ctx context.Context, _ certs.Question) (certs.Answer, error) {
			<-ctx.Done()
			ended.Store(true)
			return certs.Answer{Decision: certs.AcceptAlways}, nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- v.Verify(ctx, bank(), peer(key)) }()
		synctest.Wait()
		cancel()
		err := <-result
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, hawser.ErrUntrusted)
		synctest.Wait()
		assert.True(t, ended.Load(), "the Asker is told")
		v.Ask = nil
		refused(t, v.Verify(t.Context(), bank(), peer(key)))
	})
}

func TestEndedContextIsTheErrorOfEveryMethod(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, _ func() certs.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		key := newEd25519(t)
		q := certs.Question{Addr: addr, Fingerprint: print(key), HostKey: wire(key)}
		_, err1 := store.Pins(ctx, addr)
		_, err2 := store.Ask(ctx, q)
		_, err3 := store.Pending(ctx)
		_, _, err4 := store.TakeAnswer(ctx, q)
		v := &certs.Verifier{Store: store}
		_, err5 := v.HostKeyAlgorithms(ctx, bank(), addr)
		for i, err := range []error{
			err1, err2, err3, err4, err5, store.Add(ctx, certs.Pin{Addr: addr, HostKey: wire(key)}),
			store.Answer(ctx, "1", certs.Answer{Decision: certs.Deny}), v.Verify(ctx, bank(), peer(key)),
		} {
			assert.Equal(t, context.Canceled, err, i)
		}
	})
}

func TestGoroutinesThatWriteAtOnceLoseNoEntry(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, _ certs.Store, open func() certs.Store) {
		const writers, stores = 100, 10
		var shared []certs.Store
		for range stores {
			shared = append(shared, open())
		}
		keys := make([]ssh.Signer, writers)
		var wg sync.WaitGroup
		for i := range writers {
			keys[i] = newEd25519(t)
			wg.Go(func() {
				v := &certs.Verifier{Store: shared[i%stores], Ask: answering(certs.AcceptAlways)}
				assert.NoError(t, v.Verify(t.Context(), bank(), hawser.Peer{Addr: host(i), HostKey: wire(keys[i])}))
			})
		}
		wg.Wait()
		store := open()
		for i, key := range keys {
			pins, err := store.Pins(t.Context(), host(i))
			require.NoError(t, err)
			require.Len(t, pins, 1)
			assert.Equal(t, print(key), pins[0].Fingerprint)
		}
	})
}

func host(i int) string { return fmt.Sprintf("host%d.example.com:22", i) }

const pinsAProcess = 5

// writePins is the work of one process: job is "kind path name". It prints each
// address that is kept, and goes on until it is killed if name is "victim".
func writePins(job string) error {
	kind, rest, _ := strings.Cut(job, " ")
	path, name, _ := strings.Cut(rest, " ")
	open := map[string]func(string) (certs.Store, error){"file": certs.File, "known_hosts": certs.KnownHosts}[kind]
	store, err := open(path)
	if err != nil {
		return err
	}
	for i := 0; i < pinsAProcess || name == "victim"; i++ {
		addr := fmt.Sprintf("%s-%d.example.com:22", name, i)
		pin, err := newPin(addr, i%2 == 1 && kind == "file")
		if err != nil {
			return err
		}
		if err := store.Add(context.Background(), pin); err != nil {
			return err
		}
		fmt.Println(addr)
	}
	return nil
}

// newPin makes one of a random certificate or host key.
func newPin(addr string, isTLS bool) (certs.Pin, error) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil || isTLS {
		return certs.Pin{Addr: addr, Kind: certs.KindTLS, Fingerprint: fmt.Sprintf("SHA256:%x", []byte(public)), By: "alice"}, err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return certs.Pin{}, err
	}
	return certs.Pin{Addr: addr, HostKey: key.Marshal()}, nil
}

// A hundred processes write the same file at once, and one is killed meanwhile.
func TestProcessesThatWriteAtOnceLoseNoEntry(t *testing.T) {
	t.Parallel()
	for kind, openFile := range map[string]func(string) (certs.Store, error){"file": certs.File, "known_hosts": certs.KnownHosts} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store")
			store, err := openFile(path)
			require.NoError(t, err)

			kept := make(chan string, 1000)
			var wg sync.WaitGroup
			for i := range 99 {
				wg.Go(func() { runWriter(t, kind, path, fmt.Sprintf("writer%d", i), kept) })
			}
			wg.Go(func() { runWriter(t, kind, path, "victim", kept) })
			go func() { wg.Wait(); close(kept) }()
			n := 0
			for addr := range kept {
				n++
				pins, err := store.Pins(t.Context(), addr)
				require.NoError(t, err, "readable at any time")
				assert.Len(t, pins, 1, addr)
			}
			pins, err := store.Pins(t.Context(), "")
			require.NoError(t, err)
			assert.GreaterOrEqual(t, len(pins), n, "nothing got lost later")
			assert.GreaterOrEqual(t, n, 99*pinsAProcess)
			t.Logf("100 processes kept %d entries, of which %d were told of", len(pins), n)
		})
	}
}

// runWriter runs one process and sends what it has kept. The victim is killed
// after its third entry, wherever it is then.
func runWriter(t *testing.T, kind, path, name string, kept chan<- string) {
	self, err := os.Executable()
	if !assert.NoError(t, err) {
		return
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), writerEnv+"="+kind+" "+path+" "+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if !assert.NoError(t, errors.Join(err, cmd.Start())) {
		return
	}
	lines := bufio.NewScanner(out)
	for n := 1; lines.Scan(); n++ {
		kept <- lines.Text()
		if name == "victim" && n == 3 {
			assert.NoError(t, cmd.Process.Kill())
			break
		}
	}
	err = cmd.Wait()
	assert.Equal(t, name == "victim", err != nil, "%s: %v", name, err)
}
