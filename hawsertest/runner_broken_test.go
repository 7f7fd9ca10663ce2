//go:build unix

package hawsertest

func brokenRunners() []broken {
	var all []broken
	for _, b := range [][2]string{
		{"errors are output", "output and errors come apart"},
		{"the status is lost", "the exit status is told"},
		{"the signal is lost", "the ending signal is told"},
		{"the line is expanded twice", "quoted arguments arrive as they are"},
		{"the environment is lost", "the environment is set or Run fails"},
		{"no terminal", "a terminal is there when asked for"},
		{"an empty line is run", "an empty line is refused"},
		{"one command a session", "one command may follow another"},
		{"commands share their output", "commands may run in parallel"},
		{"always Reusable", "a session is not Reusable during a command"},
		{"Stdin is cut", "input is streamed whole"},
		{"output is cut", "output is streamed whole"},
		{"no Stdin stays open", "no Stdin is an empty one"},
		{"no Stdout stalls", "no Stdout drops the output"},
		{"errors of Stdout are lost", "a Stdout that fails ends Run with its error"},
		{"a Stdout that fails hangs", "a Stdout that fails ends Run with its error"},
		{"errors of Stdin are lost", "a Stdin that fails ends Run with its error"},
		{"Run waits for Stdin", "a Stdin that blocks does not hold up the end"},
		{"an ended context is noticed late", "an ended context runs nothing"},
		{"the context is ignored", "a context that ends stops the command"},
		{"an exit error after a cancel", "a context that ends stops the command"},
		{"KILL is never sent", "a command that ignores TERM is stopped too"},
		{"KILL comes first", "TERM comes first"},
	} {
		all = append(all, broken{"runner: " + b[0], b[1], testRunner("runner: " + b[0])})
	}
	return all
}
