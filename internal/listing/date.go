package listing

import (
	"strconv"
	"strings"
	"time"
)

const oneDay = 24 * time.Hour

// A date is a time as a listing tells it; the zero value is none at all.
type date struct {
	year       int // 0 means that of Now or one before, if month is not 0
	month      time.Month
	day        int
	clock      clock
	zone       *time.Location // nil means that of the options
	resolution time.Duration
	numeric    *numeric // instead of year, month and day
}

type clock struct{ hour, minute, second, nano int }

// moment is when d is, by the options where d does not tell it all.
func (s *scan) moment(d date) time.Time {
	if d.month == 0 {
		return time.Time{}
	}
	zone := d.zone
	if zone == nil {
		zone = s.o.Location
	}
	if d.year != 0 {
		return d.in(d.year, zone)
	}
	// The server's clock may be ahead, and it may be on the far side of new
	// year, so that the latest year to try is the next.
	latest := s.o.Now.Add(oneDay)
	year := latest.In(zone).Year()
	for back := 0; back <= 8; back++ { // to the 29th of February before 1904
		t := d.in(year-back, zone)
		if !t.After(latest) && isDay(year-back, d.month, d.day) {
			return t
		}
	}
	return d.in(year, zone)
}

func (d date) in(year int, zone *time.Location) time.Time {
	return time.Date(year, d.month, d.day, d.clock.hour, d.clock.minute, d.clock.second, d.clock.nano, zone)
}

// isDay reports whether the calendar has that day.
func isDay(year int, month time.Month, day int) bool {
	if month < time.January || month > time.December || day < 1 {
		return false
	}
	return day <= 28 || time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Month() == month
}

// parseClock reads "15:04", "15:04:05" and "15:04:05.000", also with "AM", "PM",
// "a" or "p" behind, and "24:00". The resolution is that of the digits.
func parseClock(text string) (clock, time.Duration, bool) {
	text, half := cutHalf(text)
	hours, rest, ok := strings.Cut(text, ":")
	if !ok {
		return clock{}, 0, false
	}
	var c clock
	resolution := time.Minute
	minutes, seconds, exact := strings.Cut(rest, ":")
	if exact {
		resolution = time.Second
		var fraction string
		if seconds, fraction, ok = strings.Cut(seconds, "."); ok {
			if c.nano, resolution, ok = parseFraction(fraction); !ok {
				return clock{}, 0, false
			}
		}
		if c.second, ok = parseDigits(seconds, 2, 2, 60); !ok { // a leap second
			return clock{}, 0, false
		}
	}
	hour, okHour := parseDigits(hours, 1, 2, 24)
	minute, okMinute := parseDigits(minutes, 2, 2, 59)
	if !okHour || !okMinute || half != 0 && hour > 12 || hour == 24 && minute != 0 {
		return clock{}, 0, false
	}
	switch half {
	case 'a':
		hour %= 12
	case 'p':
		hour = hour%12 + 12
	}
	c.hour, c.minute = hour, minute
	return c, resolution, true
}

// cutHalf cuts what tells the half of a day, and returns 'a', 'p' or 0.
func cutHalf(text string) (string, byte) {
	end := len(text)
	if end > 0 && text[end-1]|0x20 == 'm' {
		end--
	}
	if end == 0 || text[end-1]|0x20 != 'a' && text[end-1]|0x20 != 'p' {
		return text, 0
	}
	return text[:end-1], text[end-1] | 0x20
}

// parseFraction reads the digits behind the point of a second.
func parseFraction(digits string) (nano int, resolution time.Duration, ok bool) {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, 0, false
	}
	digits = digits[:min(len(digits), 9)]
	resolution = time.Second
	for range digits {
		resolution /= 10
	}
	n, err := strconv.Atoi(digits)
	return n * int(resolution), resolution, err == nil
}

// parseDigits reads a number of so many digits that is at most largest.
func parseDigits(text string, shortest, longest, largest int) (int, bool) {
	if len(text) < shortest || len(text) > longest {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int(text[i]-'0')
	}
	return n, n <= largest
}

// parseDay reads the day of a month.
func parseDay(text string) (int, bool) {
	n, ok := parseDigits(text, 1, 2, 31)
	return n, ok && n > 0
}

// parseYear reads a year of four digits.
func parseYear(text string) (int, bool) {
	n, ok := parseDigits(text, 4, 4, 9999)
	return n, ok && n >= 1000
}

// parseNamedDay reads "1-JUN-1999" and "01-jun-99".
func parseNamedDay(text string) (date, bool) {
	first, rest, _ := strings.Cut(text, "-")
	name, last, ok := strings.Cut(rest, "-")
	if !ok {
		return date{}, false
	}
	d := date{month: parseMonth(name)}
	var okDay, okYear bool
	d.day, okDay = parseDay(first)
	if d.year, okYear = parseYear(last); !okYear {
		d.year, okYear = parseDigits(last, 2, 2, 99)
		d.year = pivot(d.year)
	}
	return d, okDay && okYear && isDay(d.year, d.month, d.day)
}

// parseZone reads "+0200".
func parseZone(text string) (*time.Location, bool) {
	if len(text) != 5 || text[0] != '+' && text[0] != '-' {
		return nil, false
	}
	hours, okHours := parseDigits(text[1:3], 2, 2, 14)
	minutes, okMinutes := parseDigits(text[3:], 2, 2, 59)
	offset := hours*3600 + minutes*60
	if text[0] == '-' {
		offset = -offset
	}
	return time.FixedZone("", offset), okHours && okMinutes
}
