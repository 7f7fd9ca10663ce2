package hawsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

func brokenTexts() []broken {
	return []broken{
		{"registry: a field is forgotten", "every field of every protocol is kept", bendRegistry(puts(func(c *hawser.Connection) { c.Limits.Lifetime = 0 }))},
		{"registry: milliseconds are good enough", "numbers and durations are kept exactly", bendRegistry(puts(func(c *hawser.Connection) {
			c.Limits.Idle = c.Limits.Idle.Truncate(time.Millisecond)
		}))},
		{"registry: line ends become those of Unix", "text is kept to the byte", bendRegistry(puts(func(c *hawser.Connection) {
			c.Description = strings.ReplaceAll(c.Description, "\r\n", "\n")
		}))},
		{"registry: text is made to be UTF-8", "text that is odd is kept or refused, never changed", bendRegistry(puts(func(c *hawser.Connection) {
			c.Description = strings.ToValidUTF8(c.Description, "\ufffd")
		}))},
		{"registry: empty is not none", "empty lists and maps are as good as none", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				if c.Extra != nil && len(c.Extra) == 0 {
					return c, errors.New("no setting")
				}
				return b.Memory.Put(ctx, c)
			}
		})},
		{"registry: names are normalized", "names that look alike are different names", bendRegistry(func(b *bentRegistry) {
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				return b.Memory.Lookup(ctx, strings.ReplaceAll(name, "e\u0301", "\u00e9"))
			}
		})},
		{"registry: names are cut", "long names are whole names", bendRegistry(func(b *bentRegistry) {
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				for c, err := range b.Memory.All(ctx) {
					if fmt.Sprintf("%.255s", c.Name) == fmt.Sprintf("%.255s", name) {
						return c, err
					}
				}
				return b.Memory.Lookup(ctx, name)
			}
		})},
		{"registry: All yields the first page", "a thousand connections are found and listed", bendRegistry(func(b *bentRegistry) {
			b.all = listed(b, func(conns []hawser.Connection) []hawser.Connection { return conns[:min(500, len(conns))] })
		})},
	}
}

func brokenRevisions() []broken {
	return []broken{
		{"registry: revisions count from one for each connection", "Put with an old revision conflicts also after a Delete and a new Put", bendRegistry(countRevisions)},
		{"registry: nothing to change is a conflict", "Put of what is stored already succeeds", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				if stored, err := b.Memory.Lookup(ctx, c.Name); err == nil && stored.Equivalent(c) {
					return c, hawser.ErrConflict
				}
				return b.Memory.Put(ctx, c)
			}
		})},
		{"registry: the revision leaves the log out", "a change of any field changes the revision", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				c.Revision = hawser.AnyRevision
				c, err := b.Memory.Put(ctx, c)
				hashed := c
				hashed.Log = hawser.Log{}
				text, _ := json.Marshal(hashed)
				c.Revision = string(text)
				return c, err
			}
		})},
	}
}

// countRevisions makes a revision the number of Puts of a name since it was new.
func countRevisions(b *bentRegistry) {
	puts := map[string]int{}
	revision := func(name string) string { return strconv.Itoa(puts[name] + 1) }
	b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
		c, err := b.Memory.Lookup(ctx, name)
		c.Revision = revision(name)
		return c, err
	}
	b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
		if c.Revision == revision(c.Name) {
			c.Revision = hawser.AnyRevision
		}
		c, err := b.Memory.Put(ctx, c)
		c.Revision = revision(c.Name)
		if err == nil {
			puts[c.Name]++
			c.Revision = revision(c.Name)
		}
		return c, err
	}
	b.del = func(ctx context.Context, name, given string) error {
		if given != revision(name) {
			return hawser.ErrConflict
		}
		puts[name] = 0
		return b.Memory.Delete(ctx, name, hawser.AnyRevision)
	}
}

// secrets replaces Put by one that passes each secret through change.
func secrets(change func(s hawser.Secret) hawser.Secret) func(b *bentRegistry) {
	return puts(func(c *hawser.Connection) {
		*c = c.Clone()
		for _, s := range c.Secrets() {
			*s = change(*s)
		}
	})
}

func brokenSecrets() []broken {
	return []broken{
		{"registry: a secret loses its last line end", "a literal secret is kept to the byte or refused", bendRegistry(secrets(func(s hawser.Secret) hawser.Secret {
			if s.Ref() == "" {
				s = hawser.NewSecret(strings.TrimSuffix(s.Reveal(), "\n"))
			}
			return s
		}))},
		{"registry: a secret that looks like a reference becomes one", "a literal secret is kept to the byte or refused", bendRegistry(secrets(func(s hawser.Secret) hawser.Secret {
			if strings.HasPrefix(s.Reveal(), "env:") {
				s = hawser.SecretRef(s.Reveal())
			}
			return s
		}))},
		{"registry: references are resolved", "a reference stays a reference", bendRegistry(secrets(func(s hawser.Secret) hawser.Secret {
			if s.Ref() != "" {
				s = hawser.NewSecret("what " + s.Ref() + " was when it was stored")
			}
			return s
		}))},
		{"registry: a secret that is removed stays", "a secret may be changed, replaced and removed", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				if stored, err := b.Memory.Lookup(ctx, c.Name); err == nil && c.Auth.Password.IsZero() {
					c.Auth.Password = stored.Auth.Password
				}
				return b.Memory.Put(ctx, c)
			}
		})},
		{"registry: an error quotes what was put", "no error shows a secret", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				put, err := b.Memory.Put(ctx, c)
				if err != nil {
					err = fmt.Errorf("put %s: %w", c.Auth.Password.Reveal(), err)
				}
				return put, err
			}
		})},
		{"registry: it keeps the last statement", "a registry shows no secret when it is printed", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				b.shown = "INSERT " + c.Auth.Password.Reveal()
				return b.Memory.Put(ctx, c)
			}
		})},
	}
}
