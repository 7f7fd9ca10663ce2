package certs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/atomicfile"
)

func newFile(t testing.TB, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "trust.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestFileIsPrivateAndItsOwnersAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	path := filepath.Join(t.TempDir(), "a", "trust.json")
	store, err := certs.File(path)
	require.NoError(t, err)
	assert.NoFileExists(t, path, "until something is to be kept")
	for range 2 {
		require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(newEd25519(t))}))
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.EqualValues(t, 0o600, info.Mode().Perm())
		require.NoError(t, os.Chmod(path, 0o644))
	}
	assert.NoFileExists(t, path+".new")
}

func TestFileKeepsFieldsThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	key, asked := newEd25519(t), newEd25519(t)
	path := newFile(t, fmt.Sprintf(`{"version":1, "site":{"n":12345678901234567890},
		"pins":[{"addr":"*.example.com","kind":"ssh","fingerprint":%q,"note":"by hand"},
		{"addr":"web.example.com:443","kind":"other","fingerprint":"x","chain":["y"]}]}`, print(key)))
	store, err := certs.File(path)
	require.NoError(t, err)
	v := &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}
	require.NoError(t, verify(t, v, peer(key)), "a fingerprint is enough")
	require.NoError(t, store.Remove(t.Context(), certs.Pin{Addr: addr, Fingerprint: print(key)}))
	require.NoError(t, verify(t, v, peer(asked)))

	var got struct {
		Site map[string]json.Number `json:"site"`
		Pins []map[string]any       `json:"pins"`
	}
	require.NoError(t, json.Unmarshal([]byte(content(t, path)), &got))
	assert.EqualValues(t, "12345678901234567890", got.Site["n"])
	require.Len(t, got.Pins, 3)
	assert.Equal(t, "by hand", got.Pins[0]["note"])
	assert.Equal(t, "*.example.com,!bank.example.com", got.Pins[0]["addr"])
	assert.Equal(t, []any{"y"}, got.Pins[1]["chain"])
}

func TestChangeByAnotherProcessIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, open func() certs.Store) {
		key, v := newEd25519(t), &certs.Verifier{Store: store}
		refused(t, verify(t, v, peer(key)))
		require.NoError(t, open().Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(key)}))
		require.NoError(t, verify(t, v, peer(key)))
		require.NoError(t, open().Remove(t.Context(), certs.Pin{Addr: addr, HostKey: wire(key)}))
		refused(t, verify(t, v, peer(key)))
	})
}

func TestFileOfPinsAndQuestionsOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "trust.json")
	open := func() certs.Store {
		store, err := certs.File(path)
		require.NoError(t, err)
		return store
	}
	key := newEd25519(t)
	id := refused(t, verify(t, &certs.Verifier{Store: open()}, peer(key))).Pending
	assert.Equal(t, []string{id}, pending(t, open()))
	require.NoError(t, open().Answer(t.Context(), id, certs.Answer{Decision: certs.Deny}))
	assert.True(t, refused(t, verify(t, &certs.Verifier{Store: open()}, peer(key))).Denied)
	require.NoError(t, open().Answer(t.Context(), id, certs.Answer{Decision: certs.AcceptOnce}))
	require.NoError(t, verify(t, &certs.Verifier{Store: open()}, peer(key)))
	assert.False(t, refused(t, verify(t, &certs.Verifier{Store: open()}, peer(key))).Denied)
}

func TestDamagedFileIsAnErrorAndIsNotWritten(t *testing.T) {
	t.Parallel()
	key := newEd25519(t)
	rules := map[string]string{
		"empty":                         "",
		"cut":                           `{"version":1,"pins":[{"addr":"a:22"`,
		"no object":                     `[]`,
		"null":                          `null`,
		"no version":                    `{"pins":[]}`,
		"newer":                         `{"version":2}`,
		"a pin of nothing":              `{"version":1,"pins":[null]}`,
		"a pin of no key":               `{"version":1,"pins":[{"addr":"a:22"}]}`,
		"a key with another print":      fmt.Sprintf(`{"version":1,"pins":[{"addr":"a:22","fingerprint":"SHA256:x","host_key":%s}]}`, jsonOf(t, wire(key))),
		"a question about another key":  fmt.Sprintf(`{"version":1,"questions":[{"id":"1","addr":"a:22","fingerprint":"SHA256:x","host_key":%s}]}`, jsonOf(t, wire(key))),
		"a question with another id":    fmt.Sprintf(`{"version":1,"questions":[{"id":"1","addr":"a:22","fingerprint":%q,"host_key":%s}]}`, print(key), jsonOf(t, wire(key))),
		"a pin of a host with a space":  fmt.Sprintf(`{"version":1,"pins":[{"addr":"a b","fingerprint":%q}]}`, print(key)),
		"something behind the document": `{"version":1} {}`,
	}
	for name, damaged := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, damaged)
			_, err := certs.File(path)
			require.ErrorContains(t, err, path)

			require.NoError(t, os.Remove(path))
			store, err := certs.File(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, []byte(damaged), 0o600))
			require.Error(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(key)}))
			assert.Equal(t, damaged, content(t, path))
		})
	}
	_, err := certs.File("")
	require.Error(t, err)
	_, err = certs.File(t.TempDir())
	require.Error(t, err, "a directory")
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func TestQuestionsAreBoundedAndUndoNoAnswer(t *testing.T) {
	t.Parallel()
	store := certs.Memory()
	ask := func() string {
		key := newEd25519(t)
		id, err := store.Ask(t.Context(), certs.Question{Addr: addr, Fingerprint: print(key), HostKey: wire(key)})
		require.NoError(t, err)
		return id
	}
	denied := ask()
	require.NoError(t, store.Answer(t.Context(), denied, certs.Answer{Decision: certs.Deny}))
	var asked []string
	for range 105 {
		asked = append(asked, ask())
	}
	assert.Equal(t, asked[5:], pending(t, store))
	require.NoError(t, store.Answer(t.Context(), denied, certs.Answer{Decision: certs.AcceptAlways}))
	assert.Empty(t, pending(t, store), "they were asked when nothing was known")
}

func TestQuestionMustBeAboutItsKey(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, _ func() certs.Store) {
		key, other := newEd25519(t), newEd25519(t)
		_, err := store.Ask(t.Context(), certs.Question{Addr: addr, Fingerprint: print(key), HostKey: wire(other)})
		require.Error(t, err)
		_, err = store.Ask(t.Context(), certs.Question{Addr: "no port", Fingerprint: print(key), HostKey: wire(key)})
		require.Error(t, err)
	})
}

func TestSeveralKeysOfAHostAreTrusted(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, open func() certs.Store) {
		first, second, third := newEd25519(t), newEd25519(t), newECDSA(t)
		for range 2 {
			require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(first)}))
			require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(second)}))
			require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(third)}))
		}
		pins, err := open().Pins(t.Context(), "")
		require.NoError(t, err)
		assert.Len(t, pins, 3, "none is kept twice")
		v := &certs.Verifier{Store: open()}
		require.NoError(t, verify(t, v, peer(first)))
		require.NoError(t, verify(t, v, peer(second)))
		require.NoError(t, verify(t, v, peer(third)))
		changed := refused(t, verify(t, v, peer(newEd25519(t))))
		assert.Equal(t, []string{print(first), print(second), print(third)}, changed.Question.Known)
		require.NoError(t, v.Store.Answer(t.Context(), changed.Pending, certs.Answer{Decision: certs.AcceptAlways}))
		refused(t, verify(t, v, peer(first)))
		refused(t, verify(t, v, peer(second)))
		require.NoError(t, verify(t, v, peer(third)), "of another type")
	})
}

func TestStoreThatCannotKeepThePinRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "trust.json")
	store, err := certs.File(path)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(path+".lock", 0o700))
	c := bank()
	c.SSH.AutoAccept = true
	v := &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}
	for _, c := range []hawser.Connection{bank(), c} {
		err := v.Verify(t.Context(), c, peer(newEd25519(t)))
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		require.ErrorContains(t, err, path)
	}
}

func TestContextEndsTheWaitForTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "trust.json")
	store, err := certs.File(path)
	require.NoError(t, err)
	unlock, err := atomicfile.Lock(t.Context(), path)
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	v := &certs.Verifier{Store: store}
	assert.Equal(t, context.DeadlineExceeded, v.Verify(ctx, bank(), peer(newEd25519(t))))
}
