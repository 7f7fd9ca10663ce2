package hawser

import (
	"fmt"
	"strings"
)

// suggest returns `; did you mean "x"?` for the word of known that got is
// nearest to, or `; want one of ...` if it is like none of them.
func suggest(got string, known []string) string {
	if word := nearest(got, known); word != "" {
		return fmt.Sprintf("; did you mean %q?", word)
	}
	const short = 20
	if len(known) > short || len(known) == 0 {
		return ""
	}
	return "; want one of " + strings.Join(known, ", ")
}

// nearest returns the word of known with the fewest edits from got, or "" if
// none is near enough to be a misspelling of it.
func nearest(got string, known []string) string {
	const longest = 64 // bounds the work that a hostile value can cause
	if len(got) > longest {
		return ""
	}
	best, word := len(got)/3+1, ""
	for _, k := range known {
		if d := edits(strings.ToLower(got), strings.ToLower(k)); d <= best && d < len(k) {
			best, word = d-1, k
		}
	}
	return word
}

// edits counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (the optimal string alignment distance).
func edits(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
