package testcert_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	middle := testcert.Intermediate(t, root)
	server := &tls.Config{Certificates: []tls.Certificate{testcert.Server(t, middle).TLS(middle)}}
	t.Run("a good chain is verified", func(t *testing.T) {
		t.Parallel()
		seen, clientErr, serverErr := testcert.Handshake(t, server, &tls.Config{RootCAs: testcert.Pool(root), ServerName: "localhost"})
		require.NoError(t, clientErr)
		require.NoError(t, serverErr)
		assert.Len(t, seen.VerifiedChains, 1)
	})
	t.Run("an unknown root is refused, and both sides return", func(t *testing.T) {
		t.Parallel()
		_, clientErr, serverErr := testcert.Handshake(t, server, &tls.Config{RootCAs: testcert.Pool(testcert.Root(t)), ServerName: "localhost"})
		require.Error(t, clientErr)
		require.Error(t, serverErr)
	})
	t.Run("a missing client certificate is told to the client, also with TLS 1.3", func(t *testing.T) {
		t.Parallel()
		strict := server.Clone()
		strict.ClientAuth = tls.RequireAnyClientCert
		_, clientErr, serverErr := testcert.Handshake(t, strict, &tls.Config{RootCAs: testcert.Pool(root), ServerName: "localhost"})
		require.ErrorContains(t, clientErr, "certificate required")
		require.Error(t, serverErr)
	})
}
