package sftp_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

// An operation is one method of a Session that asks one kind of question.
type operation struct {
	asks byte // type of the packet
	run  func(ctx context.Context, f *sftp.Session) error
}

func operations() map[string]operation {
	return map[string]operation{
		"Stat": {testserver.FxpStat, func(ctx context.Context, f *sftp.Session) error {
			info, err := f.Stat(ctx, "file")
			if err == nil {
				_, _ = info.Size(), info.Mode()
			}
			return err
		}},
		"Lstat": {testserver.FxpLstat, func(ctx context.Context, f *sftp.Session) error {
			_, err := f.Lstat(ctx, "file")
			return err
		}},
		"ReadLink": {testserver.FxpReadlink, func(ctx context.Context, f *sftp.Session) error {
			_, err := f.ReadLink(ctx, "link")
			return err
		}},
		"Ping": {testserver.FxpRealpath, func(ctx context.Context, f *sftp.Session) error { return f.Ping(ctx) }},
		"ReadDir, opening": {testserver.FxpOpendir, func(ctx context.Context, f *sftp.Session) error {
			_, err := list(ctx, f, ".")
			return err
		}},
		"ReadDir": {testserver.FxpReaddir, func(ctx context.Context, f *sftp.Session) error {
			_, err := list(ctx, f, ".")
			return err
		}},
		"Open": {testserver.FxpOpen, func(ctx context.Context, f *sftp.Session) error {
			_, err := download(ctx, f, "file")
			return err
		}},
		"Create": {testserver.FxpOpen, func(ctx context.Context, f *sftp.Session) error {
			return upload(ctx, f, "new", content(1000))
		}},
		"Create, continuing": {testserver.FxpFstat, func(ctx context.Context, f *sftp.Session) error {
			w, err := f.Create(ctx, "file", 5)
			if err == nil {
				err = w.Close()
			}
			return err
		}},
		"Space": {testserver.FxpExtended, func(ctx context.Context, f *sftp.Session) error {
			_, err := f.Space(ctx, ".")
			return err
		}},
	}
}

func TestMalformedAnswers(t *testing.T) {
	t.Parallel()
	attributes := []byte("\xff\xff\xff\xff\x00\x00\x00\x01") // all are said to follow
	answers := map[string]func(id uint32) *testserver.Packet{
		"OK":              func(id uint32) *testserver.Packet { return testserver.Status(id, 0, "") },
		"an empty STATUS": func(id uint32) *testserver.Packet { return &testserver.Packet{Type: testserver.FxpStatus, ID: id} },
		"an empty HANDLE": func(id uint32) *testserver.Packet { return &testserver.Packet{Type: testserver.FxpHandle, ID: id} },
		"an empty NAME":   func(id uint32) *testserver.Packet { return &testserver.Packet{Type: testserver.FxpName, ID: id} },
		"an empty ATTRS":  func(id uint32) *testserver.Packet { return &testserver.Packet{Type: testserver.FxpAttrs, ID: id} },
		"an unknown type": func(id uint32) *testserver.Packet { return &testserver.Packet{Type: 250, ID: id} },
		"an unknown id":   func(id uint32) *testserver.Packet { return testserver.Status(id+1000, 4, "") },
		"ATTRS cut short": func(id uint32) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpAttrs, ID: id, Payload: attributes}
		},
		"HANDLE cut short": func(id uint32) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpHandle, ID: id, Payload: []byte("\x00\x00\x00\x09x")}
		},
		"NAME cut short": func(id uint32) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpName, ID: id, Payload: append([]byte("\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x01a"), attributes...)}
		},
		"NAME of four billion": func(id uint32) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpName, ID: id, Payload: []byte("\xff\xff\xff\xff\x00\x00\x00\x01")}
		},
		"EXTENDED_REPLY cut short": func(id uint32) *testserver.Packet {
			return &testserver.Packet{Type: testserver.FxpExtendedReply, ID: id, Payload: []byte("\x00\x00\x00\x09x")}
		},
	}
	for name, o := range operations() {
		for said, answer := range answers {
			t.Run(name+" answered with "+said, func(t *testing.T) {
				t.Parallel()
				s, root := hooked(t, func(p testserver.Packet) (forward, reply *testserver.Packet) {
					if p.Type == o.asks {
						return nil, answer(p.ID)
					}
					return &p, nil
				})
				put(t, root, "file", content(10))
				f := login(t, to(s))
				_, err := returns(t, soon, name, func() error { return o.run(t.Context(), f) })
				assert.ErrorIs(t, err, hawser.ErrLost)
				assert.False(t, f.Reusable())
			})
		}
	}
}

func TestListingsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	type entry struct {
		Name, Long string
		Flags      uint32
	}
	names := func(names ...string) []byte {
		payload := xssh.Marshal(struct{ Count uint32 }{uint32(len(names))})
		for _, name := range names {
			payload = append(payload, xssh.Marshal(entry{Name: name, Long: name})...)
		}
		return payload
	}
	listing := func(t *testing.T, payload []byte, times int) ([]string, error) {
		n := 0 // packets of one session come one at a time
		s, _ := hooked(t, func(p testserver.Packet) (forward, reply *testserver.Packet) {
			if p.Type != testserver.FxpReaddir {
				return &p, nil
			}
			if n++; n > times {
				return nil, testserver.Status(p.ID, 1, "")
			}
			return nil, &testserver.Packet{Type: testserver.FxpName, ID: p.ID, Payload: payload}
		})
		var got []string
		f := login(t, to(s))
		_, err := returns(t, soon, "ReadDir", func() (err error) {
			got, err = list(t.Context(), f, ".")
			return err
		})
		return got, err
	}
	t.Run("dots are left out", func(t *testing.T) {
		t.Parallel()
		got, err := listing(t, names(".", "a", ".."), 1)
		require.NoError(t, err)
		assert.Equal(t, []string{"a"}, got)
	})
	for _, name := range []string{"a/../..", "../..", "/", "", "/..", "a\x00b"} {
		t.Run("an entry that leads elsewhere is an error: "+name, func(t *testing.T) {
			t.Parallel()
			got, err := listing(t, names("a", name, "b"), 1)
			t.Log(err)
			require.Error(t, err)
			assert.NotContains(t, got, "..")
		})
	}
	t.Run("an entry with a directory is its last part", func(t *testing.T) {
		t.Parallel()
		got, err := listing(t, names("a", "/etc/passwd"), 1)
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "passwd"}, got)
	})
	t.Run("a few answers without an entry are forgiven", func(t *testing.T) {
		t.Parallel()
		got, err := listing(t, names(), 10)
		require.NoError(t, err)
		assert.Empty(t, got)
	})
	t.Run("answers without an entry do not go on for ever", func(t *testing.T) {
		t.Parallel()
		_, err := listing(t, names(), 1<<30)
		t.Log(err)
		assert.ErrorIs(t, err, hawser.ErrLost)
	})
}
