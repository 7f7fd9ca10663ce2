package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// Put stores c with its literal secrets sealed; see [hawser.Writer]. What is
// stored already is left as it is, with its revision.
func (r *Registry) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	if err := r.check(ctx); err != nil {
		return hawser.Connection{}, err
	}
	if err := validate(c); err != nil {
		return hawser.Connection{}, err
	}
	what := fmt.Sprintf("put %q", c.Name)
	before, err := r.get(ctx, what, c.Name)
	if err != nil {
		return hawser.Connection{}, err
	}
	if err := compare(c.Name, c.Revision, before); err != nil {
		return hawser.Connection{}, err
	}
	c = c.Clone()
	c.Hops = nil
	after := &mvccpb.KeyValue{Key: []byte(r.key(c.Name))}
	if after.Value, err = r.header.sealer.Marshal(c, before.GetValue()); err != nil {
		return hawser.Connection{}, err
	}
	// What could not be read again must not be stored.
	if _, err := r.connection(after); err != nil {
		return hawser.Connection{}, err
	}
	if bytes.Equal(after.Value, before.GetValue()) {
		after.ModRevision = before.ModRevision
	} else if after.ModRevision, err = r.store(ctx, what, c, after); err != nil {
		return hawser.Connection{}, err
	}
	r.version.Add(1)
	return r.connection(after)
}

// store returns the new revision.
func (r *Registry) store(ctx context.Context, what string, c hawser.Connection, after *mvccpb.KeyValue) (int64, error) {
	conditions := r.header.stands()
	if c.Revision != hawser.AnyRevision {
		conditions = append(conditions, clientv3.Compare(clientv3.ModRevision(string(after.Key)), "=", expected(c.Revision)))
	}
	now, err := r.change(ctx, what, c.Name, conditions, clientv3.OpPut(string(after.Key), string(after.Value)))
	switch {
	case err != nil:
		return 0, err
	case now.revision != 0:
		return now.revision, nil
	case r.header.text != "" && now.header != r.header.text:
		return 0, fmt.Errorf("etcd: %s: %w: the registry was sealed anew since it was opened; open it again", what, seal.ErrKey)
	}
	if err := compare(c.Name, c.Revision, now.stored); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%w: %q is being changed at the same time", hawser.ErrConflict, c.Name)
}

// Delete removes name; see [hawser.Writer].
func (r *Registry) Delete(ctx context.Context, name, revision string) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	if revision == "" {
		return &hawser.FieldError{Field: "revision", Problem: "give the stored revision, or AnyRevision to delete whatever is stored"}
	}
	if name == "" {
		return fmt.Errorf("%w: %q", hawser.ErrNotFound, name)
	}
	is := clientv3.Compare(clientv3.ModRevision(r.key(name)), "=", expected(revision))
	if revision == hawser.AnyRevision {
		is = clientv3.Compare(clientv3.ModRevision(r.key(name)), ">", 0)
	}
	now, err := r.change(ctx, fmt.Sprintf("delete %q", name), name, []clientv3.Cmp{is}, clientv3.OpDelete(r.key(name)))
	switch {
	case err != nil || now.revision != 0:
		return err
	case now.stored == nil:
		return fmt.Errorf("%w: %q", hawser.ErrNotFound, name)
	}
	return compare(name, revision, now.stored)
}

// An outcome is what a change came to.
type outcome struct {
	revision int64            // that it made; 0 if a condition did not hold, and then
	stored   *mvccpb.KeyValue // what is stored for the name, nil for nothing
	header   string           // as it is stored
}

// change makes a change to name if the conditions hold.
func (r *Registry) change(ctx context.Context, what, name string, conditions []clientv3.Cmp, op clientv3.Op) (outcome, error) {
	// Also a change that got no answer may have been made, or will be.
	defer r.version.Add(1)
	done, err := ask(ctx, r.client, what, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return r.client.Txn(ctx).If(conditions...).Then(op).
			Else(clientv3.OpGet(r.key(name)), clientv3.OpGet(r.header.key)).
			Commit()
	})
	switch {
	case err != nil:
		return outcome{}, err
	case done.Succeeded:
		return outcome{revision: done.Header.Revision}, nil
	}
	var now outcome
	if found := done.Responses[0].GetResponseRange().Kvs; len(found) > 0 {
		now.stored = found[0]
	}
	if found := done.Responses[1].GetResponseRange().Kvs; len(found) > 0 {
		now.header = string(found[0].Value)
	}
	return now, nil
}

// validate reports every problem of c at once. JSON would replace what is not UTF-8;
// a literal secret, which is sealed byte by byte, prints as a mask here.
func validate(c hawser.Connection) error {
	var problems []error
	if c.Name == "" {
		problems = append(problems, &hawser.FieldError{Field: "name", Problem: "is empty; jobs find a connection by its name"})
	}
	c.Hops = nil
	for field, value := range reflect.ValueOf(c).Fields() {
		if !utf8.ValidString(fmt.Sprint(value.Interface())) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			problems = append(problems, &hawser.FieldError{Field: name, Problem: "has text that is not UTF-8, and cannot be stored"})
		}
	}
	return errors.Join(append(problems, c.Validate())...)
}

// expected is a revision as etcd counts, 0 for what must not be there, and one
// that nothing has for what is no revision.
func expected(revision string) int64 {
	const none = -1
	if revision == "" {
		return 0
	}
	n, err := strconv.ParseInt(revision, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != revision {
		return none
	}
	return n
}

// compare says whether a change that expects revision may be made to what is stored.
func compare(name, revision string, stored *mvccpb.KeyValue) error {
	found := stored.GetModRevision()
	switch {
	case revision == hawser.AnyRevision || expected(revision) == found:
		return nil
	case revision == "":
		return fmt.Errorf("%w: %q exists already, at revision %d", hawser.ErrConflict, name, found)
	case found == 0:
		return fmt.Errorf("%w: %q was deleted, and was to be at revision %s", hawser.ErrConflict, name, hawser.Printable(revision))
	}
	return fmt.Errorf("%w: %q is at revision %d, not %s", hawser.ErrConflict, name, found, hawser.Printable(revision))
}
