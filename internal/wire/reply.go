package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

const (
	maxLine  = 8 << 10   // bytes of a reply's line; RFC 5321 wants 512
	maxReply = 256 << 10 // bytes of a reply: some answer with a listing
)

// errMalformed says that what came is no reply.
var errMalformed = errors.New("malformed reply")

// A Reply is what a server answers (RFC 959, section 4.2; RFC 5321, section 4.2).
type Reply struct {
	Code  int
	Lines []string // as they came, but for their ends
}

// Class is the first digit of the code: 1 preliminary, 2 done, 3 go on, 4 not
// now, 5 never.
func (r Reply) Class() int { return r.Code / 100 }

// Text is what the lines say, without the code, on one line.
func (r Reply) Text() string {
	texts := slices.DeleteFunc(r.Texts(), func(text string) bool { return text == "" })
	return strings.Join(texts, " ")
}

// Texts are what the lines say, without the code and the space around it. There is
// one at least.
func (r Reply) Texts() []string {
	texts := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		texts[i] = strings.TrimSpace(r.strip(line))
	}
	return texts
}

// Body is the lines between the first and the last of a reply of several, each
// without the code that some servers repeat on it.
func (r Reply) Body() []string {
	if len(r.Lines) < 3 {
		return nil
	}
	var body []string
	for _, line := range r.Lines[1 : len(r.Lines)-1] {
		body = append(body, r.strip(line))
	}
	return body
}

// strip removes the code and what follows it from the front of a line.
func (r Reply) strip(line string) string {
	rest, ok := strings.CutPrefix(line, fmt.Sprintf("%03d", r.Code))
	switch {
	case !ok:
		return line
	case rest == "":
		return ""
	case rest[0] == '-' || rest[0] == ' ':
		return rest[1:]
	}
	return line
}

// String is the code and the text, printable.
func (r Reply) String() string {
	return strings.TrimSpace(fmt.Sprintf("%03d %s", r.Code, hawser.Printable(r.Text())))
}

// readReply reads lines up to the last one of a reply. The lines between may be
// anything: vsftpd repeats the code on each, ProFTPD begins them with a space,
// and some texts begin with another number. Only the code and a space end it, or
// the code alone, which some servers leave it at.
func readReply(readLine func() (string, error)) (Reply, error) {
	line, err := readLine()
	if err != nil {
		return Reply{}, err
	}
	code, more, err := parseFirst(line)
	if err != nil {
		return Reply{}, err
	}
	r := Reply{Code: code, Lines: []string{line}}
	prefix, size := line[:3], len(line)
	for more {
		if line, err = readLine(); err != nil {
			return Reply{}, err
		}
		if size += len(line) + 1; size > maxReply {
			return Reply{}, fmt.Errorf("%w: more than %d bytes", errMalformed, maxReply)
		}
		r.Lines = append(r.Lines, line)
		more = line != prefix && !strings.HasPrefix(line, prefix+" ")
	}
	return r, nil
}

func parseFirst(line string) (code int, more bool, err error) {
	if len(line) < 3 || !isDigits(line[:3]) || line[0] < '1' || line[0] > '5' || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		const most = 200
		err := fmt.Errorf("%w: %q", errMalformed, line[:min(len(line), most)])
		return 0, false, opening.WithHint(err, opening.Stranger(opening.Lines, []byte(line)))
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	return code, len(line) > 3 && line[3] == '-', nil
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
