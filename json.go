package hawser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// MarshalJSON writes the stored form of c: the fields that are set, durations
// as text such as "45s", references of secrets, and a mask for each literal
// secret.
func (c Connection) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if err := encodeGroup(&b, reflect.ValueOf(c)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func encodeGroup(b *bytes.Buffer, group reflect.Value) error {
	b.WriteByte('{')
	first := true
	for i := range group.NumField() {
		f := group.Type().Field(i)
		name := storedName(f)
		if name == "" || group.Field(i).IsZero() && strings.Contains(f.Tag.Get("json"), ",omit") {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		fmt.Fprintf(b, "%q:", name)
		if err := encodeValue(b, group.Field(i)); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func encodeValue(b *bytes.Buffer, v reflect.Value) error {
	if isGroup(v.Type()) {
		return encodeGroup(b, v)
	}
	value := v.Interface()
	if d, ok := value.(time.Duration); ok {
		value = d.String()
	}
	text, err := json.Marshal(value)
	b.Write(text)
	return err
}

// UnmarshalJSON reads the stored form of a Connection and nothing else: a
// field that is unknown, given twice or of the wrong kind is a [FieldError]
// that names it. c is unchanged by an error.
func (c *Connection) UnmarshalJSON(b []byte) error {
	// The walk below asks tokens one by one, so it would not see what is wrong
	// behind the last.
	if err := json.Unmarshal(b, new(json.RawMessage)); err != nil {
		return err
	}
	var read Connection
	d := json.NewDecoder(bytes.NewReader(b))
	if err := decodeGroup(d, "", reflect.ValueOf(&read).Elem()); err != nil {
		return err
	}
	*c = read
	return nil
}

func decodeGroup(d *json.Decoder, prefix string, group reflect.Value) error {
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return &FieldError{Field: strings.TrimSuffix(prefix, "."), Problem: "want an object"}
	}
	members := groupMembers(group)
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name := token.(string) // a key: Token gives a string or an error
		v, ok := members[name]
		if !ok {
			return unknownMember(prefix, name, members)
		}
		if seen[name] {
			return &FieldError{Field: prefix + name, Problem: "given twice"}
		}
		seen[name] = true
		if err := decodeValue(d, prefix+name, v); err != nil {
			return err
		}
	}
	_, err := d.Token() // the closing brace
	return err
}

func groupMembers(group reflect.Value) map[string]reflect.Value {
	members := map[string]reflect.Value{}
	for i := range group.NumField() {
		if name := storedName(group.Type().Field(i)); name != "" {
			members[name] = group.Field(i)
		}
	}
	return members
}

// unknownMember may also suggest a group, where group is what it stands in.
func unknownMember(prefix, name string, members map[string]reflect.Value) error {
	known := fieldNames()
	for _, member := range slices.Sorted(maps.Keys(members)) {
		known = append(known, prefix+member)
	}
	return &FieldError{Field: prefix + name, Problem: "unknown field" + suggest(prefix+name, known)}
}

func unknownField(name string) error {
	return &FieldError{Field: name, Problem: "unknown field" + suggest(name, fieldNames())}
}

func decodeValue(d *json.Decoder, name string, v reflect.Value) error {
	if isGroup(v.Type()) {
		return decodeGroup(d, name+".", v)
	}
	switch v.Kind() {
	case reflect.Slice:
		return decodeList(d, name, v)
	case reflect.Map:
		return decodeMap(d, name, v)
	}
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return err
	}
	if string(raw) == "null" {
		return nullValue(name)
	}
	if isDuration(v.Type()) {
		return decodeDuration(raw, name, v)
	}
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		return &FieldError{Field: name, Problem: wrongKind(v, err)}
	}
	return nil
}

func nullValue(name string) error {
	return &FieldError{Field: name, Problem: "null is not a value; leave the field out"}
}

func decodeList(d *json.Decoder, name string, v reflect.Value) error {
	if err := decodeOpen(d, '[', name, "want a list of texts"); err != nil {
		return err
	}
	for i := 0; d.More(); i++ {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decodeValue(d, fmt.Sprintf("%s[%d]", name, i), item); err != nil {
			return err
		}
		v.Set(reflect.Append(v, item))
	}
	_, err := d.Token() // the closing bracket
	return err
}

func decodeMap(d *json.Decoder, name string, v reflect.Value) error {
	want := "want an object of texts"
	if v.Type().Elem() == reflect.TypeFor[Secret]() {
		want = "want an object of secrets"
	}
	if err := decodeOpen(d, '{', name, want); err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key := reflect.ValueOf(token) // a string, as in decodeGroup
		if v.MapIndex(key).IsValid() {
			return &FieldError{Field: name + "." + key.String(), Problem: "given twice"}
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decodeValue(d, name+"."+key.String(), item); err != nil {
			return err
		}
		v.SetMapIndex(key, item)
	}
	_, err := d.Token() // the closing brace
	return err
}

func decodeOpen(d *json.Decoder, delim json.Delim, name, problem string) error {
	token, err := d.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return nullValue(name)
	case token != delim:
		return &FieldError{Field: name, Problem: problem}
	}
	return nil
}

func decodeDuration(raw json.RawMessage, name string, v reflect.Value) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return &FieldError{Field: name, Problem: `want a duration as text, such as "45s"`}
	}
	return setDuration(name, text, v)
}

func setDuration(name, text string, v reflect.Value) error {
	duration, err := time.ParseDuration(text)
	if err != nil {
		return &FieldError{Field: name, Problem: fmt.Sprintf(`%q is not a duration; want one such as "45s" or "1m30s"`, text)}
	}
	v.SetInt(int64(duration))
	return nil
}

// wrongKind says what the field v wants. It never quotes the value, which may
// be a secret that stands in the wrong place.
func wrongKind(v reflect.Value, err error) string {
	switch v.Kind() {
	case reflect.Uint16:
		return "want a port number, 1 to 65535"
	case reflect.Int:
		return "want a whole number"
	case reflect.Bool:
		return "want true or false"
	case reflect.String:
		return "want text in quotes"
	}
	return err.Error() // of a Secret
}
