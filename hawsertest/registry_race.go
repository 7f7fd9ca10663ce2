package hawsertest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func registryRaceRules() []rule[*registry] {
	return []rule[*registry]{
		{"one of many concurrent Puts wins", "a compare and a swap in two steps let both writers through", putRace},
		{"concurrent Puts of different names all succeed", "a registry that is read, changed and written as a whole loses what came between", raceNames},
		{"of concurrent Puts and Deletes of one revision one wins", "else a change is made to what is gone, or what was changed is removed unseen", raceDelete},
		{"readers see a connection as it was before a change or after it", "a host of one definition must not get the password of another", raceWhole},
		{"All is in order and misses nothing while others write", "a list that skips what nobody touched makes tools delete it", raceAll},
	}
}

func putRace(r *registry) {
	reg, w := r.writer("bank")
	for range 20 {
		r.oneWins(r.lookup(reg, "bank"), []hawser.Writer{w})
	}
}

// oneWins lets eight goroutines put changes of c, through each of writers in
// turn. One of them must win, and the others must get ErrConflict.
func (r *registry) oneWins(c hawser.Connection, writers []hawser.Writer) {
	r.Helper()
	var won atomic.Int32
	err := each(8, 8, func(i int) error {
		mine := c.Clone()
		mine.Port = c.Port + uint16(i) + 1
		_, err := writers[i%len(writers)].Put(r.Context(), mine)
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, hawser.ErrConflict) {
			return err
		}
		return nil
	})
	require.NoError(r, err, "a Put that lost gave no ErrConflict")
	require.EqualValues(r, 1, won.Load(), "Puts that won, of eight with one revision")
}

func raceNames(r *registry) {
	reg, w := r.writer()
	names := r.putMany([]hawser.Writer{w})
	assert.Equal(r, names, namesOf(r, reg), "All after concurrent Puts")
}

// putMany puts new connections concurrently, through each of writers in turn,
// and returns their names in order.
func (r *registry) putMany(writers []hawser.Writer) []string {
	r.Helper()
	names := make([]string, 64)
	for i := range names {
		names[i] = fmt.Sprintf("job %02d", i)
	}
	err := each(8, len(names), func(i int) error {
		_, err := writers[i%len(writers)].Put(r.Context(), tiny(names[i]))
		return err
	})
	require.NoError(r, err, "Put of a new name beside other Puts")
	return names
}

func raceDelete(r *registry) {
	reg, w := r.writer("bank")
	for range 10 {
		var put, deleted atomic.Int32
		c := r.lookup(reg, "bank")
		err := each(8, 8, func(i int) error {
			if i%2 == 0 {
				return count(&deleted, w.Delete(r.Context(), "bank", c.Revision))
			}
			mine := c.Clone()
			mine.Port = c.Port + uint16(i)
			_, err := w.Put(r.Context(), mine)
			return count(&put, err)
		})
		require.NoError(r, err, "one that lost gave neither ErrConflict nor ErrNotFound")
		require.EqualValues(r, 1, put.Load()+deleted.Load(), "Puts and Deletes that won, of eight with one revision")
		_, err = reg.Lookup(r.Context(), "bank")
		if deleted.Load() == 0 {
			require.NoError(r, err, "Lookup after Put won")
			continue
		}
		require.ErrorIs(r, err, hawser.ErrNotFound, "Lookup after Delete won")
		r.put(w, sample("bank"))
	}
}

// count counts a success. That of others is no error.
func count(won *atomic.Int32, err error) error {
	if err == nil {
		won.Add(1)
	} else if errors.Is(err, hawser.ErrConflict) || errors.Is(err, hawser.ErrNotFound) {
		return nil
	}
	return err
}

// edition is the n-th definition of one name: all of its fields tell n.
func edition(n int) hawser.Connection {
	c := sample("bank")
	text := fmt.Sprint("edition ", n)
	c.Description, c.Group, c.Auth.User, c.Auth.Password = text, text, text, hawser.SecretRef("env:"+text)
	c.Host, c.Port = fmt.Sprintf("host-%d.example.com", n), uint16(2000+n)
	c.Extra, c.ExtraSecrets = map[string]string{"ours.text": text}, map[string]hawser.Secret{"ours.pin": hawser.SecretRef("env:" + text)}
	c.Revision = hawser.AnyRevision
	return c
}

// whole returns an error unless c is an edition.
func whole(c hawser.Connection) error {
	want := edition(int(c.Port) - 2000)
	for _, s := range settings() {
		if !s.equal(want, c) {
			return fmt.Errorf("port %d is of one edition, and %s of another: %v", c.Port, s.name, s.of(&c))
		}
	}
	return nil
}

// beside calls read again and again from several goroutines while write runs.
func beside(write, read func() error) error {
	var over atomic.Bool
	return each(5, 5, func(i int) error {
		if i == 0 {
			defer over.Store(true)
			return write()
		}
		for !over.Load() {
			if err := read(); err != nil {
				return err
			}
		}
		return nil
	})
}

func raceWhole(r *registry) {
	reg, w := r.writer()
	r.put(w, edition(0))
	err := beside(func() error {
		for n := range 50 {
			if _, err := w.Put(r.Context(), edition(n)); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		c, err := reg.Lookup(r.Context(), "bank")
		if err != nil {
			return err
		}
		for listed, err := range reg.All(r.Context()) {
			if err = errors.Join(err, whole(listed)); err != nil {
				return fmt.Errorf("of All: %w", err)
			}
		}
		return whole(c)
	})
	assert.NoError(r, err, "reading beside a writer")
}

func raceAll(r *registry) {
	stay := []string{"a", "c", "e", "g"}
	reg, w := r.writer(stay...)
	err := beside(func() error {
		for range 20 {
			for _, name := range []string{"b", "d", "f"} {
				if _, err := w.Put(r.Context(), tiny(name)); err != nil {
					return err
				}
			}
			for _, name := range []string{"f", "b", "d"} {
				if err := w.Delete(r.Context(), name, hawser.AnyRevision); err != nil {
					return err
				}
			}
		}
		return nil
	}, func() error {
		names, err := listNames(r.Context(), reg)
		if err != nil {
			return err
		}
		missing := slices.ContainsFunc(stay, func(name string) bool { return !slices.Contains(names, name) })
		if missing || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			return fmt.Errorf("yielded %q by All", names)
		}
		return nil
	})
	assert.NoError(r, err, "All beside a writer")
}
