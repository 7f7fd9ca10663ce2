package sftp

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The types of packets (draft-ietf-secsh-filexfer-02, section 3).
const (
	fxpInit          = 1
	fxpVersion       = 2
	fxpOpen          = 3
	fxpClose         = 4
	fxpRead          = 5
	fxpWrite         = 6
	fxpLstat         = 7
	fxpFstat         = 8
	fxpSetstat       = 9
	fxpFsetstat      = 10
	fxpOpendir       = 11
	fxpReaddir       = 12
	fxpRemove        = 13
	fxpMkdir         = 14
	fxpRmdir         = 15
	fxpRealpath      = 16
	fxpStat          = 17
	fxpRename        = 18
	fxpReadlink      = 19
	fxpSymlink       = 20
	fxpStatus        = 101
	fxpHandle        = 102
	fxpData          = 103
	fxpName          = 104
	fxpAttrs         = 105
	fxpExtended      = 200
	fxpExtendedReply = 201
)

func packetName(kind byte) string {
	names := map[byte]string{
		fxpInit: "INIT", fxpVersion: "VERSION", fxpOpen: "OPEN", fxpClose: "CLOSE", fxpRead: "READ",
		fxpWrite: "WRITE", fxpLstat: "LSTAT", fxpFstat: "FSTAT", fxpSetstat: "SETSTAT", fxpFsetstat: "FSETSTAT",
		fxpOpendir: "OPENDIR", fxpReaddir: "READDIR", fxpRemove: "REMOVE", fxpMkdir: "MKDIR", fxpRmdir: "RMDIR",
		fxpRealpath: "REALPATH", fxpStat: "STAT", fxpRename: "RENAME", fxpReadlink: "READLINK", fxpSymlink: "SYMLINK",
		fxpStatus: "STATUS", fxpHandle: "HANDLE", fxpData: "DATA", fxpName: "NAME", fxpAttrs: "ATTRS",
		fxpExtended: "EXTENDED", fxpExtendedReply: "EXTENDED_REPLY",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return fmt.Sprintf("type %d", kind)
}

// describe says what a packet is in one line, by its head: the name, what it
// is about, and the request id, "OPEN /in/x.csv #f7". Ids with an f
// are of the engine, those without of pkg/sftp. It never shows content.
func describe(head []byte) string {
	if len(head) < 5 {
		return "malformed"
	}
	kind, id, rest := head[0], binary.BigEndian.Uint32(head[1:]), head[5:]
	text := packetName(kind)
	if about := subject(kind, rest); about != "" {
		text += " " + about
	}
	if id >= firstID {
		return fmt.Sprintf("%s #f%d", text, id-firstID)
	}
	return fmt.Sprintf("%s #%d", text, id)
}

// subject is what the packet is about.
func subject(kind byte, rest []byte) string {
	switch kind {
	case fxpRead, fxpWrite:
		handle, rest, ok := cutString(rest)
		if !ok || len(rest) < 12 {
			return "malformed"
		}
		return fmt.Sprintf("%s offset %d length %d", handleText(handle), binary.BigEndian.Uint64(rest), binary.BigEndian.Uint32(rest[8:]))
	case fxpData:
		return number("length", rest)
	case fxpName:
		return number("entries", rest)
	case fxpStatus:
		return statusText(rest)
	case fxpClose, fxpFstat, fxpFsetstat, fxpReaddir, fxpHandle:
		handle, _, _ := cutString(rest)
		return handleText(handle)
	case fxpRename, fxpSymlink:
		return texts(rest, 2)
	case fxpExtended:
		return extendedText(rest)
	case fxpAttrs, fxpExtendedReply:
		return ""
	}
	return texts(rest, 1)
}

func number(what string, rest []byte) string {
	if len(rest) < 4 {
		return "malformed"
	}
	return fmt.Sprintf("%s %d", what, binary.BigEndian.Uint32(rest))
}

// texts joins the first n strings of a packet. One that head holds only a part
// of is shown shortened.
func texts(rest []byte, n int) string {
	var parts []string
	for range n {
		text, more, ok := cutString(rest)
		if !ok {
			if len(rest) > 4 {
				parts = append(parts, string(rest[4:])+"...")
			}
			break
		}
		parts, rest = append(parts, string(text)), more
	}
	return strings.Join(parts, " ")
}

// extendedText shows the name of an extension and the paths of those that
// pkg/sftp asks for.
func extendedText(rest []byte) string {
	name, more, _ := cutString(rest)
	switch string(name) {
	case "posix-rename@openssh.com", "hardlink@openssh.com":
		return string(name) + " " + texts(more, 2)
	case "statvfs@openssh.com":
		return string(name) + " " + texts(more, 1)
	}
	return string(name)
}

func statusText(rest []byte) string {
	if len(rest) < 4 {
		return "malformed"
	}
	code := binary.BigEndian.Uint32(rest)
	text := statusName(code)
	if message, _, ok := cutString(rest[4:]); ok && len(message) > 0 && code > statusEOF {
		text += fmt.Sprintf(" %q", message)
	}
	return text
}

// handleText shows a handle, which only the server understands: OpenSSH's are
// small numbers, others are of any kind.
func handleText(handle []byte) string {
	if len(handle) == 4 {
		return fmt.Sprint(binary.BigEndian.Uint32(handle))
	}
	return fmt.Sprintf("%x", handle)
}
