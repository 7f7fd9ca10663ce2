package listing

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFields bounds how far into a line the parsers look for what stands before
// a name: owners with spaces are the longest of it.
const maxFields = 40

// A field is where a word stands in its line.
type field struct{ start, end int }

// split finds the words of line from an offset on, at most maxFields.
func split(to []field, line string, from int) []field {
	for i := from; i < len(line) && len(to) < maxFields; {
		if isSpace(line[i]) {
			i++
			continue
		}
		start := i
		for i < len(line) && !isSpace(line[i]) {
			i++
		}
		to = append(to, field{start, i})
	}
	return to
}

// of is the word.
func (f field) of(line string) string { return line[f.start:f.end] }

func isSpace(c byte) bool { return c == ' ' || c == '\t' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// An amount is a size as a listing tells it.
type amount struct {
	n     int64
	exact bool
}

// parseAmount reads a size: "531", "1,234,567", "33.5k".
func parseAmount(text string) (amount, bool) {
	if text == "" || !isDigit(text[0]) && text[0] != '-' {
		return amount{}, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		// Below zero it is a number of 32 bits that ran over.
		return amount{max(n, 0), n >= 0}, true
	}
	if n, ok := parseGroups(text); ok {
		return amount{n, true}, true
	}
	return parseUnits(text)
}

// parseGroups reads a number whose digits stand in groups of three.
func parseGroups(text string) (int64, bool) {
	separator := ""
	for _, s := range []string{",", ".", "'", "\u00a0", "\u202f", "\xa0", "\xff"} {
		if strings.Contains(text, s) {
			separator = s
			break
		}
	}
	if separator == "" {
		return 0, false
	}
	groups := strings.Split(text, separator)
	for i, group := range groups {
		if len(group) > 3 || i > 0 && len(group) < 3 || strings.Trim(group, "0123456789") != "" {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(strings.Join(groups, ""), 10, 64)
	return n, err == nil && groups[0] != ""
}

// parseUnits reads a rounded size such as "33.5k" of ls -h, in units of 1,024.
func parseUnits(text string) (amount, bool) {
	digits := strings.TrimRight(text, "BbIi")
	if digits == "" {
		return amount{}, false
	}
	shift := strings.IndexByte("kmgtp", digits[len(digits)-1]|0x20)
	if shift < 0 {
		return amount{}, false
	}
	digits = strings.Replace(digits[:len(digits)-1], ",", ".", 1)
	if digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return amount{}, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	size := n * float64(int64(1024)<<(10*shift))
	return amount{n: int64(size)}, err == nil && size < 1<<62
}

// isTotal reports whether line is the first of ls -l: "total 123", in the
// server's language.
func isTotal(line string) bool {
	var buffer [3]field
	f := split(buffer[:0], line, 0)
	if len(f) != 2 {
		return false
	}
	word := strings.TrimRight(f[0].of(line), ":")
	if utf8.ValidString(word) {
		word = strings.ToLower(word)
	}
	switch word {
	case "total", "totaal", "totale", "totalt", "gesamt", "insgesamt", "celkem", "spolu", "razem", "összesen", "toplam",
		"yhteensä", "ukupno", "skupaj", "kokku", "kopsumma", "viso", "итого", "всего", "загалом", "σύνολο",
		"合計", "总用量", "总计", "總用量", "總計", "합계", "총계",
		"\x8d\x87\x8cv", "\xb9\xe7\xb7\xd7": // 合計 in Shift JIS and EUC
		_, ok := parseAmount(f[1].of(line))
		return ok
	}
	return false
}
