//go:build linux

package bench

import (
	"cmp"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

// rounds is how often each contender runs.
const rounds = 3

// A contender does the work once, as a process.
type contender struct {
	name    string
	command func() *exec.Cmd
}

// A cost is what one run took.
type cost struct {
	wall, cpu time.Duration
	memory    int64 // peak, in bytes
}

// compare runs ours and peer in turn and reports the medians and their ratios:
// above 1x hawser is faster.
func compare(b *testing.B, work string, ours, peer contender, reset func()) {
	b.Helper()
	var mine, theirs []cost
	for range rounds {
		mine = append(mine, measure(b, ours, reset))
		theirs = append(theirs, measure(b, peer, reset))
	}
	m, p := median(mine), median(theirs)
	speed := p.wall.Seconds() / m.wall.Seconds()
	cpu := m.cpu.Seconds() / p.cpu.Seconds()
	b.ReportMetric(speed, "x-speed")
	b.ReportMetric(cpu, "x-cpu")
	b.ReportMetric(float64(m.memory)/(1<<20), "MiB-peak")
	b.Logf("| %s | %.2f s | %s %.2f s | %.2fx | %.2f / %.2f s (%.2fx) | %d MiB |", work,
		m.wall.Seconds(), peer.name, p.wall.Seconds(), speed, m.cpu.Seconds(), p.cpu.Seconds(), cpu, m.memory>>20)
}

func measure(b *testing.B, c contender, reset func()) cost {
	b.Helper()
	reset()
	cmd := c.command()
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		b.Fatalf("%s: %v\n%s", c.name, err, out)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), memory: used.Maxrss << 10}
}

// median is by wall time.
func median(costs []cost) cost {
	slices.SortFunc(costs, func(a, b cost) int { return cmp.Compare(a.wall, b.wall) })
	return costs[len(costs)/2]
}

func megabytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
