package certs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// File returns a Store in the JSON file at path, for every process of this
// machine that names it: it is locked while it changes (by path + ".lock",
// which stays) and is replaced as a whole. It is made at the first change, with
// permissions 0600, and so is its directory, with 0700. Changes by others are
// seen at once, and fields that this version does not know are kept.
//
// A file that cannot be understood is an error, here and later, and is never
// written.
func File(path string) (Store, error) { return newFileStore(path, jsonFormat{}) }

// fileVersion is what the file says its form is.
const fileVersion = 1

// A document is the form of the file.
type document struct {
	Version   int               `json:"version"`
	Pins      []json.RawMessage `json:"pins"`
	Questions []json.RawMessage `json:"questions"`
}

type jsonFormat struct{}

func (jsonFormat) keepsQuestions() bool         { return true }
func (jsonFormat) perm(fs.FileMode) fs.FileMode { return newFilePerm }

func (jsonFormat) decode(data []byte) (*ledger, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, damaged("", err)
	}
	if d.Version > fileVersion {
		return nil, fmt.Errorf("written by a newer version of hawser (form %d, this one reads %d); use that version", d.Version, fileVersion)
	}
	if d.Version < 1 {
		return nil, damaged("", errors.New("no version"))
	}
	l := &ledger{raw: data}
	for i, raw := range d.Pins {
		e, err := decodePin(raw)
		if err != nil {
			return nil, damaged(fmt.Sprintf("pins[%d]: ", i), err)
		}
		l.entries = append(l.entries, e)
	}
	for i, raw := range d.Questions {
		q, err := decodeQuestion(raw)
		if err != nil {
			return nil, damaged(fmt.Sprintf("questions[%d]: ", i), err)
		}
		l.questions = append(l.questions, q)
	}
	return l, nil
}

func damaged(where string, err error) error {
	return fmt.Errorf("damaged: %s%w; mend it, restore it from a backup, or remove it and accept every server again", where, err)
}

func decodePin(raw []byte) (entry, error) {
	var p Pin
	if err := json.Unmarshal(raw, &p); err != nil {
		return entry{}, err
	}
	if kind := p.kind(); kind != KindSSH && kind != KindTLS {
		return entry{raw: raw}, nil // another version's
	}
	p, err := p.complete()
	if err != nil {
		return entry{}, err
	}
	ps, err := parsePatterns(p.Addr)
	return entry{pin: p, patterns: ps, raw: raw}, err
}

func decodeQuestion(raw []byte) (question, error) {
	q := question{raw: raw}
	if err := json.Unmarshal(raw, &q); err != nil {
		return question{}, err
	}
	if err := q.check(); err != nil {
		return question{}, err
	}
	for i, f := range q.Findings {
		if f.Index >= 0 && f.Index < len(q.Chain) {
			q.Findings[i].Cert = q.Chain[f.Index]
		}
	}
	if a, err := parseAddress(q.Addr); err != nil || a.String() != q.Addr {
		return question{}, fmt.Errorf("%q is not host:port in lower case", quoted(q.Addr))
	}
	if q.ID != questionID(q.Addr, q.Fingerprint) {
		return question{}, errors.New("the id is not that of the address and the fingerprint")
	}
	known := []decisionText{"", decisionText(Deny.String()), decisionText(AcceptOnce.String())}
	if !slices.Contains(known, q.Answer) {
		return question{}, fmt.Errorf("unknown answer %q", quoted(string(q.Answer)))
	}
	return q, nil
}

// check looks whether q is about what it shows: whoever answers is shown the
// fingerprint, and what gets pinned is the key.
func (q Question) check() error {
	switch kindOr(q.Kind) {
	case KindSSH:
		if q.Fingerprint != fingerprint(q.HostKey) {
			return errors.New("the fingerprint is not that of the host key")
		}
		return nil
	case KindTLS:
		if len(q.Chain) == 0 {
			return fmt.Errorf("no certificate, or one of more than %d bytes", maxChainSize)
		}
		if q.Fingerprint != Fingerprint(q.Chain[0]) {
			return errors.New("the fingerprint is not that of the first certificate")
		}
		return nil
	}
	return fmt.Errorf("unknown kind %q", quoted(q.Kind))
}

func (jsonFormat) encode(l *ledger) ([]byte, error) {
	d := document{Version: fileVersion, Pins: []json.RawMessage{}, Questions: []json.RawMessage{}}
	for _, e := range l.entries {
		raw, err := encodeObject(e.raw, e.pin, e.edited)
		if err != nil {
			return nil, err
		}
		d.Pins = append(d.Pins, raw)
	}
	for _, q := range l.questions {
		raw, err := encodeObject(q.raw, q, q.edited)
		if err != nil {
			return nil, err
		}
		d.Questions = append(d.Questions, raw)
	}
	raw, err := encodeObject(l.raw, d, true)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(raw, "", "  ")
	return append(data, '\n'), err
}

// encodeObject returns the fields of v, and those of raw that v does not have.
// What is not edited stays as it was read.
func encodeObject(raw []byte, v any, edited bool) (json.RawMessage, error) {
	if raw != nil && !edited {
		return raw, nil
	}
	data, err := json.Marshal(v)
	if err != nil || raw == nil {
		return data, err
	}
	var fields map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(raw, &fields), json.Unmarshal(data, &fields)); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
