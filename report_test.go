package hawser_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func phases(r hawser.Report) []hawser.Phase {
	var list []hawser.Phase
	for _, s := range r.Steps {
		list = append(list, s.Phase)
	}
	return list
}

func TestManagerTest(t *testing.T) {
	t.Parallel()
	t.Run("reports every step, also those of the driver, and closes", func(t *testing.T) {
		t.Parallel()
		s := &fakeSession{}
		d := &fakeDialer{dial: func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			for _, trace := range hawser.ContextTraces(ctx) {
				trace.Step(c.Name, hawser.Step{Phase: hawser.PhaseConnect, Detail: "192.0.2.1:21"})
			}
			return s, nil
		}}
		r := newManager(t, d).Test(t.Context(), valid(ftp))
		require.NoError(t, r.Err)
		require.Equal(t, "bank", r.Name)
		require.Equal(t, []hawser.Phase{hawser.PhaseLookup, hawser.PhaseSecrets, hawser.PhaseConnect, hawser.PhaseProbe}, phases(r))
		require.Equal(t, 1, s.closes())
	})
	t.Run("lists the login directory of a file system", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
			return wrapped{fileSession{&fakeSession{pingErr: errFake}, newFiles()}}, nil
		}}
		r := newManager(t, d).Test(t.Context(), valid(ftp))
		require.NoError(t, r.Err)
		require.Equal(t, "2 entries in the login directory", r.Steps[len(r.Steps)-1].Detail)
	})
	t.Run("pings what is no file system, and reports its failure", func(t *testing.T) {
		t.Parallel()
		s := &fakeSession{pingErr: errFake}
		d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) { return s, nil }}
		r := newManager(t, d).Test(t.Context(), valid(smtp))
		require.ErrorIs(t, r.Err, errFake)
		require.EqualError(t, r.Err, "test bank: smtp bank.example.com:587: probe: fake failure")
		require.Equal(t, r.Err, r.Steps[len(r.Steps)-1].Err)
		require.Equal(t, 1, s.closes())
	})
	t.Run("tests what is not saved, and has no name", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Name = ""
		require.NoError(t, newManager(t, &fakeDialer{}).Test(t.Context(), c).Err)
	})
	t.Run("ends with the step that failed", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Host = ""
		r := newManager(t, &fakeDialer{}).Test(t.Context(), c)
		require.ErrorIs(t, r.Err, hawser.ErrInvalid)
		require.Equal(t, []hawser.Phase{hawser.PhaseLookup}, phases(r))
		require.Equal(t, r.Err, r.Steps[0].Err)
	})
	t.Run("fills in hops anew and changes nothing of its argument", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		c := named("bank", ssh, "jump")
		c.Hops = []hawser.Connection{named("stale", ssh, "")}
		require.NoError(t, newManager(t, d, named("jump", ssh, "")).Test(t.Context(), c).Err)
		require.Len(t, d.last().Hops, 1)
		require.Equal(t, "jump", d.last().Hops[0].Name)
		require.Equal(t, "stale", c.Hops[0].Name)
	})
	t.Run("says what to do, at the step and in all, and how long it took", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := &fakeDialer{dial: func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
				time.Sleep(time.Second) // of the bubble's clock
				err := &hawser.Error{Op: "open", Phase: hawser.PhaseLogin, Name: c.Name, Err: hawser.ErrAuth}
				for _, trace := range hawser.ContextTraces(ctx) {
					trace.Step(c.Name, hawser.Step{Phase: hawser.PhaseLogin, Err: err})
				}
				return nil, err
			}}
			r := newManager(t, d).Test(t.Context(), valid(ftp))
			require.Equal(t, "check auth.user and auth.password", r.Hint())
			require.Equal(t, r.Hint(), r.Steps[len(r.Steps)-1].Hint)
			require.Equal(t, time.Second, r.Took)
		})
	})
	t.Run("has the step that failed also of a driver that tells none", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{dial: func(_ context.Context, c hawser.Connection) (hawser.Session, error) {
			return nil, &hawser.Error{Op: "open", Phase: hawser.PhaseLogin, Name: c.Name, Err: hawser.ErrAuth}
		}}
		r := newManager(t, d).Test(t.Context(), valid(ftp))
		require.Equal(t, []hawser.Phase{hawser.PhaseLookup, hawser.PhaseSecrets, hawser.PhaseLogin}, phases(r))
		require.Equal(t, r.Err, r.Steps[2].Err)
		require.Equal(t, "check auth.user and auth.password", r.Steps[2].Hint)
	})
	t.Run("makes one attempt", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
			return nil, &hawser.Error{Temporary: true, Err: errFake}
		}}
		m := newManager(t, d)
		m.Dialer = &hawser.Retry{Dialer: d}
		require.ErrorIs(t, m.Test(t.Context(), valid(ftp)).Err, errFake)
		require.Equal(t, 1, d.calls())
	})
	t.Run("tells a failure once that two parts tell of", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{dial: func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			err := &hawser.Error{Op: "open", Phase: hawser.PhaseProxy, Name: c.Name, Err: fmt.Errorf("jump: %w", errFake)}
			for _, trace := range hawser.ContextTraces(ctx) {
				trace.Step(c.Name, hawser.Step{Phase: hawser.PhaseProxy, Detail: "jump host", Err: errFake})
				trace.Step(c.Name, hawser.Step{Phase: hawser.PhaseProxy, Err: err})
			}
			return nil, err
		}}
		r := newManager(t, d).Test(t.Context(), valid(ftp))
		require.Equal(t, []hawser.Phase{hawser.PhaseLookup, hawser.PhaseSecrets, hawser.PhaseProxy}, phases(r))
		last := r.Steps[2]
		require.Equal(t, r.Err, last.Err)
		require.Equal(t, "jump host", last.Detail)
	})
	t.Run("ends by itself, whatever does not answer", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Timeout = 5 * time.Second
		for name, row := range map[string]struct {
			m    *hawser.Manager
			want time.Duration
		}{
			"the registry": {&hawser.Manager{Registry: muteRegistry{}, Dialer: &fakeDialer{}}, 30 * time.Second},
			"the secrets":  {&hawser.Manager{Registry: hawser.NewMemory(), Dialer: &fakeDialer{}, Secrets: muteSecrets{}}, 30 * time.Second},
			"the server": {&hawser.Manager{Registry: hawser.NewMemory(), Dialer: &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
				return muteSession{&fakeSession{}}, nil
			}}}, 20 * time.Second},
		} {
			synctest.Test(t, func(t *testing.T) {
				c := c.Clone()
				if name == "the secrets" {
					c.Auth.Password = hawser.SecretRef("vault:bank")
				}
				if name == "the registry" {
					c.Protocol, c.Via = hawser.SSH, "jump"
				}
				r := row.m.Test(t.Context(), c)
				require.Error(t, r.Err, name)
				require.Equal(t, row.want, r.Took, name)
				require.NotEmpty(t, r.Hint(), name)
				require.NoError(t, row.m.Close())
			})
		}
	})
	t.Run("a large login directory is not read to its end", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
			files := newFiles()
			for i := range 3000 {
				files.files[fmt.Sprintf("f%04d", i)] = &fstest.MapFile{}
			}
			return fileSession{&fakeSession{}, files}, nil
		}}
		r := newManager(t, d).Test(t.Context(), valid(ftp))
		require.NoError(t, r.Err)
		require.Equal(t, "1000 entries in the login directory, or more", r.Steps[len(r.Steps)-1].Detail)
	})
	t.Run("tests what is saved by its name", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		m := newManager(t, d, valid(ftp))
		r := m.TestSaved(t.Context(), "bank")
		require.NoError(t, r.Err)
		require.Equal(t, []hawser.Phase{hawser.PhaseLookup, hawser.PhaseSecrets, hawser.PhaseProbe}, phases(r))
		r = m.TestSaved(t.Context(), "bnak")
		require.ErrorIs(t, r.Err, hawser.ErrNotFound)
		require.Equal(t, "bnak", r.Name)
		require.Equal(t, "correct the name, or save a connection under it", r.Hint())
		require.Equal(t, 1, d.calls())
	})
	t.Run("tests what was edited with the secrets that were left as they are", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		m := newManager(t, d, valid(ftp))
		stored, err := m.Registry.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		edited := stored.Clone()
		edited.Port, edited.Auth.Password = 2121, hawser.NewSecret("***")
		edited, err = edited.WithSecretsOf(stored)
		require.NoError(t, err)
		require.NoError(t, m.Test(t.Context(), edited).Err)
		require.Equal(t, "literal", d.last().Auth.Password.Reveal())
		require.EqualValues(t, 2121, d.last().Port)
	})
	t.Run("tells the traces of its context too", func(t *testing.T) {
		t.Parallel()
		told := 0
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(string, hawser.Step) { told++ }})
		r := newManager(t, &fakeDialer{}).Test(ctx, valid(ftp))
		require.Len(t, r.Steps, told)
	})
}

// refusedProber reports a step as a driver does, without a hint.
type refusedProber struct{ hawser.Dialer }

func (refusedProber) Probe(_ context.Context, c hawser.Connection) iter.Seq2[hawser.Connection, hawser.Report] {
	return func(yield func(hawser.Connection, hawser.Report) bool) {
		err := &hawser.Error{Op: "open", Phase: hawser.PhaseLogin, Name: c.Name, Err: hawser.ErrAuth}
		yield(c, hawser.Report{Name: c.Name, Steps: []hawser.Step{{Phase: hawser.PhaseLogin, Err: err}}, Err: err})
	}
}

func TestProbeHints(t *testing.T) {
	t.Parallel()
	m := &hawser.Manager{Dialer: refusedProber{}}
	c := valid(ftp)
	for host, want := range map[string]string{c.Host: "check auth.user and auth.password", "": "correct host"} {
		c.Host = host
		n := 0
		for _, r := range m.Probe(t.Context(), c) {
			n++
			require.Equal(t, want, r.Steps[0].Hint)
		}
		require.Equal(t, 1, n)
	}
}

// muteRegistry never answers.
type muteRegistry struct{ hawser.Registry }

func (muteRegistry) Lookup(ctx context.Context, _ string) (hawser.Connection, error) {
	<-ctx.Done()
	return hawser.Connection{}, ctx.Err()
}

// muteSecrets never answers.
type muteSecrets struct{}

func (muteSecrets) ResolveSecret(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// muteSession never answers.
type muteSession struct{ *fakeSession }

func (muteSession) Ping(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
