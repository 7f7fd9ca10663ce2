package hawser

import (
	"iter"
	"reflect"
	"strings"
	"time"
)

// A field is one leaf of a Connection: a value that is stored under one name.
// The stored form, URLs and Validate all go by fields, so that a name means
// the same everywhere.
type field struct {
	name  string        // stored name, "tls.min_version"
	value reflect.Value // addressable
}

// fields yields every leaf of c in the order of its definition.
func (c *Connection) fields() iter.Seq[field] {
	return func(yield func(field) bool) {
		walkFields("", reflect.ValueOf(c).Elem(), yield)
	}
}

func walkFields(prefix string, v reflect.Value, yield func(field) bool) bool {
	for i := range v.NumField() {
		name := storedName(v.Type().Field(i))
		if name == "" {
			continue
		}
		if isGroup(v.Field(i).Type()) {
			if !walkFields(prefix+name+".", v.Field(i), yield) {
				return false
			}
		} else if !yield(field{name: prefix + name, value: v.Field(i)}) {
			return false
		}
	}
	return true
}

// field returns the leaf called name.
func (c *Connection) field(name string) (field, bool) {
	for f := range c.fields() {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// storedName is the name in f's json tag, "" for a field that is not stored.
func storedName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}

// isGroup reports whether t is a struct whose fields are stored one by one.
func isGroup(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Secret]()
}

func isDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }

// fieldNames returns the names of all leaves, for suggestions.
func fieldNames() []string {
	var c Connection
	var names []string
	for f := range c.fields() {
		names = append(names, f.name)
	}
	return names
}
