//go:build race

package smtp_test

// raceEnabled leaves out most faults: there are thousands.
const raceEnabled = true
