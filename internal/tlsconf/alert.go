package tlsconf

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
)

// Alerts of RFC 8446, section 6, for which crypto/tls has no names.
const (
	handshakeFailure       tls.AlertError = 40
	badCertificate         tls.AlertError = 42
	unsupportedCertificate tls.AlertError = 43
	certificateRevoked     tls.AlertError = 44
	certificateExpired     tls.AlertError = 45
	certificateUnknown     tls.AlertError = 46
	unknownCA              tls.AlertError = 48
	accessDenied           tls.AlertError = 49
	protocolVersion        tls.AlertError = 70
	insufficientSecurity   tls.AlertError = 71
	unrecognizedName       tls.AlertError = 112
	certificateRequired    tls.AlertError = 116
)

// alertFrom returns the alert that the peer sent, if err is of one. Outside QUIC
// crypto/tls has no exported type for it: the alert is an unexported uint8 in a
// net.OpError, whose Op tells those of the peer from its own. Reading its value
// does not depend on its text.
func alertFrom(err error) (tls.AlertError, bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 || v.Type().PkgPath() != reflect.TypeFor[tls.AlertError]().PkgPath() {
		return 0, false
	}
	return tls.AlertError(v.Uint()), true
}

// ofCertificate reports whether alert is about the client's certificate.
func ofCertificate(alert tls.AlertError) bool {
	switch alert {
	case badCertificate, unsupportedCertificate, certificateRevoked, certificateExpired,
		certificateUnknown, unknownCA, accessDenied, certificateRequired:
		return true
	}
	return false
}
