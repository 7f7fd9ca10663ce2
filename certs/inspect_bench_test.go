package certs_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

// The two are to be compared in one run: for a good chain, Inspect is to cost
// little more than Verify.

func BenchmarkInspect(b *testing.B) {
	w := newKindWorld(b)
	for name, s := range map[string]sight{
		"good":    w.under(w.inter)(b),
		"expired": w.under(w.inter)(b, testcert.Expired),
		"SHA-1":   w.under(w.inter)(b, withSHA1),
	} {
		b.Run(name, func(b *testing.B) {
			cs := s.state()
			b.ReportAllocs()
			for b.Loop() {
				require.Equal(b, name == "good", len(s.inspect(cs)) == 0)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	w := newKindWorld(b)
	for name, s := range map[string]sight{
		"good":    w.under(w.inter)(b),
		"expired": w.under(w.inter)(b, testcert.Expired),
		"SHA-1":   w.under(w.inter)(b, withSHA1),
	} {
		b.Run(name, func(b *testing.B) {
			cs := s.state()
			b.ReportAllocs()
			for b.Loop() {
				pool := x509.NewCertPool()
				for _, c := range cs.PeerCertificates[1:] {
					pool.AddCert(c)
				}
				_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: "localhost", Roots: s.roots, Intermediates: pool})
				require.Equal(b, name == "good", err == nil)
			}
		})
	}
}
