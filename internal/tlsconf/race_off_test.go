//go:build !race

package tlsconf_test

const racing = false
