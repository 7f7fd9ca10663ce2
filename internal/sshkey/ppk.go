package sshkey

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const (
	ppkPrefix    = "PuTTY-User-Key-File-"
	ppkPlain     = "none"
	ppkEncrypted = "aes256-cbc"
)

// ppkFile is a PuTTY private key file as it stands (PuTTY manual, appendix C).
// Nothing in it is to be trusted before [ppkFile.open] has verified the MAC.
type ppkFile struct {
	version    int
	algorithm  string
	encryption string // ppkPlain or ppkEncrypted
	comment    string
	public     []byte // in the encoding of SSH
	kdf        ppkKDF // only in an encrypted file of version 3
	private    []byte // encrypted or not
	mac        []byte
}

func isPPK(text []byte) bool {
	return bytes.HasPrefix(text, []byte(ppkPrefix))
}

// parsePPK reads the private key of a PuTTY file.
func parsePPK(text, passphrase []byte) (*loaded, error) {
	file, err := readPPK(text)
	if err != nil {
		return nil, err
	}
	private, err := file.open(passphrase)
	if err != nil {
		return nil, err
	}
	return ppkJoin(file.algorithm, file.public, private)
}

// readPPK reads the fields in the one order that PuTTY itself accepts.
func readPPK(text []byte) (*ppkFile, error) {
	r := newPPKReader(text)
	f := new(ppkFile)
	f.version, f.algorithm = r.header()
	f.encryption = r.encryption()
	f.comment = r.field("Comment")
	f.public = r.blob("Public-Lines")
	if f.version == 3 && f.encryption == ppkEncrypted {
		f.kdf = r.kdf()
	}
	f.private = r.blob("Private-Lines")
	f.mac = r.hex("Private-MAC")
	return f, r.err
}

// ppkReader reads a PuTTY file line by line. After the first error it returns
// zero values, and err keeps that first one.
type ppkReader struct {
	lines []string
	err   error
}

func newPPKReader(text []byte) *ppkReader {
	// PuTTY writes the line ends of its platform, and reads all of them.
	ends := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	return &ppkReader{lines: strings.Split(ends.Replace(string(text)), "\n")}
}

// fail keeps the first error. It takes care never to show a value of the file.
func (r *ppkReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: PuTTY file: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
}

func (r *ppkReader) line() string {
	if len(r.lines) == 0 {
		r.fail("it ends early: the file is damaged")
	}
	if r.err != nil {
		return ""
	}
	line := r.lines[0]
	r.lines = r.lines[1:]
	return line
}

// field returns the value of the next line, which must be that of name. The
// value is taken to the byte, for the MAC covers it.
func (r *ppkReader) field(name string) string {
	key, value, found := strings.Cut(r.line(), ":")
	if !found || key != name {
		r.fail("there is no %s where it should be: the file is damaged", name)
		return ""
	}
	return strings.TrimPrefix(value, " ")
}

func (r *ppkReader) header() (version int, algorithm string) {
	key, algorithm, _ := strings.Cut(r.line(), ":")
	switch key {
	case ppkPrefix + "2":
		version = 2
	case ppkPrefix + "3":
		version = 3
	default:
		r.fail("only versions 2 and 3 are supported: open it in PuTTYgen and save it again")
	}
	return version, strings.TrimPrefix(algorithm, " ")
}

func (r *ppkReader) encryption() string {
	name := r.field("Encryption")
	if name != ppkPlain && name != ppkEncrypted {
		r.fail("its cipher, %s, is not supported: open it in PuTTYgen and save it again", safeName(name))
	}
	return name
}

// number returns a field that must be from 1 to limit.
func (r *ppkReader) number(name string, limit int) int {
	n, err := strconv.Atoi(r.field(name))
	if err != nil || n < 1 || n > limit {
		r.fail("its %s is not from 1 to %d: open it in PuTTYgen and save it again", name, limit)
		return 0
	}
	return n
}

// blob returns the base64 lines that follow the field name, which counts them.
func (r *ppkReader) blob(name string) []byte {
	const perLine = 48 // bytes, in the 64 characters of a line
	count := r.number(name, maxKey/perLine)
	var text strings.Builder
	for range count {
		text.WriteString(r.line())
	}
	blob, err := base64.StdEncoding.DecodeString(text.String())
	if err != nil || len(blob) > maxKey {
		r.fail("its %s do not hold a key: the file is damaged", name)
		return nil
	}
	return blob
}

func (r *ppkReader) hex(name string) []byte {
	value, err := hex.DecodeString(r.field(name))
	if err != nil || len(value) == 0 {
		r.fail("its %s is not hexadecimal: the file is damaged", name)
		return nil
	}
	return value
}
