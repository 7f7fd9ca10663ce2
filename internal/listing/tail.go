package listing

import "strings"

// A tail is how a line of ls ends: a size, a date, a name.
type tail struct {
	first int // the field that the size begins in
	size  amount
	when  date
	name  string
}

// findTail finds the first size that a date and a name follow. A date of which
// all is numbers, and no time, is looked for last: owners are numbers too.
func findTail(line string, f []field, device bool) (tail, bool) {
	for _, bare := range []bool{false, true} {
		for i := range f {
			t, year, ok := tailAt(line, f, i, device, bare)
			if !ok || bare && i == 0 { // "1 5 6 2000 name" has no date
				continue
			}
			if year > 0 { // "1 jan 5 2048 Mar 2 15:13 name" is a file of jan
				if later, _, ok := tailAt(line, f, year, device, false); ok {
					return later, true
				}
			}
			return t, true
		}
	}
	return tail{}, false
}

// tailAt reads a tail whose size is field i. year is the field of the year if
// the date ends in one.
func tailAt(line string, f []field, i int, device, bare bool) (t tail, year int, ok bool) {
	if t.first, t.size, ok = sizeAt(line, f, i, device); !ok {
		return tail{}, 0, false
	}
	w := words{line: line, f: f[i+1:]}
	d, ok := w.date(bare)
	if !ok {
		return tail{}, 0, false
	}
	t.when = d.date
	t.name = line[f[i+d.fields].end:]
	if d.padded {
		t.name = strings.TrimLeft(t.name, " \t")
	} else if t.name != "" {
		t.name = t.name[1:]
	}
	if d.yearLast {
		year = i + d.fields
	}
	return t, year, t.name != ""
}

// sizeAt reads the size of a file, or the major and minor numbers of a device,
// that ends in field i, and where it begins.
func sizeAt(line string, f []field, i int, device bool) (first int, size amount, ok bool) {
	text := f[i].of(line)
	if !device {
		size, ok = parseAmount(text)
		return i, size, ok
	}
	if i > 0 && line[f[i-1].end-1] == ',' {
		return i - 1, amount{}, isNumber(text) && isNumber(strings.TrimSuffix(f[i-1].of(line), ","))
	}
	major, minor, two := strings.Cut(text, ",")
	return i, amount{}, isNumber(major) && (!two || isNumber(minor))
}

// isNumber reports whether text is a number, as BSD writes devices: "27", "0x1b".
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "0x")
	return digits != "" && strings.Trim(digits, "0123456789abcdefABCDEF") == "" && isDigit(text[0])
}

// findName finds the end of a line without a date, as small systems write it:
// links, owner, group, size, and a name without spaces. With spaces, or more
// before them, it could be a date in a language that is not known.
func findName(line string, f []field, symlink bool) (tail, bool) {
	const size = 3
	arrow := symlink && len(f) == size+4 && f[size+2].of(line) == "->"
	if len(f) != size+2 && !arrow || !isNumber(f[0].of(line)) {
		return tail{}, false
	}
	n, ok := parseAmount(f[size].of(line))
	return tail{first: size, size: n, name: line[f[size+1].start:]}, ok
}
