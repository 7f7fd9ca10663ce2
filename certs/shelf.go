package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/hawser/hawser/internal/atomicfile"
)

// maxFileSize bounds what is read as a trust store, in bytes: some 100,000 keys.
const maxFileSize = 16 << 20

// A format is how a ledger is written to a file. What encode returns for what
// decode has read has all of it in it, understood or not.
type format interface {
	decode(data []byte) (*ledger, error)
	encode(l *ledger) ([]byte, error)
	keepsQuestions() bool // false: they are kept in memory
	perm(old fs.FileMode) fs.FileMode
}

// newFilePerm is what a file is created with: only its owner may say whom to trust.
const newFilePerm fs.FileMode = 0o600

// A fileShelf keeps a ledger in a file that other processes read and write too.
type fileShelf struct {
	path   string
	format format
	turn   chan struct{} // holds one token while an update runs

	mu        sync.Mutex // guards what follows
	data      []byte     // the content last read
	parsed    *ledger    // what data says; nil if nothing was read yet
	questions []question // of a format that does not keep them
}

// newFileStore reads path once, so that a damaged file is found at the start.
func newFileStore(path string, f format) (Store, error) {
	if path == "" {
		return nil, errors.New("trust store: no path; name a file, or use Memory")
	}
	s := &fileShelf{path: path, format: f, turn: make(chan struct{}, 1)}
	if _, err := s.view(context.Background()); err != nil {
		return nil, err
	}
	return &ledgerStore{shelf: s, needsKey: !f.keepsQuestions()}, nil
}

// view reads the file every time, which costs little beside a dial, and parses
// it if a byte has changed: times of change are too coarse to rely on.
func (s *fileShelf) view(ctx context.Context) (*ledger, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := atomicfile.Read(s.path, maxFileSize)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, fmt.Errorf("trust store: %w", err)
	}
	if err := s.parse(data, missing); err != nil {
		return nil, fmt.Errorf("trust store %s: %w", s.path, err)
	}
	l := *s.parsed
	if !s.format.keepsQuestions() {
		l.questions = s.questions
	}
	return &l, nil
}

// parse brings s.parsed up to date. The caller holds s.mu.
func (s *fileShelf) parse(data []byte, missing bool) error {
	if missing {
		s.data, s.parsed = nil, &ledger{}
		return nil
	}
	if s.parsed != nil && s.data != nil && bytes.Equal(data, s.data) {
		return nil
	}
	l, err := s.format.decode(data)
	if err != nil {
		return err
	}
	s.data, s.parsed = data, l
	return nil
}

// update tries change without the lock of the file first: where that leaves the
// file as it is, nothing need be writable, nor even there.
func (s *fileShelf) update(ctx context.Context, change func(*ledger) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l, err := s.apply(ctx, change)
	if err != nil {
		return err
	}
	if s.mustWrite(l) {
		return s.write(ctx, change)
	}
	s.settle(l, nil)
	return nil
}

func (s *fileShelf) apply(ctx context.Context, change func(*ledger) error) (*ledger, error) {
	old, err := s.view(ctx)
	if err != nil {
		return nil, err
	}
	l := old.clone()
	return l, change(l)
}

func (s *fileShelf) mustWrite(l *ledger) bool {
	return l.pinsChanged || l.questionsChanged && s.format.keepsQuestions()
}

// settle remembers l as what the file holds, if data was written to it, and the
// questions of l, if the file does not keep them.
func (s *fileShelf) settle(l *ledger, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data != nil {
		s.data, s.parsed = data, l
	}
	if !s.format.keepsQuestions() {
		s.questions = l.questions
	}
}

// write applies change to the file as it is under its lock.
func (s *fileShelf) write(ctx context.Context, change func(*ledger) error) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("trust store: %w", err)
	}
	unlock, err := atomicfile.Lock(ctx, s.path)
	if err != nil {
		return s.unlessEnded(ctx, err)
	}
	defer unlock()
	l, err := s.apply(ctx, change)
	if err != nil {
		return err
	}
	var data []byte
	if s.mustWrite(l) {
		if data, err = s.format.encode(l); err != nil {
			return fmt.Errorf("trust store %s: %w", s.path, err)
		}
		if err := atomicfile.Write(s.path, data, s.permission()); err != nil {
			return fmt.Errorf("trust store: %w", err)
		}
	}
	s.settle(l, data)
	return nil
}

func (s *fileShelf) unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("trust store: %w", err)
}

func (s *fileShelf) permission() fs.FileMode {
	info, err := os.Stat(s.path)
	if err != nil {
		return newFilePerm
	}
	return s.format.perm(info.Mode().Perm())
}
