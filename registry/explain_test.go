package registry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	secret := func(c hawser.Connection, password, pin string) hawser.Connection {
		c.Auth.Password = hawser.NewSecret(password)
		c.Extra = map[string]string{"bank.branch": "0042"}
		c.ExtraSecrets = map[string]hawser.Secret{"bank.pin": hawser.NewSecret(pin)}
		return c
	}
	above, below := secret(conn("bank", "file.example"), "hunter2", "same"), secret(conn("bank", "etcd.example"), "hunter3", "same")
	above.Via, below.Port, below.Extra["bank.branch"] = "gate", 2222, "new\x1b"
	gate := conn("gate", "gate.example")
	gate.Protocol, gate.Via = hawser.SSH, "bank"
	l := layers(hawser.NewMemory(), hawser.NewMemory(above), hawser.NewMemory(below, gate))

	t.Run("says what each layer has and what differs", func(t *testing.T) {
		t.Parallel()
		e, err := l.Explain(t.Context(), "bank")
		require.NoError(t, err)
		assert.Equal(t, 1, e.Winner)
		assert.Equal(t, []registry.Difference{
			{Field: "extra.bank.branch", Here: "\"new\\u001b\"", Used: `"0042"`},
			{Field: "host", Here: `"etcd.example"`, Used: `"file.example"`},
			{Field: "port", Here: "2222"},
			{Field: "via", Used: `"gate"`},
			{Field: "auth.password"},
		}, e.Layers[2].Differs)
		want := `bank: of layer file
  env: not found
  file: used, revision file:1
  etcd: hidden, revision etcd:1; differs in extra.bank.branch ("new\u001b" here, "0042" used), host ("etcd.example" here, "file.example" used), port (2222 here, unset used), via (unset here, "gate" used), auth.password
via gate: of layer etcd
  env: not found
  file: not found
  etcd: used, revision etcd:2
`
		assert.Equal(t, want, e.String(), "the circle ends at the name that is there already")
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			assert.NotContains(t, fmt.Sprintf(verb, e), "hunter")
		}
	})
	t.Run("says so where the definitions are the same", func(t *testing.T) {
		t.Parallel()
		e, err := layers(bare(), hawser.NewMemory(gate), hawser.NewMemory(conn("x", "y"), gate)).Explain(t.Context(), "gate")
		require.NoError(t, err)
		assert.Contains(t, e.String(), "  etcd: hidden, revision etcd:2; the same\n")
	})
	t.Run("goes on where a layer fails", func(t *testing.T) {
		t.Parallel()
		e, err := layers(failing{errors.New("down\x1b")}, hawser.NewMemory(above), hawser.NewMemory(below)).Explain(t.Context(), "bank")
		require.NoError(t, err)
		assert.Equal(t, -1, e.Winner)
		assert.Empty(t, e.Via)
		assert.Equal(t, "bank: not known, because layer env fails\n  env: fails: down\\x1b\n  file: hidden, revision file:1; the same\n  etcd: hidden, revision etcd:1; the same\n", e.String())
		e, err = layers(hawser.NewMemory(gate), down(), bare()).Explain(t.Context(), "gate")
		require.NoError(t, err)
		assert.Equal(t, 0, e.Winner, "a layer below does not matter to Lookup")
		require.EqualError(t, e.Layers[1].Err, "server is down")
	})
	t.Run("says so of a name that is nowhere", func(t *testing.T) {
		t.Parallel()
		e, err := l.Explain(t.Context(), "x\n")
		require.NoError(t, err)
		assert.Equal(t, "x\\n: in no layer\n  env: not found\n  file: not found\n  etcd: not found\n", e.String())
	})
	t.Run("does not show what may be a password", func(t *testing.T) {
		t.Parallel()
		e, err := layers(bare(), hawser.NewMemory(conn("a", "joe:hunter2@h")), hawser.NewMemory(conn("a", "h"))).Explain(t.Context(), "a")
		require.NoError(t, err)
		assert.NotContains(t, e.String(), "hunter2")
		assert.Contains(t, e.String(), "differs in host\n")
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		_, err := l.Explain(ended(t), "bank")
		require.Equal(t, context.Canceled, err)
	})
}
