package hawser

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// URL returns c as a URL without literal secrets: scheme ftp, ftpes (explicit
// TLS), ftps (implicit TLS), sftp, ssh, smtp (STARTTLS) or smtps (implicit
// TLS). Query parameters set all other fields by their stored names,
// ?ftp.mode=active&timeout=45s, references of secrets with ".ref" behind:
// ?auth.password.ref=env:BANK. [ParseURL] is its inverse.
func (c Connection) URL() string {
	scheme, impliedMode := c.scheme()
	u := url.URL{Scheme: scheme, Host: c.Host}
	if strings.Contains(c.Host, ":") {
		u.Host = "[" + c.Host + "]"
	}
	if c.Port != 0 {
		u.Host = net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	}
	if c.Auth.User != "" {
		u.User = url.User(c.Auth.User)
	}
	query := url.Values{}
	for f := range c.fields() {
		if !inURL(f.name) && !(f.name == "tls.mode" && c.TLS.Mode == impliedMode) {
			addParameter(query, f)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// inURL reports whether the field called name stands before the query.
func inURL(name string) bool {
	return name == "protocol" || name == "host" || name == "port" || name == "auth.user"
}

// urlSchemes are the schemes that say more than their protocol's name.
func urlSchemes() map[string]Connection {
	return map[string]Connection{
		"ftpes": {Protocol: FTP, TLS: TLSOptions{Mode: TLSExplicit}},
		"ftps":  {Protocol: FTP, TLS: TLSOptions{Mode: TLSImplicit}},
		"smtps": {Protocol: SMTP, TLS: TLSOptions{Mode: TLSImplicit}},
	}
}

// scheme returns the URL scheme of c and the TLS mode that it stands for.
func (c Connection) scheme() (string, TLSMode) {
	for scheme, meant := range urlSchemes() {
		if c.Protocol == meant.Protocol && c.TLS.Mode == meant.TLS.Mode {
			return scheme, meant.TLS.Mode
		}
	}
	return string(c.Protocol), ""
}

func addParameter(query url.Values, f field) {
	switch v := f.value.Interface().(type) {
	case Secret:
		setNonEmpty(query, f.name+".ref", v.Ref())
	case map[string]string:
		for key, text := range v {
			query.Set(f.name+"."+key, text)
		}
	case map[string]Secret:
		for key, secret := range v {
			setNonEmpty(query, f.name+"."+key+".ref", secret.Ref())
		}
	default:
		if f.value.Kind() != reflect.Slice {
			setNonEmpty(query, f.name, fieldText(f.value))
			return
		}
		for i := range f.value.Len() {
			query.Add(f.name, f.value.Index(i).String())
		}
	}
}

func setNonEmpty(query url.Values, name, text string) {
	if text != "" {
		query.Set(name, text)
	}
}

// fieldText is the text of a scalar field, "" for its zero value.
func fieldText(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	return fmt.Sprint(v.Interface())
}

// ParseURL reads what [Connection.URL] writes, and a password too. A parameter
// that is unknown or not understood is a [FieldError] that names it. The
// result is not validated further; see [Connection.Validate].
func ParseURL(s string) (Connection, error) {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Scheme == "" {
		// The parser's own error quotes s, which may hold a password.
		return Connection{}, urlProblem("not a URL; write scheme://user@host:port?name=value and percent-encode what is special in user and password")
	}
	if u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return Connection{}, urlProblem("a connection has no path and no fragment; name files in the job, and percent-encode / and # in user and password")
	}
	c, known := urlSchemes()[u.Scheme]
	if !known {
		c.Protocol = Protocol(u.Scheme)
	}
	c.Host = u.Hostname()
	if strings.Contains(c.Host, ":") && !isIP(c.Host) {
		return Connection{}, &FieldError{Field: "host", Problem: "is not a DNS name or an IP address; write an IPv6 address in brackets"}
	}
	c.Auth.User = u.User.Username()
	if password, set := u.User.Password(); set {
		c.Auth.Password = NewSecret(password)
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Connection{}, &FieldError{Field: "port", Problem: "want a port number, 1 to 65535"}
		}
		c.Port = uint16(n)
	}
	if err := c.setParameters(u.RawQuery); err != nil {
		return Connection{}, err
	}
	return c, nil
}

func urlProblem(text string) error { return &FieldError{Field: "url", Problem: text} }

func (c *Connection) setParameters(rawQuery string) error {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return urlProblem("the part after ? is not name=value pairs joined by &")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		err := c.setParameter(name, query[name])
		if err != nil && strings.Contains(rawQuery, "@") {
			// Of ftp://me:1?x=y@h the half behind the ? is of a password.
			return urlProblem("the part after ? is not understood; percent-encode ? in user and password, and @ in values")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Connection) setParameter(name string, texts []string) error {
	if inURL(name) {
		return &FieldError{Field: name, Problem: "stands before the ? of a URL"}
	}
	if group, key, ok := cutExtra(name); ok {
		return c.setExtra(group, key, texts)
	}
	f, ok := c.field(name)
	if !ok {
		return c.setReference(name, texts)
	}
	if name == "tls.mode" && c.TLS.Mode != "" && texts[0] != string(c.TLS.Mode) {
		return &FieldError{Field: name, Problem: "contradicts the scheme, which means " + string(c.TLS.Mode)}
	}
	if f.value.Kind() == reflect.Slice {
		for _, text := range texts {
			item := reflect.ValueOf(text).Convert(f.value.Type().Elem())
			f.value.Set(reflect.Append(f.value, item))
		}
		return nil
	}
	if err := setField(f, texts[0]); err != nil {
		return err
	}
	return onlyOne(name, texts)
}

// setReference sets the secret that name with ".ref" behind stands for.
func (c *Connection) setReference(name string, texts []string) error {
	f, ok := c.field(strings.TrimSuffix(name, ".ref"))
	if !ok || f.value.Type() != reflect.TypeFor[Secret]() {
		return unknownField(name)
	}
	if !f.value.IsZero() {
		return &FieldError{Field: f.name, Problem: "given twice, before the ? and as a reference"}
	}
	if texts[0] == "" {
		return emptyReference(name)
	}
	f.value.Set(reflect.ValueOf(SecretRef(texts[0])))
	return onlyOne(name, texts)
}

func emptyReference(name string) error {
	return &FieldError{Field: name, Problem: "is empty; want a reference such as env:NAME"}
}

func onlyOne(name string, texts []string) error {
	if len(texts) > 1 {
		return &FieldError{Field: name, Problem: "given twice"}
	}
	return nil
}

// cutExtra splits extra.driver.setting and extra_secrets.driver.setting.ref
// behind the name of the map.
func cutExtra(name string) (group, key string, ok bool) {
	group, key, ok = strings.Cut(name, ".")
	return group, key, ok && (group == "extra" || group == "extra_secrets")
}

func (c *Connection) setExtra(group, key string, texts []string) error {
	if group == "extra" {
		if c.Extra == nil {
			c.Extra = map[string]string{}
		}
		c.Extra[key] = texts[0]
		return onlyOne("extra."+key, texts)
	}
	key, isRef := strings.CutSuffix(key, ".ref")
	if !isRef {
		return &FieldError{Field: "extra_secrets." + key, Problem: "a URL takes references alone; write extra_secrets." + key + ".ref=env:NAME"}
	}
	if texts[0] == "" {
		return emptyReference("extra_secrets." + key + ".ref")
	}
	if c.ExtraSecrets == nil {
		c.ExtraSecrets = map[string]Secret{}
	}
	c.ExtraSecrets[key] = SecretRef(texts[0])
	return onlyOne("extra_secrets."+key, texts)
}

// setField sets a scalar field from its text.
func setField(f field, text string) error {
	wrong := func(err error) error {
		if err == nil {
			return nil
		}
		return &FieldError{Field: f.name, Problem: wrongKind(f.value, err)}
	}
	switch {
	case isDuration(f.value.Type()):
		return setDuration(f.name, text, f.value)
	case f.value.Type() == reflect.TypeFor[Secret]():
		return &FieldError{Field: f.name, Problem: "a URL takes references alone; write " + f.name + ".ref=env:NAME"}
	case f.value.Kind() == reflect.String:
		f.value.SetString(text)
	case f.value.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		f.value.SetBool(b)
		return wrong(err)
	case f.value.Kind() == reflect.Int:
		n, err := strconv.ParseInt(text, 10, strconv.IntSize)
		f.value.SetInt(n)
		return wrong(err)
	case f.value.Kind() == reflect.Uint16:
		n, err := strconv.ParseUint(text, 10, 16)
		f.value.SetUint(n)
		return wrong(err)
	case f.name == "extra":
		return &FieldError{Field: f.name, Problem: "is a group; write extra.driver.setting=value"}
	case f.name == "extra_secrets":
		return &FieldError{Field: f.name, Problem: "is a group; write extra_secrets.driver.setting.ref=env:NAME"}
	default:
		return unknownField(f.name)
	}
	return nil
}
