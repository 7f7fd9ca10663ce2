package listing

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// parseMonth reads the name of a month, or 0. The tables are those of the C
// library's date formats, by which ls names months in the server's language.
// Croatian is missing: its "lip", "srp" and "lis" are other months than in
// Polish and Czech.
func parseMonth(text string) time.Month {
	const longest = 24
	if len(text) < 3 || len(text) > longest || text[0] >= '0' && text[0] <= '9' {
		return 0
	}
	var buffer [2 * longest]byte
	name := fold(buffer[:0], strings.TrimRight(text, ".,"))
	if month := firstHalf(name); month != 0 {
		return month
	}
	return secondHalf(name)
}

func firstHalf(name []byte) time.Month {
	switch string(name) {
	case "jan", "january", "januar", "januari", "janv", "janvier", "janeiro", "ene", "enero", "gen", "gennaio",
		"ian", "led", "sty", "oca", "tammi", "янв":
		return time.January
	case "feb", "february", "februar", "februari", "febr", "fev", "fevr", "fevrier", "fevereiro", "febrero", "febbraio",
		"lut", "uno", "sub", "helmi", "фев":
		return time.February
	case "mar", "march", "marz", "mrz", "mars", "mrt", "maart", "maa", "marzo", "marco", "marc",
		"bre", "maalis", "мар":
		return time.March
	case "apr", "april", "avr", "avril", "abr", "abril", "aprile", "kwi", "dub", "nis", "huhti", "апр":
		return time.April
	case "may", "mai", "mayo", "maio", "mag", "maggio", "mei", "maj", "kve", "touko", "май", "мая":
		return time.May
	case "jun", "june", "juni", "juin", "junio", "junho", "giu", "giugno", "iun", "cze", "cen", "haz", "kesa", "июн":
		return time.June
	}
	return 0
}

func secondHalf(name []byte) time.Month {
	switch string(name) {
	case "jul", "july", "juli", "juil", "juillet", "jui", "julio", "julho", "lug", "luglio", "iul", "lip", "cec",
		"tem", "heina", "июл":
		return time.July
	case "aug", "august", "augustus", "augusti", "aou", "aout", "ago", "agosto", "avg", "agu", "sie", "srp", "elo", "авг":
		return time.August
	case "sep", "sept", "september", "septembre", "septiembre", "set", "setembro", "settembre", "szept",
		"wrz", "zar", "eyl", "syys", "сен":
		return time.September
	case "oct", "october", "octobre", "octubre", "okt", "oktober", "ott", "ottobre", "out", "outubro",
		"paz", "rij", "eki", "loka", "окт":
		return time.October
	case "nov", "november", "novembre", "noviembre", "novembro", "lis", "kas", "marras", "ноя":
		return time.November
	case "dec", "december", "decembre", "dez", "dezember", "dezembro", "dic", "diciembre", "dicembre", "des",
		"gru", "pro", "ara", "joulu", "дек":
		return time.December
	}
	return 0
}

// fold appends name in lower case and without accents. A byte that is not
// UTF-8 is taken for ISO 8859-1, or for the code page 850 of Windows consoles,
// whose letters lie where the former has none.
func fold(to []byte, name string) []byte {
	for size := 0; len(name) > 0; name = name[size:] {
		var r rune
		r, size = utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && size == 1 {
			r = fold850(name[0])
		}
		to = utf8.AppendRune(to, foldRune(unicode.ToLower(r)))
	}
	return to
}

func fold850(b byte) rune {
	switch b {
	case 0x82, 0x8a:
		return 'e'
	case 0x84, 0x8e:
		return 'a'
	case 0x87:
		return 'c'
	case 0x96:
		return 'u'
	}
	return rune(b)
}

func foldRune(r rune) rune {
	switch r {
	case 'á', 'à', 'â', 'ã', 'ä', 'å':
		return 'a'
	case 'ç', 'č', 'ć':
		return 'c'
	case 'é', 'è', 'ê', 'ë', 'ě':
		return 'e'
	case 'ğ':
		return 'g'
	case 'í', 'î', 'ı':
		return 'i'
	case 'ń', 'ñ', 'ň':
		return 'n'
	case 'ó', 'ô', 'ö', 'ő', 'õ':
		return 'o'
	case 'ř':
		return 'r'
	case 'ş', 'š', 'ś':
		return 's'
	case 'ú', 'û', 'ü', 'ů', 'ű':
		return 'u'
	case 'ź', 'ž', 'ż':
		return 'z'
	}
	return r
}
