// Package bench compares hawser with the best known clients, on the same work
// against the same server in the same run, and prints the ratios:
//
//	TMPDIR=/dev/shm go test -v -run '^$' -bench . -benchtime 1x ./internal/bench
//
// Every contender is a process of its own, so that its CPU time and peak
// memory are its own. Rounds alternate between contenders and the median
// counts; on a shared machine less than a tenth is noise. Peak memory is looked
// up every few milliseconds while a contender runs.
//
// Mail goes to a server in the process of the benchmark, which keeps no more of
// a message than its envelope and size. Both are checked after each run, so that
// nobody is fast by losing mail.
package bench
