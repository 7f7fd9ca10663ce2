package hawser

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (a Auth) validate(p *problems, protocol Protocol) {
	a.validateLogin(p, protocol)
	a.Key.validate(p)
	if a.Key.Certificate != "" && a.Key.File == "" && a.Key.Content.IsZero() {
		p.add("auth.key.certificate", "has no private key; set auth.key.file or auth.key.content")
	}
}

// validateLogin looks for a user and a way to prove who it is.
func (a Auth) validateLogin(p *problems, protocol Protocol) {
	switch protocol {
	case SSH, SFTP:
		if a.User == "" {
			p.add("auth.user", "is empty; want the login name")
		}
		if !a.Anonymous && !a.Agent && a.Password.IsZero() && a.Key.IsZero() {
			p.add("auth", "has no login method; set auth.key, auth.agent or auth.password, or auth.anonymous for none")
		}
	case FTP:
		if a.User == "" && !a.Anonymous {
			p.add("auth.user", "is empty; want the login name, or set auth.anonymous")
		}
	case SMTP:
		if a.User == "" && (!a.Password.IsZero() || !a.Token.IsZero()) {
			p.add("auth.user", "is empty; want the login name that auth.password or auth.token is for")
		}
	}
	if a.Anonymous && protocol != FTP && (a.Agent || !a.Password.IsZero() || !a.Key.IsZero() || !a.Token.IsZero()) {
		p.add("auth.anonymous", "contradicts the login methods that are set")
	}
}

// IsZero reports whether k names no key.
func (k Key) IsZero() bool {
	return k.File == "" && k.Content.IsZero() && k.Passphrase.IsZero() && k.Certificate == ""
}

func (k Key) validate(p *problems) {
	has := k.File != "" || !k.Content.IsZero()
	if k.File != "" && !k.Content.IsZero() {
		p.add("auth.key", "has both file and content; set one")
	}
	if !has && !k.Passphrase.IsZero() {
		p.add("auth.key.passphrase", "has no private key; set auth.key.file or auth.key.content")
	}
}

func (o TLSOptions) validate(p *problems, protocol Protocol) {
	oneOf(p, "tls.mode", "mode", o.Mode, TLSNone, TLSExplicit, TLSImplicit)
	oneOf(p, "tls.data", "protection", o.Data, ProtectPrivate, ProtectClear)
	o.validateVersions(p)
	eachOneOf(p, "tls.allow", "anomaly", o.Allow, Anomalies()...)
	for i, anomaly := range o.Allow {
		if anomaly == BadSignature || anomaly == Revoked {
			p.add(fmt.Sprintf("tls.allow[%d]", i), "%q is never allowed: such a certificate proves nothing", anomaly)
		}
	}
	off := o.Mode == TLSNone || o.Mode == "" && protocol == FTP
	for f := range (&Connection{TLS: o}).fields() {
		if off && strings.HasPrefix(f.name, "tls.") && f.name != "tls.mode" && !f.value.IsZero() {
			p.add(f.name, "has no effect without TLS; set tls.mode to explicit or implicit")
		}
	}
	if o.Certificate.File != "" && !o.Certificate.Content.IsZero() {
		p.add("tls.certificate", "has both file and content; set one")
	}
}

func (o TLSOptions) validateVersions(p *problems) {
	versions := []string{"1.0", "1.1", "1.2", "1.3"}
	known := func(name, version string) bool {
		if strings.HasPrefix(strings.ToLower(version), "ssl") {
			p.add(name, "%q is broken and forbidden (RFC 7568); set \"1.0\" and tls.legacy for the oldest servers", version)
			return false
		}
		oneOf(p, name, "TLS version", version, versions...)
		return version != "" && slices.Contains(versions, version)
	}
	if low, high := known("tls.min_version", o.MinVersion), known("tls.max_version", o.MaxVersion); !low && !high {
		return
	}
	low := max(o.MinVersion, "1.2")
	if o.MinVersion != "" {
		low = o.MinVersion
	}
	if o.MaxVersion != "" && o.MaxVersion < low {
		p.add("tls.max_version", "%s is below the lowest version, %s", o.MaxVersion, low)
	}
}

func (x Proxy) validate(p *problems) {
	oneOf(p, "proxy.type", "proxy type", x.Type, ProxyHTTP, ProxyHTTPS, ProxySOCKS4, ProxySOCKS4A, ProxySOCKS5, ProxySOCKS5H)
	if x.Type != "" {
		validateHost(p, "proxy.host", x.Host)
		x.validateLogin(p)
		return
	}
	for f := range (&Connection{Proxy: x}).fields() {
		if strings.HasPrefix(f.name, "proxy.") && !f.value.IsZero() {
			p.add(f.name, "has no effect without proxy.type")
		}
	}
}

// validateLogin finds what the protocol of the proxy has no room for.
func (x Proxy) validateLogin(p *problems) {
	const most = 255 // bytes (RFC 1929, section 2)
	hasPassword := !x.Password.IsZero()
	socks5 := x.Type == ProxySOCKS5 || x.Type == ProxySOCKS5H
	switch {
	case hasPassword && (x.Type == ProxySOCKS4 || x.Type == ProxySOCKS4A):
		p.add("proxy.password", "has no effect with %s, which has no passwords; set proxy.type to socks5 or socks5h", x.Type)
	case hasPassword && x.User == "":
		p.add("proxy.user", "is empty, but there is a proxy.password")
	case socks5 && (len(x.User) > most || len(x.Password.Reveal()) > most):
		p.add("proxy.user", "is longer than SOCKS allows, or proxy.password is: %d bytes", most)
	case !socks5 && strings.Contains(x.User, ":") && x.Type != ProxySOCKS4 && x.Type != ProxySOCKS4A:
		p.add("proxy.user", "holds a colon, with which HTTP ends the user (RFC 7617, section 2)")
	}
}

// validateActive refuses active ftp where the server could not connect back.
func (c Connection) validateActive(p *problems) {
	const cure = "; set ftp.mode to passive, or reach the server through a SOCKS proxy that can bind"
	switch {
	case c.FTP.Mode != Active:
	case c.Proxy.Type == ProxyHTTP || c.Proxy.Type == ProxyHTTPS:
		p.add("ftp.mode", "is active, but no server can connect back through an HTTP proxy"+cure)
	case c.Via != "" && c.Proxy.Type == "":
		p.add("ftp.mode", "is active, but no server can connect back through a jump host"+cure)
	}
}

func (o FTPOptions) validate(p *problems) {
	oneOf(p, "ftp.mode", "mode", o.Mode, Passive, Active, Auto)
	if err := checkPorts(o.Ports); err != nil {
		p.add("ftp.ports", "%v", err)
	}
	if _, err := netip.ParseAddr(o.External); o.External != "" && err != nil {
		p.add("ftp.external", "%q is not an IP address", o.External)
	}
	passive := o.Mode == "" || o.Mode == Passive
	if passive && o.Ports != "" {
		p.add("ftp.ports", "has no effect in passive mode; set ftp.mode to active or auto")
	}
	if passive && o.External != "" {
		p.add("ftp.external", "has no effect in passive mode; set ftp.mode to active or auto")
	}
	if _, err := time.LoadLocation(o.TimeZone); err != nil {
		p.add("ftp.time_zone", "unknown time zone %q; want a name such as \"Europe/Berlin\"", o.TimeZone)
	}
}

// checkPorts checks a range "50000-50100" or one port; "" is none.
func checkPorts(s string) error {
	if s == "" {
		return nil
	}
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	b, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if err1 != nil || err2 != nil || a == 0 || b < a {
		return fmt.Errorf("%q is not a range of ports; want one such as \"50000-50100\"", s)
	}
	return nil
}

func (o SSHOptions) validate(p *problems) {
	oneOf(p, "ssh.algorithms", "profile", o.Algorithms, "modern", "legacy")
	for i, print := range o.HostKeys {
		name := fmt.Sprintf("ssh.host_keys[%d]", i)
		text, isSHA256 := strings.CutPrefix(print, "SHA256:")
		sum, err := base64.RawStdEncoding.DecodeString(text)
		const sha256Size = 32
		if !isSHA256 || err != nil || len(sum) != sha256Size {
			p.add(name, "%q is not a fingerprint; want SHA256:... as `ssh-keygen -l -f KEY.pub` prints it", print)
		}
	}
	if o.AutoAccept && len(o.HostKeys) > 0 {
		p.add("ssh.auto_accept", "contradicts ssh.host_keys, which accepts no other key")
	}
}

// sftpVersion is the one version of the protocol that the sftp driver speaks.
const sftpVersion = 3

func (o SFTPOptions) validate(p *problems) {
	check := func(name string, version int) {
		switch {
		case version == 0 || version == sftpVersion:
		case version > sftpVersion && version <= 6:
			p.add(name, "version %d is not spoken yet; leave it out for version %d, which nearly all servers speak", version, sftpVersion)
		default:
			p.add(name, "there is no version %d to speak; leave it out for version %d", version, sftpVersion)
		}
	}
	check("sftp.min_version", o.MinVersion)
	check("sftp.max_version", o.MaxVersion)
}

func (o SMTPOptions) validate(p *problems) {
	if strings.Contains(o.Hello, " ") {
		p.add("smtp.hello", "holds a space; want the name of this machine, or leave it out")
	}
	eachOneOf(p, "smtp.auth", "mechanism", o.Auth,
		"EXTERNAL", "OAUTHBEARER", "XOAUTH2", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN", "ANONYMOUS")
}

// validateMailLogin looks for what proves a login of smtp.
func (c Connection) validateMailLogin(p *problems) {
	a, certificate := c.Auth, c.TLS.Certificate
	if c.Protocol != SMTP || a.User == "" || a.Anonymous || !a.Password.IsZero() || !a.Token.IsZero() {
		return
	}
	if certificate.File == "" && certificate.Content.IsZero() {
		p.add("auth", "has a user and nothing to prove it with; set auth.password or auth.token, or tls.certificate for the mechanism EXTERNAL")
	}
}

func (l Limits) validate(p *problems) {
	if l.Sessions < 0 {
		p.add("limits.sessions", "is negative; leave it out for 8")
	}
	if l.Wait < 0 {
		p.add("limits.wait", "is negative; leave it out for 5m")
	}
	if l.Idle < 0 {
		p.add("limits.idle", "is negative; leave it out for 1m")
	}
	if l.Lifetime < 0 {
		p.add("limits.lifetime", "is negative; leave it out for no limit")
	}
}
