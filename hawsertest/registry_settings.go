package hawsertest

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// A setting is a stored field of a Connection, found by its json tags, so that
// every registry is checked for a new field from the day it is added.
type setting struct {
	name  string // "tls.min_version"
	index []int
}

func settings() []setting { return settingsOf("", nil, reflect.TypeFor[hawser.Connection]()) }

func settingsOf(prefix string, index []int, group reflect.Type) []setting {
	var found []setting
	for i := range group.NumField() {
		f := group.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := append(index[:len(index):len(index)], i)
		switch {
		case name == "-":
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[hawser.Secret]():
			found = append(found, settingsOf(prefix+name+".", at, f.Type)...)
		default:
			found = append(found, setting{prefix + name, at})
		}
	}
	return found
}

func (s setting) value(c *hawser.Connection) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(s.index)
}

// of is what c has set, for messages; literal secrets are masked.
func (s setting) of(c *hawser.Connection) any { return s.value(c).Interface() }

func (s setting) equal(c, d hawser.Connection) bool {
	switch v := s.of(&c).(type) {
	case hawser.Secret:
		return v.Equal(s.of(&d).(hawser.Secret))
	case map[string]hawser.Secret:
		return maps.EqualFunc(v, s.of(&d).(map[string]hawser.Secret), hawser.Secret.Equal)
	}
	return reflect.DeepEqual(s.of(&c), s.of(&d))
}

// choices are values of the fields for which Validate does not take any.
func choices() map[string]any {
	print := "SHA256:" + strings.Repeat("A", 43)
	return map[string]any{
		"host": "ftp.example.com", "proxy.host": "2001:db8::1", "proxy.type": hawser.ProxySOCKS5H,
		"tls.mode": hawser.TLSImplicit, "tls.min_version": "1.2", "tls.max_version": "1.3",
		"tls.data": hawser.ProtectClear, "tls.allow": []hawser.Anomaly{hawser.NameMismatch, hawser.Expired},
		"ftp.mode": hawser.Auto, "ftp.ports": "50000-50100", "ftp.external": "192.0.2.1", "ftp.time_zone": "UTC",
		"ssh.algorithms": "legacy", "ssh.host_keys": []string{print, print[:49] + "Q"},
		"sftp.min_version": 3, "sftp.max_version": 3,
		"smtp.hello": "jobs.example.com", "smtp.auth": []string{"PLAIN", "LOGIN"},
	}
}

// fill sets the field of c to a value that is not zero, and a secret to a
// reference. It does nothing to a kind of field that it does not know.
func (s setting) fill(c *hawser.Connection) {
	v := s.value(c)
	if choice, ok := choices()[s.name]; ok {
		v.Set(reflect.ValueOf(choice))
		return
	}
	switch v.Interface().(type) {
	case time.Duration:
		v.SetInt(int64(90*time.Second + time.Nanosecond))
	case hawser.Secret:
		v.Set(reflect.ValueOf(hawser.SecretRef("env:" + s.name)))
	case map[string]string:
		v.Set(reflect.ValueOf(map[string]string{"ours.b": "1 & 2", "ours.a.Ä b": "", "theirs.a": "true"}))
	case map[string]hawser.Secret:
		v.Set(reflect.ValueOf(map[string]hawser.Secret{"ours.key": hawser.SecretRef("env:A"), "ours.c.ref": hawser.SecretRef("file:/b c")}))
	default:
		s.fillKind(v)
	}
}

func (s setting) fillKind(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("Ü 'x' - " + strings.ReplaceAll(s.name, ".", " "))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint16:
		v.SetUint(65535)
	case reflect.Int:
		v.SetInt(1<<31 - 1)
	}
}

// filled returns a connection of protocol in which every field is set that
// Validate takes beside those before it. Fields that exclude each other are set
// one forwards and the other backwards.
func filled(protocol hawser.Protocol, backwards bool) hawser.Connection {
	c := hawser.Connection{
		Name: fmt.Sprintf("%s, backwards %t", protocol, backwards), Protocol: protocol, Host: "ftp.example.com",
		Auth:  hawser.Auth{User: "jobs", Password: hawser.SecretRef("env:BANK_PASSWORD")},
		Proxy: hawser.Proxy{Type: hawser.ProxySOCKS5, Host: "proxy.example.com", User: "jobs"},
	}
	if protocol == hawser.FTP {
		c.TLS.Mode, c.FTP.Mode = hawser.TLSExplicit, hawser.Auto
	}
	if backwards { // the other way to log in
		c.Auth = hawser.Auth{User: "jobs", Anonymous: protocol == hawser.SFTP}
		c.Auth.Agent = protocol == hawser.SSH
	}
	all := settings()
	for i := range all {
		s := all[i]
		if backwards {
			s = all[len(all)-1-i]
		}
		changed := c.Clone()
		if s.name != "name" && s.name != "protocol" {
			s.fill(&changed)
		}
		if changed.Validate() == nil {
			c = changed
		}
	}
	return c
}

// filledAll are connections in which, taken together, every field is set.
func filledAll() []hawser.Connection {
	var conns []hawser.Connection
	for _, protocol := range []hawser.Protocol{hawser.FTP, hawser.SFTP, hawser.SSH, hawser.SMTP, "ours"} {
		conns = append(conns, filled(protocol, false), filled(protocol, true))
	}
	return conns
}
