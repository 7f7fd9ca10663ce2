package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleEnvironment() {
	reg, err := registry.Environment([]string{ // os.Environ()
		"HAWSER_CONN_BANK_EU=sftp://joe@sftp.example.com:2222?auth.password.ref=env:BANK_PASSWORD",
		"HAWSER_CONN_1=ftps://joe@ftp.example.com?name=Warehouse%20North",
		"PATH=/bin",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for c, err := range reg.All(context.Background()) {
		fmt.Println(c.Name, c.Protocol, c.Addr(), err)
	}
	// Output:
	// Warehouse North ftp ftp.example.com:990 <nil>
	// bank_eu sftp sftp.example.com:2222 <nil>
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	t.Run("keeps a password in memory", func(t *testing.T) {
		t.Parallel()
		reg, err := registry.Environment([]string{"HAWSER_CONN_A=sftp://joe:p%40ss=word@h"})
		require.NoError(t, err)
		c, err := reg.Lookup(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, "p@ss=word", c.Auth.Password.Reveal())
		assert.NotEmpty(t, c.Revision)
		assert.NotContains(t, fmt.Sprintf("%+v %#v", reg, reg), "ss=word")
	})
	t.Run("of nothing is empty", func(t *testing.T) {
		t.Parallel()
		reg, err := registry.Environment([]string{"HAWSER_CONN=x", "hawser_conn_a=x", "XHAWSER_CONN_A=x", "=C:=x"})
		require.NoError(t, err)
		assert.Empty(t, namesOf(t, reg))
	})
	t.Run("never changes, and its watch stands", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			watch, err := (&registry.Environ{}).Watch(ctx)
			require.NoError(t, err)
			go func() {
				synctest.Wait() // until the loop below waits
				cancel()
			}()
			for change, err := range watch {
				assert.Empty(t, change)
				assert.Equal(t, context.Canceled, err)
			}
			require.Error(t, ctx.Err())
			assert.Zero(t, (&registry.Environ{}).Version())
		})
	})
}

func TestEnvironmentProblems(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	reg, err := registry.Environment([]string{
		"HAWSER_CONN_OK=sftp://joe@h?auth.agent=true",
		"HAWSER_CONN_EMPTY=",
		"HAWSER_CONN_TEXT=" + secret,
		"HAWSER_CONN_LOGIN=joe:" + secret + "@h",
		"HAWSER_CONN_SLASH=sftp://joe:12/" + secret + "@h",
		"HAWSER_CONN_HASH=sftp://joe:1#" + secret + "@h",
		"HAWSER_CONN_ASK=sftp://joe:1?" + secret + "=1@h",
		"HAWSER_CONN_PORT=sftp://joe:" + secret + "@h:" + secret,
		"HAWSER_CONN_WRONG=sftp://:" + secret + "@h?timeout=-1s&tls.mode=explicit",
		"HAWSER_CONN_=sftp://joe@h?auth.agent=true",
		"HAWSER_CONN_Ok=sftp://joe@h?auth.agent=true",
		"HAWSER_CONN_OTHER=sftp://joe@h?auth.agent=true&name=ok",
		"HAWSER_CONN_TYPO=sftp://joe@h?timeot=5s",
	})
	require.Nil(t, reg)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), secret)
	require.ErrorIs(t, err, hawser.ErrInvalid)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 12)
	for i, want := range []string{
		"HAWSER_CONN_EMPTY: url: not a URL", "HAWSER_CONN_TEXT: url: not a URL", "HAWSER_CONN_LOGIN: url: not a URL",
		"HAWSER_CONN_SLASH: url: a connection has no path", "HAWSER_CONN_HASH: url: a connection has no path", "HAWSER_CONN_ASK: url: the part after ?",
		"HAWSER_CONN_PORT: url: not a URL",
		"HAWSER_CONN_WRONG: timeout: is negative; leave it out for 30s; tls.mode: has no effect with protocol sftp",
		"HAWSER_CONN_: names no connection; write HAWSER_CONN_NAME=, or ?name= in the URL",
		`HAWSER_CONN_Ok: "ok" is the name that HAWSER_CONN_OK gives, too; give one of them ?name=`,
		`HAWSER_CONN_OTHER: "ok" is the name that HAWSER_CONN_OK gives, too`,
		`HAWSER_CONN_TYPO: timeot: unknown field; did you mean "timeout"?`,
	} {
		assert.True(t, strings.HasPrefix(lines[i], want), "%s\nwant %s", lines[i], want)
	}
}
