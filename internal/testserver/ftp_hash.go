package testserver

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"regexp"
	"slices"
	"strings"
)

// hashNames are what HASH knows (draft-ietf-ftpext2-hash, section 3).
func hashNames() []string { return []string{"CRC32", "MD5", "SHA-1", "SHA-256", "SHA-512"} }

// newHash makes one of hashNames.
func newHash(name string) hash.Hash {
	switch name {
	case "CRC32":
		return crc32.NewIEEE()
	case "MD5":
		return md5.New()
	case "SHA-1":
		return sha1.New()
	case "SHA-512":
		return sha512.New()
	}
	return sha256.New()
}

// ftpHashCommands are HASH and what servers had before it.
func ftpHashCommands() map[string]ftpCommand {
	commands := map[string]ftpCommand{"HASH": {run: ftpHASH, argument: true}}
	for verb, name := range map[string]string{
		"XCRC": "CRC32", "XMD5": "MD5", "XSHA1": "SHA-1", "XSHA256": "SHA-256", "XSHA512": "SHA-512",
	} {
		commands[verb] = ftpCommand{argument: true, run: func(_ context.Context, s *ftpSession, arg string) {
			file, from, to, err := hashRange(arg)
			if err != nil {
				s.reply(501, err.Error())
				return
			}
			sum, _, err := s.sum(name, file, from, to)
			if err != nil {
				s.refuse(err)
				return
			}
			s.reply(250, strings.ToUpper(sum))
		}}
	}
	return commands
}

func (s *ftpSession) chooseHash(name string) {
	if name != "" {
		if !slices.Contains(hashNames(), strings.ToUpper(name)) {
			s.reply(501, "unknown algorithm")
			return
		}
		s.hash = strings.ToUpper(name)
	}
	s.reply(200, s.hash)
}

func ftpHASH(_ context.Context, s *ftpSession, name string) {
	sum, size, err := s.sum(s.hash, name, 0, -1)
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(213, fmt.Sprintf("%s 0-%d %s %s", s.hash, size, sum, name))
}

// hashRange splits "name", "name from to", and the same with the name in quotes. A negative to is the end of the file.
func hashRange(arg string) (name string, from, to int64, err error) {
	name, rest := arg, ""
	if inner, ok := strings.CutPrefix(arg, `"`); ok {
		name, rest, _ = strings.Cut(inner, `"`)
	} else if found := regexp.MustCompile(`^(.+) (\d+ \d+)$`).FindStringSubmatch(arg); found != nil {
		name, rest = found[1], found[2]
	}
	if rest = strings.TrimSpace(rest); rest == "" {
		return name, 0, -1, nil
	}
	if _, err := fmt.Sscanf(rest, "%d %d", &from, &to); err != nil || from < 0 || to < from {
		return "", 0, 0, errors.New("want a range of bytes")
	}
	return name, from, to, nil
}

// sum hashes a file from an offset up to another, which is the end if it is negative.
func (s *ftpSession) sum(algorithm, name string, from, to int64) (sum string, size int64, err error) {
	f, err := s.server.root.Open(s.path(name))
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, errNotRegular
	}
	if to < 0 {
		to = info.Size()
	}
	h := newHash(algorithm)
	_, err = io.Copy(h, io.NewSectionReader(f, from, to-from))
	return hex.EncodeToString(h.Sum(nil)), info.Size(), err
}
