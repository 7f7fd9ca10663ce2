package tlsconf

import (
	"crypto/tls"
	"fmt"

	"github.com/hawser/hawser"
)

// baseConfig is what all handshakes of k have in common.
func (k *Client) baseConfig() (*tls.Config, error) {
	low, high, err := versions(k.c.TLS)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		// Also where it is an IP address, which is not sent.
		ServerName: k.name,
		MinVersion: low,
		MaxVersion: high,
		Time:       k.clock,
		// The check is VerifyConnection, which handshake.run always sets and
		// which, unlike VerifyPeerCertificate, is called for resumed sessions
		// too.
		InsecureSkipVerify: true,
	}
	if k.c.TLS.Legacy {
		config.CipherSuites = legacySuites()
	}
	return config, nil
}

// versions returns the lowest and the highest version of o.
func versions(o hawser.TLSOptions) (low, high uint16, err error) {
	if low, err = parseVersion("tls.min_version", o.MinVersion, tls.VersionTLS12); err != nil {
		return 0, 0, err
	}
	if high, err = parseVersion("tls.max_version", o.MaxVersion, tls.VersionTLS13); err != nil {
		return 0, 0, err
	}
	if high < low {
		return 0, 0, &hawser.FieldError{
			Field:   "tls.max_version",
			Problem: fmt.Sprintf("%s is below the lowest version, %s", versionText(high), versionText(low)),
		}
	}
	return low, high, nil
}

func parseVersion(field, text string, otherwise uint16) (uint16, error) {
	switch text {
	case "":
		return otherwise, nil
	case "1.0":
		return tls.VersionTLS10, nil
	case "1.1":
		return tls.VersionTLS11, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, &hawser.FieldError{Field: field, Problem: fmt.Sprintf("unknown TLS version %q; want one of 1.0, 1.1, 1.2, 1.3", text)}
}

// versionText is how a version stands in a Connection.
func versionText(version uint16) string {
	switch version {
	case tls.VersionTLS10:
		return "1.0"
	case tls.VersionTLS11:
		return "1.1"
	case tls.VersionTLS12:
		return "1.2"
	}
	return "1.3"
}

// legacySuites are all that crypto/tls knows but RC4, which is broken for good
// (RFC 7465). It offers RSA key exchange and 3DES only where they are listed.
// The list is explicit, so that no release of Go adds to it.
func legacySuites() []uint16 {
	var ids []uint16
	for _, suite := range tls.CipherSuites() {
		ids = append(ids, suite.ID)
	}
	return append(ids,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
		tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	)
}
