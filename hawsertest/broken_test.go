package hawsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A broken fake breaks one rule, which must catch it.
type broken struct {
	name  string // what the fake does wrong
	rule  string // the name of the rule that catches it
	suite func(t *testing.T)
}

// chosen names the broken fake that a child process tests.
const chosen = "HAWSERTEST_BROKEN"

func allBroken() []broken {
	return slices.Concat(brokenRegistries(), brokenDialers(), brokenFileSystems(), brokenMailers(), brokenRunners(), brokenTransports())
}

// children is how many processes run at once. Most of them wait for a bound
// that a hang runs into.
const children = 8

// A failing test cannot be run inside a test that passes, so each broken fake
// is tested by a process of its own, by the rule that must catch it.
func TestBroken(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a process for each broken fake")
	}
	all := allBroken()
	outputs := make([]string, len(all))
	require.NoError(t, each(children, len(all), func(i int) error {
		outputs[i] = all[i].run(t.Context())
		return nil
	}))
	for i, b := range all {
		t.Run(b.rule+": "+b.name, func(t *testing.T) { b.caught(t, outputs[i]) })
	}
}

// run tests b in a process of its own.
func (b broken) run(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.timeout=90s", "-test.v",
		"-test.run=^TestBrokenFake$/^"+regexp.QuoteMeta(b.rewritten())+"$")
	cmd.Env = append(os.Environ(), chosen+"="+b.name)
	out, err := cmd.CombinedOutput()
	return fmt.Sprintf("%s%v", out, err)
}

// rewritten is the name of b's rule as package testing writes it.
func (b broken) rewritten() string { return strings.ReplaceAll(b.rule, " ", "_") }

// caught checks that b's rule, and nothing else, ended the process of output.
func (b broken) caught(t *testing.T, output string) {
	for _, want := range []string{"--- FAIL: TestBrokenFake/" + b.rewritten() + " (", "the rule: ", "exit status 1"} {
		if !strings.Contains(output, want) {
			t.Errorf("not caught: want %q in\n%.5000s", want, output)
		}
	}
	for _, bad := range []string{"panic:", "DATA RACE"} {
		if strings.Contains(output, bad) {
			t.Errorf("caught by accident: %q in\n%.5000s", bad, output)
		}
	}
}

// TestBrokenFake is the child process of TestBroken.
func TestBrokenFake(t *testing.T) {
	name := os.Getenv(chosen)
	if name == "" {
		t.Skip("run by TestBroken")
	}
	for _, b := range allBroken() {
		if b.name == name { // some break more than one rule; -run chose it
			b.suite(t)
			return
		}
	}
}

func TestEachRuleCatchesABrokenFake(t *testing.T) {
	caught, names := map[string]bool{}, map[string]bool{}
	for _, b := range allBroken() {
		caught[b.rule] = true
		assert.False(t, names[b.rule+b.name], "two broken fakes are called %q", b.name)
		names[b.rule+b.name] = true
	}
	rules := slices.Concat(ruleNames(registryRules()), ruleNames(registryHandleRules()), ruleNames(dialerRules()), ruleNames(fileSystemRules()), ruleNames(mailerRules()), ruleNames(transportRules()))
	if len(brokenRunners()) > 0 { // they need a shell
		rules = append(rules, ruleNames(runnerRules())...)
	}
	for _, name := range rules {
		assert.True(t, caught[name], "no broken fake shows that the rule %q catches anything", name)
		assert.NotContains(t, name, "/", "go test -run takes it apart")
		delete(caught, name)
	}
	assert.Empty(t, caught, "broken fakes name rules that are not there")
}

func ruleNames[S any](rules []rule[S]) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.name)
	}
	return names
}
