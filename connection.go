package hawser

import (
	"iter"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// A Connection defines how to reach and log in to one server. It is plain
// data: no sockets, functions or locks. It may be copied freely (use
// [Connection.Clone] before changing Extra) and survives a round trip through
// its stored form, except for literal secrets, which only a sealed store keeps.
//
// The groups of fields are the tabs of a connection editor: main, security,
// certificates, proxy, extra, log.
type Connection struct {
	Name        string   `json:"name"` // unique in its Registry
	Description string   `json:"description,omitzero"`
	Group       string   `json:"group,omitzero"`
	Protocol    Protocol `json:"protocol"`
	Host        string   `json:"host"`          // DNS name or IP literal, without brackets
	Port        uint16   `json:"port,omitzero"` // 0: the default of Protocol and TLS.Mode
	// Timeout bounds each step that waits for the server: connecting and
	// logging in together, each reply, each gap between bytes of a transfer.
	// It does not bound what a person takes to answer for a Verifier, the
	// silence of a running command, or the reply to the end of a mail, for
	// which RFC 5321, section 4.5.3.2, gives ten minutes. Zero: 30s. Stored as
	// text, "45s".
	Timeout time.Duration `json:"timeout,omitzero"`

	Auth  Auth       `json:"auth,omitzero"`
	TLS   TLSOptions `json:"tls,omitzero"`   // ftp, smtp
	Proxy Proxy      `json:"proxy,omitzero"` // any protocol
	// Via names an ssh connection in the same Registry to tunnel through.
	// That connection may itself have a Proxy or a Via; cycles are refused.
	// With both set, the proxy is reached through the tunnel.
	Via string `json:"via,omitzero"`
	// Hops are the connections that Via leads to, nearest first. The Manager
	// fills it in before dialing; it is never stored. ssh.Jump reads it.
	Hops []Connection `json:"-"`

	FTP  FTPOptions  `json:"ftp,omitzero"`
	SSH  SSHOptions  `json:"ssh,omitzero"` // ssh, sftp
	SFTP SFTPOptions `json:"sftp,omitzero"`
	SMTP SMTPOptions `json:"smtp,omitzero"`

	Limits Limits `json:"limits,omitzero"`
	Log    Log    `json:"log,omitzero"`

	// Extra carries settings of drivers outside this module, keyed
	// "driver.setting". The drivers in this module never read it.
	Extra        map[string]string `json:"extra,omitempty"`
	ExtraSecrets map[string]Secret `json:"extra_secrets,omitempty"`

	// Revision is set by the Registry and changes with every change.
	Revision string `json:"-"`
}

// A Protocol names a wire protocol. The set is open: drivers outside this
// module define their own.
type Protocol string

const (
	FTP  Protocol = "ftp"  // RFC 959; TLS by RFC 4217
	SFTP Protocol = "sftp" // draft-ietf-secsh-filexfer-02 to -13
	SSH  Protocol = "ssh"  // RFC 4251 to 4254
	SMTP Protocol = "smtp" // RFC 5321; submission RFC 6409
)

// DefaultTimeout is what a zero [Connection.Timeout] means.
const DefaultTimeout = 30 * time.Second

// Clone returns a deep copy: changing its slices and maps does not change c.
func (c Connection) Clone() Connection {
	c.TLS.Allow = slices.Clone(c.TLS.Allow)
	c.SSH.HostKeys = slices.Clone(c.SSH.HostKeys)
	c.SMTP.Auth = slices.Clone(c.SMTP.Auth)
	c.Extra = maps.Clone(c.Extra)
	c.ExtraSecrets = maps.Clone(c.ExtraSecrets)
	c.Hops = slices.Clone(c.Hops)
	for i, hop := range c.Hops {
		c.Hops[i] = hop.Clone()
	}
	return c
}

// Secrets yields the stored name of each secret that is set, such as
// "auth.password", with the secret itself, for registries that seal them and
// for resolving. What is assigned to *Secret is in c afterwards; the map
// ExtraSecrets is replaced then, so copies of c made before keep theirs.
func (c *Connection) Secrets() iter.Seq2[string, *Secret] {
	return func(yield func(string, *Secret) bool) {
		for f := range c.fields() {
			secret, ok := f.value.Addr().Interface().(*Secret)
			if ok && !secret.IsZero() && !yield(f.name, secret) {
				return
			}
		}
		c.extraSecrets(yield)
	}
}

// extraSecrets yields ExtraSecrets in key order, through copies, because the
// values of a map cannot be pointed at.
func (c *Connection) extraSecrets(yield func(string, *Secret) bool) {
	for _, key := range slices.Sorted(maps.Keys(c.ExtraSecrets)) {
		secret := c.ExtraSecrets[key]
		if secret.IsZero() {
			continue
		}
		before := secret
		more := yield("extra_secrets."+key, &secret)
		if !secret.Equal(before) {
			c.ExtraSecrets = maps.Clone(c.ExtraSecrets)
			c.ExtraSecrets[key] = secret
		}
		if !more {
			return
		}
	}
}

// Addr returns host:port, with the default port where Port is 0: ftp 21
// (implicit TLS 990), ssh and sftp 22, smtp 587 (implicit TLS 465, none 25).
// The port of a protocol that this module does not know stays 0.
func (c Connection) Addr() string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.port())))
}

func (c Connection) port() uint16 {
	if c.Port != 0 {
		return c.Port
	}
	switch c.Protocol {
	case FTP:
		if c.TLS.Mode == TLSImplicit {
			return 990
		}
		return 21
	case SSH, SFTP:
		return 22
	case SMTP:
		switch c.TLS.Mode {
		case TLSImplicit:
			return 465
		case TLSNone:
			return 25
		}
		return 587
	}
	return 0
}

// Equivalent reports whether a session of c serves d as well: everything is equal,
// the Hops too, but for Name, Description, Group, Limits, Log and Revision. Secrets
// are compared by what they hold, so an unresolved reference equals only itself.
func (c Connection) Equivalent(d Connection) bool {
	if len(c.Hops) != len(d.Hops) {
		return false
	}
	for i := range c.Hops {
		if !c.Hops[i].Equivalent(d.Hops[i]) {
			return false
		}
	}
	plainC, secretsC := c.essence()
	plainD, secretsD := d.essence()
	return maps.EqualFunc(secretsC, secretsD, Secret.Equal) && reflect.DeepEqual(plainC, plainD)
}

// essence is what sessions depend on: c without hops and secrets, and the secrets
// by their names.
func (c Connection) essence() (Connection, map[string]Secret) {
	c = c.Clone()
	c.Name, c.Description, c.Group, c.Revision = "", "", "", ""
	c.Limits, c.Log, c.Hops = Limits{}, Log{}, nil
	secrets := map[string]Secret{}
	for name, secret := range c.Secrets() {
		secrets[name] = *secret
		*secret = Secret{}
	}
	c.ExtraSecrets = nil // their names are in secrets
	return c, secrets
}
