package registry_test

import (
	"strconv"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/registry"
)

// below returns conns as they are in the registry below a Prefix.
func below(prefix string, conns []hawser.Connection) []hawser.Connection {
	inner := []hawser.Connection{conn(prefix, "no.name.example"), conn("a", "outside.example"), conn("zz", "outside.example")}
	for _, c := range conns {
		c.Name = prefix + c.Name
		if c.Via != "" {
			c.Via = prefix + c.Via
		}
		inner = append(inner, c)
	}
	return inner
}

// Not parallel: the suite looks for goroutines that are left.
func TestConformance(t *testing.T) {
	memory := func(conns []hawser.Connection) hawser.Registry { return hawser.NewMemory(conns...) }
	for _, row := range []struct {
		name string
		open func(conns []hawser.Connection) hawser.Registry
	}{
		{"ReadOnly", func(conns []hawser.Connection) hawser.Registry { return registry.ReadOnly(memory(conns)) }},
		{"Prefix", func(conns []hawser.Connection) hawser.Registry {
			return registry.Prefix(memory(below("team-a/", conns)), "team-a/")
		}},
		{"Prefix of nothing", func(conns []hawser.Connection) hawser.Registry { return registry.Prefix(memory(conns), "") }},
		{"Prefix of a registry that only reads", func(conns []hawser.Connection) hawser.Registry {
			return registry.Prefix(bare(below("t", conns)...), "t")
		}},
		{"Layered of one", layered(func(conns []hawser.Connection) []hawser.Registry {
			return []hawser.Registry{memory(conns)}
		})},
		{"Layered whose first is empty", layered(func(conns []hawser.Connection) []hawser.Registry {
			return []hawser.Registry{&registry.Environ{}, memory(conns), &hawser.Memory{}}
		})},
		{"Layered whose last holds all", layered(func(conns []hawser.Connection) []hawser.Registry {
			return []hawser.Registry{&hawser.Memory{}, memory(conns)}
		})},
		{"Layered that shares them out", layered(func(conns []hawser.Connection) []hawser.Registry {
			return []hawser.Registry{memory(conns[:len(conns)/2]), memory(conns[len(conns)/2:])}
		})},
		{"Prefix of Layered of Prefix and ReadOnly", func(conns []hawser.Connection) hawser.Registry {
			inner := layered(func(conns []hawser.Connection) []hawser.Registry {
				return []hawser.Registry{
					registry.ReadOnly(&hawser.Memory{}),
					registry.Prefix(memory(below("x/", conns)), "x/"),
				}
			})(below("y/", conns))
			return registry.Prefix(inner, "y/")
		}},
		{"ReadOnly of Layered of Prefix of ReadOnly", func(conns []hawser.Connection) hawser.Registry {
			return registry.ReadOnly(layered(func(conns []hawser.Connection) []hawser.Registry {
				return []hawser.Registry{registry.Prefix(registry.ReadOnly(memory(below("x/", conns))), "x/")}
			})(conns))
		}},
		{"Layered of a Layered", layered(func(conns []hawser.Connection) []hawser.Registry {
			inner := &registry.Layered{Layers: []registry.Layer{{Name: "inner", Registry: memory(conns)}}}
			return []hawser.Registry{&registry.Environ{}, inner}
		})},
	} {
		t.Run(row.name, func(t *testing.T) {
			hawsertest.TestRegistry(t, func(_ *testing.T, conns ...hawser.Connection) hawser.Registry { return row.open(conns) })
		})
	}
}

// layered puts the registries that open returns into layers.
func layered(open func(conns []hawser.Connection) []hawser.Registry) func(conns []hawser.Connection) hawser.Registry {
	return func(conns []hawser.Connection) hawser.Registry {
		l := &registry.Layered{}
		for i, reg := range open(conns) {
			l.Layers = append(l.Layers, registry.Layer{Name: string(rune('a' + i)), Registry: reg})
		}
		return l
	}
}

func TestConformanceOfEnvironment(t *testing.T) {
	hawsertest.TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
		var environ []string
		for i, c := range conns {
			environ = append(environ, "HAWSER_CONN_"+strconv.Itoa(i)+"="+c.URL())
		}
		env, err := registry.Environment(environ)
		if err != nil {
			t.Fatal(err)
		}
		return env
	})
}
