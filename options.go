package hawser

import (
	"cmp"
	"time"
)

// FTPOptions is the extra tab of ftp.
type FTPOptions struct {
	Mode     DataMode `json:"mode,omitzero"`
	Ports    string   `json:"ports,omitzero"`    // active: local port range "50000-50100"
	External string   `json:"external,omitzero"` // active: address told to the server behind NAT
	TimeZone string   `json:"time_zone,omitzero"`
	Encoding string   `json:"encoding,omitzero"` // of file names; "": UTF-8
	Account  Secret   `json:"account,omitzero"`  // ACCT
}

// A DataMode says who opens ftp data connections.
type DataMode string

const (
	Passive DataMode = "passive" // EPSV, then PASV; also the zero value's meaning
	Active  DataMode = "active"  // EPRT, then PORT
	Auto    DataMode = "auto"    // passive; active if that fails
)

type SSHOptions struct {
	Algorithms string        `json:"algorithms,omitzero"`  // "modern", "" (default) or "legacy"
	KeepAlive  time.Duration `json:"keepalive,omitzero"`   // 0: 30s; negative: never
	HostKeys   []string      `json:"host_keys,omitempty"`  // "SHA256:..." fingerprints to accept, and no other
	AutoAccept bool          `json:"auto_accept,omitzero"` // accept and pin the first host key seen
}

type SFTPOptions struct {
	MinVersion int    `json:"min_version,omitzero"` // 0: 3; others are refused so far
	MaxVersion int    `json:"max_version,omitzero"` // likewise
	Subsystem  string `json:"subsystem,omitzero"`   // "": sftp; a path runs that server instead
}

type SMTPOptions struct {
	Hello string   `json:"hello,omitzero"` // EHLO name; "": this host's
	Auth  []string `json:"auth,omitempty"` // mechanisms allowed; empty: strongest offered
	// InsecureAuth allows mechanisms that show the password without TLS.
	InsecureAuth bool `json:"insecure_auth,omitzero"`
}

// Limits bounds what one process asks of a server. With a [Limiter], Sessions
// holds for all processes together. Names that share server, login and way
// there share sessions, and then the smallest of their Sessions holds.
type Limits struct {
	Sessions int           `json:"sessions,omitzero"` // open at once; 0: 8
	Wait     time.Duration `json:"wait,omitzero"`     // an open waits for one of Sessions at most; 0: 5m
	Idle     time.Duration `json:"idle,omitzero"`     // an idle session is closed after; 0: 1m
	Lifetime time.Duration `json:"lifetime,omitzero"` // an older one is not used again; 0: no limit
}

// orDefaults returns l with what its zero fields mean, but for Lifetime.
func (l Limits) orDefaults() Limits {
	l.Sessions = cmp.Or(l.Sessions, 8)
	l.Wait = cmp.Or(l.Wait, 5*time.Minute)
	l.Idle = cmp.Or(l.Idle, time.Minute)
	return l
}

// Log is the log tab: which protocol messages reach the job's output.
type Log struct {
	Outgoing bool `json:"outgoing,omitzero"`
	Incoming bool `json:"incoming,omitzero"`
}
