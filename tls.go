package hawser

// TLSOptions is the certificates tab.
type TLSOptions struct {
	Mode        TLSMode     `json:"mode,omitzero"`
	MinVersion  string      `json:"min_version,omitzero"` // "1.0" to "1.3"; "": 1.2. "ssl3" is refused: RFC 7568
	MaxVersion  string      `json:"max_version,omitzero"`
	Legacy      bool        `json:"legacy,omitzero"`      // also offer RSA key exchange and 3DES
	Data        Protection  `json:"data,omitzero"`        // ftp data connections
	ServerName  string      `json:"server_name,omitzero"` // "": Host
	Certificate Certificate `json:"certificate,omitzero"` // client certificate
	Roots       string      `json:"roots,omitzero"`       // PEM file of CAs; "": the system's
	// Allow lists anomalies of the server's certificate to accept, by name:
	// "expired", "unknown-authority", "name-mismatch", ...
	Allow []Anomaly `json:"allow,omitempty"`
	// AutoAccept accepts and pins whatever certificate is first seen. A later
	// change that is not valid by itself is still refused. A certificate that
	// is revoked or forged is never accepted.
	AutoAccept bool `json:"auto_accept,omitzero"`
}

// A TLSMode says when a connection turns to TLS. The zero mode is none for
// ftp and explicit for smtp.
type TLSMode string

const (
	TLSNone     TLSMode = "none"
	TLSExplicit TLSMode = "explicit" // AUTH TLS, STARTTLS: refused if the server lacks it
	TLSImplicit TLSMode = "implicit" // from the first byte
)

// A Protection is the level of ftp data connections (RFC 4217, section 9).
type Protection string

const (
	ProtectPrivate Protection = "private" // PROT P; also the zero value's meaning
	ProtectClear   Protection = "clear"   // PROT C: files travel in the clear
)
