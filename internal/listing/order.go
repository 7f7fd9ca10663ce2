package listing

import "time"

// An order is how a numeric date stands, or a set of such.
type order uint8

const (
	mdy order = 1 << iota
	dmy
	ymd
)

// A numeric is a date of three numbers, whose order the line alone does not tell.
type numeric struct {
	n         [3]int
	width     [3]int // in digits
	separator byte
	expected  order // where several orders fit every date of the listing
}

// An openDate is one that waits for the lines after it.
type openDate struct {
	index int // of the entry
	when  date
}

// parseNumeric reads "04-27-00", "2002/09/02" or "18.09.06".
func parseNumeric(text string) (numeric, bool) {
	var d numeric
	field := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			d.n[field] = d.n[field]*10 + int(c-'0')
			if d.width[field]++; d.width[field] > 4 {
				return d, false
			}
		case c != '-' && c != '/' && c != '.' && c != ',',
			field == 2, field == 1 && c != d.separator, d.width[field] == 0:
			return d, false
		default:
			d.separator = c
			field++
		}
	}
	return d, field == 2 && d.width[2] > 0 && d.orders() != 0
}

// orders are those in which the calendar has the date.
func (d numeric) orders() order {
	var found order
	for _, o := range []order{mdy, dmy, ymd} {
		if _, _, _, ok := d.under(o); ok {
			found |= o
		}
	}
	return found
}

// under reads the date in the order o.
func (d numeric) under(o order) (year int, month time.Month, day int, ok bool) {
	y, m, n := 2, 0, 1
	switch o {
	case dmy:
		m, n = 1, 0
	case ymd:
		y, m, n = 0, 1, 2
	}
	if d.width[m] > 2 || d.width[n] > 2 || d.width[y] < 2 {
		return 0, 0, 0, false
	}
	year, month, day = d.n[y], time.Month(d.n[m]), d.n[n]
	switch d.width[y] {
	case 2:
		year = pivot(year)
	case 3: // 103 from a server that counts from 1900
		year += 1900
	}
	return year, month, day, year >= 1000 && isDay(year, month, day)
}

// pivot completes a year of two digits, as POSIX has it.
func pivot(year int) int {
	if year < 69 {
		return 2000 + year
	}
	return 1900 + year
}

// told returns the date if it can be read in one way only, because the year
// stands first and has four digits.
func (d numeric) told() (date, bool) {
	year, month, day, ok := d.under(ymd)
	return date{year: year, month: month, day: day}, ok && d.width[0] == 4
}

// settle gives the open dates the order that all of them fit, and if several
// are left, the one that the dialect expects. With points it is day first
// everywhere.
func (s *scan) settle() {
	for _, open := range s.open {
		d := open.when
		expected := d.numeric.expected
		if d.numeric.separator == '.' {
			expected = dmy
		}
		for _, o := range []order{expected, mdy, dmy, ymd} {
			if s.orders&o == 0 {
				continue
			}
			d.year, d.month, d.day, _ = d.numeric.under(o)
			s.entries[open.index].modified = s.moment(d)
			break
		}
	}
}
