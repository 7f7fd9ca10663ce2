package hawsertest

import "slices"

func brokenMailers() []broken {
	var all []broken
	for _, b := range slices.Concat(brokenMessages(), brokenEnvelopes(), brokenSendings()) {
		all = append(all, broken{"mailer: " + b[0], b[1], testMailer("mailer: " + b[0])})
	}
	return all
}

func brokenMessages() [][2]string {
	const fails = "a message that fails is not sent"
	return [][2]string{
		{"the last byte of a full packet is lost", "a message arrives byte for byte"},
		{"LF stays as it is", "every line ends in CR LF"},
		{"line ends in pieces are forgotten", "every line ends in CR LF"},
		{"the last line stays open", "a last line without an end gets one"},
		{"a header alone gets an empty line", "a header alone arrives"},
		{"an empty message is lost", "an empty message arrives or is an error"},
		{"long lines are broken", "lines of 998 bytes arrive"},
		{"the eighth bit is lost", "8-bit text arrives or is unsupported"},
		{"dots are doubled", "lines that begin with dots arrive"},
		{"a dot alone is the end", "lines that begin with dots arrive"},
		{"the first line is not stuffed", "a message that begins with a dot arrives or is an error"},
		{"dots at the edge of a buffer are doubled", "dots arrive across the edges of buffers"},
		{"CR alone ends a line", "a message cannot hold commands"},
		{"an empty Write is the end", "a message may be written in any pieces"},
		{"what was written is kept", "what was written may be overwritten"},
		{"WriteTo is called to count", "a message is written once"},
		{"a told length is a limit", "a length that is told is no limit"},
		{"too large is noticed late", "a message too large for the server is not written"},
		{"half a message is sent", fails},
		{"the source's error is another", fails},
		{"a session claims to work", fails},
		{"half a message is sent", "a message that panics is not sent"},
		{"half a message is sent", "a message that fails at its end is not sent"},
	}
}

func brokenEnvelopes() [][2]string {
	const address = "an address that is none is refused before anything is sent"
	return [][2]string{
		{"the sender is the recipient", "each recipient gets a message once"},
		{"recipients get a message twice", "each recipient gets a message once"},
		{"the last recipient is lost", "each recipient gets a message once"},
		{"a recipient that is named twice is lost", "a recipient that is named twice gets a message"},
		{"nobody is the postmaster", "the empty sender arrives or is refused"},
		{"a refusal is not told", "a refused recipient is told, and the others get the message"},
		{"one refusal is enough", "a refused recipient is told, and the others get the message"},
		{"AllOrNone is ignored", "AllOrNone sends to nobody when one is refused"},
		{"AllOrNone sends to nobody", "AllOrNone sends to all when none is refused"},
		{"a message that nobody gets is success", "a message that nobody gets is an error"},
		{"a refusal is a doubt", "a message that nobody gets is an error"},
		{"a refusal ends the session", "a message that nobody gets is an error"},
		{"every queue id is the same", "a queue id that is told is the message's own"},
		{"recipients are not counted", "no recipient is invalid"},
		{"addresses are not looked at", address},
		{"the field is not named", address},
		{"an error has the address as it is", address},
		{"quotes are invalid", "a quoted local part is an address"},
		{"addresses become ASCII", "an address that is not ASCII arrives or is unsupported"},
		{"options are not looked at", "what no notification knows is refused before anything is sent"},
		{"notifications are needed", "a notification may be asked for"},
	}
}

func brokenSendings() [][2]string {
	const (
		cancelled = "a context that ends during a message sends nothing"
		lost      = "a connection lost during a message matches ErrLost"
		silent    = "Timeout does not bound the answer to the end of a message"
	)
	return [][2]string{
		{"an ended context is noticed late", "an ended context sends nothing"},
		{"the context is ignored", cancelled},
		{"half a message is sent", cancelled},
		{"a cancel is the source's error", cancelled},
		{"a context that ends last is not seen", "a context that ends last sends nothing"},
		{"always Reusable", "a session is not Reusable during a message"},
		{"the wire log shows the message", "the wire log holds no message"},
		{"nothing received is logged", "the wire log holds no message"},
		{"Ping ends the session", "Ping may come between messages"},
		{"a hundred messages a session", "many messages go on one session"},
		{"one message at a time", "messages may go at once"},
		{"a closed session takes messages", "Send after Close fails"},
		{"a goroutine is left", "no goroutine is left by messages"},
		{"a lost connection is an EOF", lost},
		{"every loss is a doubt", lost},
		{"a lost session claims to work", lost},
		{"the timeout ends the wait for the end", silent},
		{"a loss is no doubt", "a message after whose end the connection is lost may have been sent"},
		{"a cancel is no doubt", "a message after whose end the context ends may have been sent"},
		{"a doubt hides the cancel", "a message after whose end the context ends may have been sent"},
	}
}
