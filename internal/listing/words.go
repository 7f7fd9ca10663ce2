package listing

import (
	"strings"
	"time"
)

// words are those of a line from a date on.
type words struct {
	line string
	f    []field
}

// A found date takes so many fields. padded says that what stands between it
// and the name is not always one space.
type foundDate struct {
	date
	fields   int
	padded   bool
	yearLast bool // the last field is a year, which could be a number of anything
}

// at is the word at i, or nothing.
func (w words) at(i int) string {
	if i >= len(w.f) {
		return ""
	}
	return w.f[i].of(w.line)
}

// date reads the date that the words begin with. bare allows the one form that
// three numbers of any meaning could be.
func (w words) date(bare bool) (foundDate, bool) {
	first := w.at(0)
	if first == "" {
		return foundDate{}, false
	}
	if !isDigit(first[0]) {
		if month := parseMonth(first); month != 0 {
			if day, ok := parseDay(strings.TrimRight(w.at(1), ".,")); ok {
				return w.clockOrYear(2, month, day, strings.HasSuffix(w.at(1), ","))
			}
		}
		return foundDate{}, false
	}
	if day, ok := parseDay(strings.TrimSuffix(first, ".")); ok {
		if month := parseMonth(w.at(1)); month != 0 {
			return w.clockOrYear(2, month, day, false)
		}
		return w.numbers(bare)
	}
	if d, ok := w.joined(first); ok {
		return d, true
	}
	return w.asian(first)
}

// clockOrYear reads what follows a month and a day: a time, or a year, or a time
// with seconds and a year (ls -T of BSD), or, behind a comma, a year and a time.
func (w words) clockOrYear(i int, month time.Month, day int, comma bool) (foundDate, bool) {
	d := foundDate{date: date{month: month, day: day}, fields: i + 1}
	if d.clock, d.resolution, _ = parseClock(w.at(i)); d.resolution != 0 {
		if d.resolution < time.Minute {
			if year, ok := parseYear(w.at(i + 1)); ok {
				d.year = year
				d.fields++
			}
		}
		return d, d.year == 0 || isDay(d.year, month, day)
	}
	year, ok := parseYear(trimSign(w.at(i)))
	if !ok || !isDay(year, month, day) {
		return foundDate{}, false
	}
	d.year, d.resolution, d.yearLast = year, oneDay, true
	if c, resolution, ok := parseClock(w.at(i + 1)); ok && comma {
		d.clock, d.resolution, d.yearLast = c, resolution, false
		d.fields++
	}
	return d, true
}

// numbers reads "3 29 03:26", and if bare also "3 29 2003".
func (w words) numbers(bare bool) (foundDate, bool) {
	month, okMonth := parseDigits(w.at(0), 1, 2, 12)
	day, okDay := parseDay(w.at(1))
	if !okMonth || !okDay || month == 0 {
		return foundDate{}, false
	}
	d, ok := w.clockOrYear(2, time.Month(month), day, false)
	return d, ok && (bare || !d.yearLast)
}

// joined reads the dates of one word, and the time behind: "2005-06-07",
// "24-04-2003", "01-jun-99", "09-26".
func (w words) joined(first string) (foundDate, bool) {
	d := foundDate{date: date{resolution: oneDay}, fields: 1}
	c, resolution, timed := parseClock(w.at(1))
	if timed {
		d.clock, d.resolution, d.fields = c, resolution, 2
	}
	if n, ok := parseNumeric(first); ok {
		return w.numeric(d, n, timed)
	}
	if named, ok := parseNamedDay(first); ok {
		d.year, d.month, d.day = named.year, named.month, named.day
		d.padded = true
		return d, true
	}
	if a, b, ok := strings.Cut(first, "-"); ok { // --time-style=iso
		month, okMonth := parseDigits(a, 2, 2, 12)
		day, okDay := parseDay(b)
		if okMonth && okDay && month > 0 {
			return w.clockOrYear(1, time.Month(month), day, false)
		}
	}
	return foundDate{}, false
}

// numeric completes d, which n begins and perhaps a time follows.
func (w words) numeric(d foundDate, n numeric, timed bool) (foundDate, bool) {
	if told, ok := n.told(); ok {
		d.year, d.month, d.day = told.year, told.month, told.day
	} else {
		n.expected = mdy
		if n.separator == '-' {
			n.expected = dmy
		}
		d.date.numeric = &n
		d.padded = true
		return d, timed || n.width[2] == 4
	}
	d.padded = !timed // ls --time-style=iso pads a date alone
	if zone, ok := parseZone(w.at(d.fields)); ok && d.resolution < time.Minute {
		d.zone = zone
		d.fields++
	}
	return d, true
}

// asian reads dates whose numbers have the signs of month, day and year behind
// them, in any encoding: "8月 17日 20:10", "8月 17 2003", "2005년 1월 6일".
func (w words) asian(first string) (foundDate, bool) {
	if year, ok := parseYear(trimSign(first)); ok {
		month, okMonth := parseSigned(w.at(1), 12)
		day, okDay := parseDay(trimSign(w.at(2)))
		d := date{year: year, month: time.Month(month), day: day, resolution: oneDay}
		return foundDate{date: d, fields: 3, padded: true}, okMonth && okDay && isDay(year, d.month, day)
	}
	if month, ok := parseSigned(first, 12); ok {
		day, okDay := parseDay(trimSign(w.at(1)))
		if !okDay {
			return foundDate{}, false
		}
		return w.clockOrYear(2, time.Month(month), day, false)
	}
	// "11月12日 14:21"
	digits := len(first) - len(strings.TrimLeft(first, "0123456789"))
	second := digits + strings.IndexAny(first[digits:], "0123456789")
	if second <= digits {
		return foundDate{}, false
	}
	month, okMonth := parseSigned(first[:second], 12)
	day, okDay := parseSigned(first[second:], 31)
	if !okMonth || !okDay {
		return foundDate{}, false
	}
	return w.clockOrYear(1, time.Month(month), day, false)
}

// trimSign cuts the sign behind a number: what begins with a byte that is not
// ASCII. The second byte of one in Shift JIS may be a letter.
func trimSign(text string) string {
	const longest = 4
	number := strings.TrimLeft(text, "0123456789")
	if number == "" || number[0] < 0x80 || len(number) > longest {
		return text
	}
	return text[:len(text)-len(number)]
}

// parseSigned reads a number from 1 to largest that has a sign behind it.
func parseSigned(text string, largest int) (int, bool) {
	digits := trimSign(text)
	n, ok := parseDigits(digits, 1, 2, largest)
	return n, ok && n > 0 && len(digits) < len(text)
}
