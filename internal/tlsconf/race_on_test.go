//go:build race

package tlsconf_test

// racing says that the race detector makes everything slow.
const racing = true
