package certs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// maxQuestions bounds the questions without an answer, and those with one,
// since whoever sits between could present a new key at every dial.
const maxQuestions = 100

// A ledger is everything that a store holds: the one place where pins and
// questions are looked up and changed. It is not safe for concurrent use.
type ledger struct {
	entries   []entry
	questions []question // oldest first
	raw       []byte     // what else the file holds; nil if nothing

	pinsChanged, questionsChanged bool // since clone
}

// An entry is a pin as it is kept. One without a Fingerprint is no pin: a
// comment of known_hosts, or of a kind that this version does not know.
type entry struct {
	pin      Pin
	patterns patterns // of pin.Addr
	raw      []byte   // as read; nil if the entry is new
	edited   bool     // pin.Addr is no longer what raw says
}

// A question is a Question as it is kept, with the answer if that is one to
// remember. AcceptAlways never is: it becomes a pin.
type question struct {
	ID string `json:"id"`
	Question
	Answer  decisionText `json:"answer"`
	By      string       `json:"by,omitzero"`      // who answered
	Comment string       `json:"comment,omitzero"` // of the answer
	raw     []byte       // as read; nil if new
	edited  bool         // no longer what raw says
}

// A decisionText is the String of a [Decision], or "" for none.
type decisionText string

func (q question) equal(o Question) bool {
	sameFinding := func(a, b Finding) bool {
		return a.Anomaly == b.Anomaly && a.Index == b.Index && a.Detail == b.Detail
	}
	return q.Connection == o.Connection && q.Addr == o.Addr && q.Fingerprint == o.Fingerprint &&
		q.Reason == o.Reason && bytes.Equal(q.HostKey, o.HostKey) && slices.Equal(q.Known, o.Known) &&
		slices.EqualFunc(q.Findings, o.Findings, sameFinding)
}

// clone returns q with nothing that a change of it could change in q.
func (q Question) clone() Question {
	q.Known, q.HostKey = slices.Clone(q.Known), slices.Clone(q.HostKey)
	q.Chain, q.Findings = slices.Clone(q.Chain), slices.Clone(q.Findings)
	return q
}

// clone returns a ledger that can be changed without changing l.
func (l *ledger) clone() *ledger {
	return &ledger{entries: slices.Clone(l.entries), questions: slices.Clone(l.questions), raw: l.raw}
}

// pins returns what applies to a, and what is revoked.
func (l *ledger) pins(a address) []Pin {
	var found []Pin
	for _, e := range l.entries {
		if e.pin.Fingerprint != "" && (e.pin.Revoked || e.patterns.match(a)) {
			found = append(found, e.pin.clone())
		}
	}
	return found
}

// all returns every pin.
func (l *ledger) all() []Pin {
	var found []Pin
	for _, e := range l.entries {
		if e.pin.Fingerprint != "" {
			found = append(found, e.pin.clone())
		}
	}
	return found
}

// add keeps p, which is complete, in place of the pins of instead.
func (l *ledger) add(p Pin, instead []Pin) error {
	ps, err := parsePatterns(p.Addr)
	if err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	for _, old := range instead {
		if !old.same(p) || old.Addr != p.Addr {
			l.remove(old)
		}
	}
	l.dropQuestions(p)
	if slices.ContainsFunc(l.entries, func(e entry) bool { return e.covers(p) }) {
		return nil
	}
	l.entries = append(l.entries, entry{pin: p.clone(), patterns: ps})
	l.pinsChanged = true
	return nil
}

// covers reports whether p is kept already: under its own name, or under
// patterns that match its address.
func (e entry) covers(p Pin) bool {
	if !e.pin.same(p) {
		return false
	}
	a, err := parseAddress(p.Addr)
	return e.pin.Addr == p.Addr || err == nil && e.patterns.match(a)
}

// dropQuestions forgets the questions that p settles, and, of a host key, the
// open ones and the AcceptOnce about other keys of its type, which were given
// when something else was known.
func (l *ledger) dropQuestions(p Pin) {
	a, err := parseAddress(p.Addr)
	if err != nil || p.CA || p.Revoked {
		return
	}
	before := len(l.questions)
	l.questions = slices.DeleteFunc(l.questions, func(q question) bool {
		if q.Addr != a.String() || kindOr(q.Kind) != p.kind() {
			return false
		}
		denied := q.Answer == decisionText(Deny.String())
		return q.Fingerprint == p.Fingerprint ||
			p.kind() == KindSSH && !denied && q.KeyType() == keyType(p.HostKey)
	})
	l.questionsChanged = l.questionsChanged || len(l.questions) != before
}

// remove removes what p says from the entries that hold it.
func (l *ledger) remove(p Pin) {
	a, err := parseAddress(p.Addr)
	isAddress := err == nil
	var rest []entry
	for _, e := range l.entries {
		switch {
		case !e.pin.same(p):
		case e.pin.Addr == p.Addr:
			l.pinsChanged = true
			continue
		case isAddress && e.patterns.match(a):
			l.pinsChanged = true
			if e = e.without(a); e.pin.Addr == "" {
				continue
			}
		}
		rest = append(rest, e)
	}
	l.entries = rest
}

// without returns e as it applies to all but a; its Addr is "" if to nothing.
func (e entry) without(a address) entry {
	e.pin.Addr = e.patterns.without(a)
	e.edited = true
	if e.pin.Addr != "" {
		// What parsed before parses without one of its names.
		e.patterns, _ = parsePatterns(e.pin.Addr)
	}
	return e
}

// ask keeps q and returns its id. A question that was denied stays so.
func (l *ledger) ask(q Question) string {
	id := questionID(q.Addr, q.Fingerprint)
	i := l.find(id)
	if i < 0 {
		l.questions = append(l.questions, question{ID: id, Question: q})
		l.bound()
		l.questionsChanged = true
		return id
	}
	if !l.questions[i].equal(q) {
		l.questions[i].Question = q
		l.questions[i].edited = true
		l.questionsChanged = true
	}
	return id
}

// questionID is the same for every connection to an address, because one
// answer serves them all.
func questionID(addr, fingerprint string) string {
	sum := sha256.Sum256([]byte(addr + "\n" + fingerprint))
	return hex.EncodeToString(sum[:8])
}

func (l *ledger) find(id string) int {
	return slices.IndexFunc(l.questions, func(q question) bool { return q.ID == id })
}

// bound drops the oldest questions that are too many, the open ones and the
// answered ones apart, so that a flood of questions undoes no answer.
func (l *ledger) bound() {
	open, answered := 0, 0
	for _, q := range l.questions {
		if q.Answer == "" {
			open++
		} else {
			answered++
		}
	}
	l.questions = slices.DeleteFunc(l.questions, func(q question) bool {
		n := &open
		if q.Answer != "" {
			n = &answered
		}
		if *n <= maxQuestions {
			return false
		}
		*n--
		return true
	})
}

// answer gives a to the question with this id, at the time now.
func (l *ledger) answer(id string, a Answer, now time.Time) error {
	i := l.find(id)
	if i < 0 {
		return fmt.Errorf("no question %q; it was answered for good or dropped: %w", id, fs.ErrNotExist)
	}
	switch a.Decision {
	case AcceptAlways:
		q := l.questions[i].Question
		return l.add(pinOf(q, a, now), replaced(l, q))
	case AcceptOnce, Deny:
		q := l.questions[i]
		q.Answer, q.By, q.Comment = decisionText(a.Decision.String()), a.By, a.Comment
		q.edited = true
		l.questions = append(slices.Delete(l.questions, i, i+1), q)
		l.bound()
		l.questionsChanged = true
		return nil
	}
	return errors.New("invalid decision; want Deny, AcceptOnce or AcceptAlways")
}

// replaced returns what a pin of q replaces.
func replaced(l *ledger, q Question) []Pin {
	a, err := parseAddress(q.Addr)
	if err != nil {
		return nil
	}
	return sameType(l.pins(a), q)
}

// take returns the answer that was given for q and uses AcceptOnce up.
func (l *ledger) take(q Question) (a Answer, ok bool) {
	i := l.find(questionID(q.Addr, q.Fingerprint))
	if i < 0 {
		return Answer{}, false
	}
	a = Answer{By: l.questions[i].By, Comment: l.questions[i].Comment}
	switch l.questions[i].Answer {
	case decisionText(AcceptOnce.String()):
		l.questions = slices.Delete(l.questions, i, i+1)
		l.questionsChanged = true
		a.Decision = AcceptOnce
		return a, true
	case decisionText(Deny.String()):
		return a, true
	}
	return Answer{}, false
}
