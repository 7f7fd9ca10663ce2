package hawsertest

import "slices"

func brokenTransports() []broken {
	var all []broken
	for _, b := range slices.Concat(brokenTargets(), brokenBoundDials(), brokenBytes(), brokenEnds(), brokenDeadlines(), brokenDiscretion()) {
		all = append(all, broken{"transport: " + b[0], b[1], testTransport("transport: " + b[0])})
	}
	return all
}

func brokenTargets() [][2]string {
	return [][2]string{
		{"RemoteAddr is the proxy's", "RemoteAddr is the address of the target"},
		{"LocalAddr is nil", "RemoteAddr is the address of the target"},
		{"names are refused", "a name is dialed"},
		{"RemoteAddr has no port", "a name is dialed"},
		{"IPv6 hangs", "IPv6 is dialed or refused"},
		{"IPv6 is refused without a word", "IPv6 is dialed or refused"},
		{"tcp4 and tcp6 are tcp", "tcp4 and tcp6 are kept to"},
		{"any network is tcp", "a network that is not TCP is refused"},
		{"a refusal does not name the target", "a target that nobody listens at is an error that names it"},
		{"a refusal is a timeout", "a target that nobody listens at is an error that names it"},
		{"a refusal comes with the first Read", "a target that nobody listens at is an error that names it"},
		{"a connection beside an error", "a target that nobody listens at is an error that names it"},
		{"a NUL ends a host", "an address that is none reaches no server"},
		{"a line end ends a host", "an address that is none reaches no server"},
		{"hosts are trimmed", "an address that is none reaches no server"},
		{"no host is this one", "an address that is none reaches no server"},
		{"no address makes it panic", "an address that is none reaches no server"},
		{"connects before it looks", "an address that is none reaches no server"},
		{"trouble of the proxy is the target's", "a proxy or a jump host that cannot be reached matches ErrProxy"},
	}
}

func brokenBoundDials() [][2]string {
	return [][2]string{
		{"an ended context is noticed late", "an ended context reaches no server"},
		{"a context that ends is a timeout", "an ended context reaches no server"},
		{"a context that ends is a timeout", "a context that ends during DialNet gives its error or a connection that works"},
		{"a context that ends spoils the connection", "a context that ends during DialNet gives its error or a connection that works"},
		{"a context that ends closes the connection", "the context bounds DialNet alone"},
		{"the deadline of the context stays", "the context bounds DialNet alone"},
		{"one stream for all", "many may dial at once"},
		{"one dial at a time", "many may dial at once"},
		{"a goroutine is left by each dial", "no goroutine of a connection is left"},
		{"a goroutine is left by a dial that failed", "no goroutine of a connection is left"},
	}
}

func brokenBytes() [][2]string {
	return [][2]string{
		{"a byte is changed", "bytes pass both ways unchanged"},
		{"line ends are translated", "bytes pass both ways unchanged"},
		{"what is much loses its end", "bytes pass both ways unchanged"},
		{"ReadFrom loses the tail", "bytes pass unchanged by io.Copy"},
		{"WriteTo loses the beginning", "bytes pass unchanged by io.Copy"},
		{"what comes first is lost", "a server that greets first is heard"},
		{"the end is an error", "the end of the server's stream is io.EOF after all its bytes"},
		{"the end is told once", "the end of the server's stream is io.EOF after all its bytes"},
		{"the end comes early", "the end of the server's stream is io.EOF after all its bytes"},
		{"CloseWrite ends both directions", "CloseWrite ends one direction"},
		{"CloseWrite does nothing", "CloseWrite ends one direction"},
		{"Read and Write share a lock", "one goroutine may read while another writes"},
	}
}

func brokenEnds() [][2]string {
	return [][2]string{
		{"Close resets", "what was written before Close arrives, and then the end"},
		{"Close leaves the stream open", "what was written before Close arrives, and then the end"},
		{"Close waits for Read", "Close unblocks a Read"},
		{"Read after Close is the end", "Close unblocks a Read"},
		{"Close waits for Write", "Close unblocks a Write"},
		{"a second Close hangs", "a connection may be closed twice"},
		{"Read after Close is the end", "Read and Write after Close fail"},
		{"Write after Close is lost", "Read and Write after Close fail"},
	}
}

func brokenDeadlines() [][2]string {
	return [][2]string{
		{"read deadlines are ignored", "a read deadline ends a Read, and the connection works on"},
		{"deadlines come early", "a read deadline ends a Read, and the connection works on"},
		{"a read deadline breaks the connection", "a read deadline ends a Read, and the connection works on"},
		{"a read deadline is the end", "a read deadline ends a Read, and the connection works on"},
		{"a deadline is any error", "a read deadline ends a Read, and the connection works on"},
		{"write deadlines are ignored", "a write deadline ends a Write"},
		{"a deadline in the past is none", "a deadline in the past fails at once"},
		{"a deadline is for the next Read", "a deadline wakes a Read that waits"},
		{"a deadline is for the next Write", "a deadline wakes a Write that waits"},
		{"a deadline stays", "a deadline may be removed"},
		{"one deadline for both", "the deadlines of Read and Write are apart"},
	}
}

func brokenDiscretion() [][2]string {
	return [][2]string{
		{"the password in an error", "no error of the way holds a secret"},
		{"the encoded password in an error", "no error of the way holds a secret"},
		{"the password of a jump host in an error", "no error of the way holds a secret"},
		{"a wrong password is quoted", "no error of the way holds a secret"},
		{"Allow is sorted", "DialNet leaves the connection as it is"},
		{"Allow is appended to", "DialNet leaves the connection as it is"},
		{"hops are appended to", "DialNet leaves the connection as it is"},
		{"a hop is changed", "DialNet leaves the connection as it is"},
		{"the secret of a hop is cleared", "DialNet leaves the connection as it is"},
		{"Extra is written to", "DialNet leaves the connection as it is"},
	}
}
