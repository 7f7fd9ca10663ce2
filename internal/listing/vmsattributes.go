package listing

import (
	"io/fs"
	"regexp"
	"strings"

	"github.com/hawser/hawser"
)

var vmsOwner = regexp.MustCompile(`^[A-Za-z][\w$]*$`)

// vmsAttributes reads what stands behind a name: the blocks in use and perhaps
// those allocated, a day, perhaps a time, an owner and a protection, in any
// order, or why this login is not told.
func vmsAttributes(text string, e *Entry) (date, bool) {
	if strings.Contains(strings.ToLower(text), "privilege") {
		return date{}, true
	}
	text, mode, ok := cutProtection(text)
	if !ok {
		return date{}, false
	}
	e.mode |= mode
	text = cutUIC(text, e.attributes)
	var when date
	words := strings.Fields(text)
	for _, word := range words {
		if !vmsWord(word, e, &when) {
			return date{}, false
		}
	}
	return when, when.month != 0 && len(words) <= 4
}

// vmsWord reads one word of the attributes.
func vmsWord(word string, e *Entry, when *date) bool {
	if c, resolution, ok := parseClock(word); ok {
		when.clock, when.resolution = c, resolution
		return true
	}
	if d, ok := parseNamedDay(word); ok {
		when.year, when.month, when.day = d.year, d.month, d.day
		if when.resolution == 0 {
			when.resolution = oneDay
		}
		return true
	}
	used, allocated, both := strings.Cut(word, "/")
	if blocks, ok := parseDigits(used, 1, 10, 1<<40); ok {
		_, ok = parseDigits(allocated, 1, 10, 1<<40)
		e.size = int64(blocks) * 512
		return ok || !both
	}
	if size, ok := parseUnits(word); ok {
		e.size = size.n
		return true
	}
	if vmsOwner.MatchString(word) && e.attributes.Owner == "" {
		e.attributes.Owner = word
		return true
	}
	return false
}

// cutProtection cuts "(RWED,RWED,RE,)" off the end: what system, owner, group
// and world may do. Unix has nothing like the first.
func cutProtection(text string) (rest string, mode fs.FileMode, ok bool) {
	rest, protection, ok := strings.Cut(text, "(")
	if !ok {
		return text, 0, true
	}
	protection, ok = strings.CutSuffix(strings.TrimRight(protection, " \t"), ")")
	classes := strings.Split(protection, ",")
	if !ok || len(classes) > 4 {
		return text, 0, false
	}
	for i, class := range classes {
		class = strings.ToUpper(strings.TrimSpace(class))
		if strings.Trim(class, "RWED") != "" {
			return text, 0, false
		}
		if i == 0 {
			continue
		}
		for bit, letter := range "EWR" {
			if strings.ContainsRune(class, letter) {
				mode |= 1 << (bit + 3*(3-i))
			}
		}
	}
	return rest, mode, true
}

// cutUIC cuts "[GROUP,OWNER]" out of text. Some servers cut it off themselves,
// at a width that hides the closing bracket.
func cutUIC(text string, to *hawser.FileAttributes) string {
	before, uic, ok := strings.Cut(text, "[")
	if !ok {
		return text
	}
	uic, after, closed := strings.Cut(uic, "]")
	if !closed {
		uic, after, _ = strings.Cut(uic, " ")
	}
	group, owner, both := strings.Cut(uic, ",")
	if !both {
		group, owner = "", uic
	}
	to.Owner, to.Group = strings.TrimSpace(owner), strings.TrimSpace(group)
	return before + " " + after
}

// cutSuffixFold is strings.CutSuffix without regard to case, for ASCII.
func cutSuffixFold(text, suffix string) (string, bool) {
	at := len(text) - len(suffix)
	if at < 0 || !strings.EqualFold(text[at:], suffix) {
		return text, false
	}
	return text[:at], true
}
