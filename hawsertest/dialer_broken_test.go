package hawsertest

func brokenDialers() []broken {
	var all []broken
	for _, b := range [][2]string{
		{"Ping fails", "Dial logs in and Ping answers"},
		{"the context of Dial ends the session", "the context of Dial bounds Dial alone"},
		{"a bare error", "a wrong password matches ErrAuth"},
		{"an error without a name", "a wrong password matches ErrAuth"},
		{"a session beside an error", "a wrong password matches ErrAuth"},
		{"a wrong password is temporary", "a wrong password matches ErrAuth"},
		{"every phase is login", "a refused connection says so of the phase connect"},
		{"an error without an address", "a server that hangs up gives an error"},
		{"one Dial at a time", "sessions may be opened at once"},
		{"a goroutine is left", "no goroutine is left"},
		{"connects first", "an ended context dials nothing"},
		{"Dial ignores its context", "a context that ends ends Dial"},
		{"Timeout is ignored", "Timeout bounds Dial"},
		{"a context gives a timeout", "a context that ends ends Ping"},
		{"Ping ignores its context", "a context that ends ends Ping"},
		{"Timeout is ignored", "Timeout bounds Ping"},
		{"Close waits for Ping", "Close unblocks"},
		{"a lost connection is an EOF", "a connection that was cut matches ErrLost"},
		{"always Reusable", "a connection that was cut matches ErrLost"},
		{"a second Close fails", "a session may be closed twice"},
		{"Ping asks nobody", "Ping after Close fails"},
		{"always Reusable", "Reusable is true when idle and false after Close"},
		{"Lease keeps the name", "Lease gives the session to another user"},
		{"steps are not reported", "each step of Dial is reported"},
		{"messages have line ends", "the wire log tells both directions"},
		{"nothing received is logged", "the wire log tells both directions"},
		{"the password in an error", "no error holds a secret"},
		{"the encoded password in an error", "no error holds a secret"},
		{"the wire log shows the password", "no message of the wire log holds a secret"},
	} {
		all = append(all, broken{"dialer: " + b[0], b[1], testDialer("dialer: " + b[0])})
	}
	return all
}
