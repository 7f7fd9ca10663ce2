package testserver

import (
	"slices"
	"sync/atomic"
	"testing"
)

// FTPScript is an FTP server that says and expects what it was told, line by line, for clients that must survive
// whatever a server does:
//
//	s := testserver.FTPScript{Steps: testserver.Steps{
//		{Reply: "220 hello"},
//		{Want: "USER hawser", Reply: "331 password"},
//		{Want: "PASS *", Reply: "230 in"},
//		{Want: "EPSV", Reply: "229 go (|||{port}|)"},
//		{Want: "RETR a.txt", Reply: "150 here", Data: &testserver.Transfer{Send: "hello"}, Then: "226 done"},
//	}}.Start(t)
//
// After the last step the client may say QUIT, which is answered, or just leave.
type FTPScript struct {
	Steps Steps
	// Later are what the second connection plays, the third and so on; the last of them is for all that follow.
	// Empty means that every connection plays Steps.
	Later []Steps
	// Fault strikes the first connection.
	Fault FTPFault
	// Split is how many bytes of a reply go out in one write, and so in one record of TLS. Zero means all.
	Split int
	// Implicit begins with TLS.
	Implicit bool
	// Identity is presented over TLS. Nil means a fresh one if a step needs it; a test of many scripts makes one for
	// all of them.
	Identity *Identity
	// MinTLS and MaxTLS are tls.VersionTLS12 or tls.VersionTLS13. Zero is 1.2 and 1.3.
	MinTLS, MaxTLS uint16
}

// Steps are a conversation on one control connection. It is the client's fault, and fails the test, if it says
// something else than the next step wants, or leaves before the last one.
type Steps []Step

// Step is a command and what the server does about it, in the order of the fields.
type Step struct {
	// Want is the command: the whole line, or the beginning of one if it ends in "*", or a regular expression if it
	// stands between slashes. Empty waits for no command, as before the greeting.
	Want string
	// EndData ends the data connection that an earlier step left open.
	EndData bool
	// Reply is one line or several of them, without CR LF at the end; within, LF stands for CR LF. "{port}" is the
	// port of a listener for data that is opened on the spot, "{p1},{p2}" the same as PASV writes it; both have the
	// same length in every run. Empty says nothing.
	Reply string
	// Raw is said as it is, after Reply.
	Raw string
	// TLS begins TLS on the control connection.
	TLS bool
	// Data is a transfer. It uses the connection of the latest "{port}" or of the client's latest PORT or EPRT, with
	// TLS once PROT P has been answered by a 2yz reply.
	Data *Transfer
	// Then is said, in the manner of Reply, when the transfer is over, however it went.
	Then string
	// Close ends the control connection.
	Close bool
}

// Transfer is what happens on a data connection. The zero value sends nothing and ends the connection, as for an
// empty file.
type Transfer struct {
	// Send is sent to the client.
	Send string
	// Receive reads until the client ends the connection, or until Limit bytes have come if that is not zero. See
	// [ScriptedFTP.Uploads].
	Receive bool
	Limit   int64
	// Early opens the connection, TLS included, before the Reply. By default that comes after it.
	Early bool
	// Stranger is an address of this machine, such as 127.0.0.2, from which somebody else connects first and says
	// "stranger". It is for active transfers.
	Stranger string
	// Clear speaks no TLS whatever was agreed.
	Clear bool
	// NoNotify ends TLS without close_notify (RFC 8446, section 6.1), and Reset the connection with a reset.
	NoNotify, Reset bool
	// Open leaves the connection open until a later EndData.
	Open bool
}

// FTPStream is a stream of bytes that a script counts and where its Fault can strike.
type FTPStream int

// The streams of a connection, from those on that every script has. Data connections are counted together.
const (
	FTPReplies      FTPStream = repliesStream + iota // replies, as they are without TLS
	FTPRepliesWire                                   // what the server sends on the control connection, TLS and all
	FTPDownload                                      // content that the server sends
	FTPDownloadWire                                  // what the server sends on data connections, TLS and all
	FTPUpload                                        // content that the server receives
	ftpStreams
)

// FTPFault goes wrong at one byte. After a Stall the script does nothing more until the test ends; a Cut and a Reset
// end the script on a control connection, while a data connection ends and the script goes on. Once a fault has
// struck, the client may say and do anything. The zero value does nothing.
type FTPFault struct {
	Fault Fault
	On    FTPStream
	// After is how many bytes pass before. Garble changes the next one.
	After int64
}

// ReplyBytes counts what the steps say on the control connection, for a test that cuts at every byte.
func (steps Steps) ReplyBytes() int64 {
	var n int
	for _, step := range steps {
		n += len(wire(step.Reply, anyPort)) + len(step.Raw) + len(wire(step.Then, anyPort))
	}
	return int64(n)
}

// DownloadBytes counts what the steps send on data connections.
func (steps Steps) DownloadBytes() int64 {
	var n int
	for _, step := range steps {
		if step.Data != nil {
			n += len(step.Data.Send)
		}
	}
	return int64(n)
}

// wire is a reply as it goes over the wire, for a listener on port.
func wire(reply string, port port) string { return port.fill(lines(reply)) }

// Start plays the script to whoever connects, until the test ends or Close. A client that strayed from it fails the
// test.
func (s FTPScript) Start(t testing.TB) *ScriptedFTP {
	t.Helper()
	f := &ScriptedFTP{script: s, scripted: scripted{
		protocol: "ftp", t: t, id: s.Identity, telnet: true, split: s.Split, passed: make([]atomic.Int64, ftpStreams),
		fault: fault{kind: s.Fault.Fault, on: int(s.Fault.On), after: s.Fault.After},
	}}
	needed := func(steps Steps) bool { return slices.ContainsFunc(steps, func(s Step) bool { return s.TLS }) }
	f.start(scriptTLS{
		needed: s.Implicit || needed(s.Steps) || slices.ContainsFunc(s.Later, needed), min: s.MinTLS, max: s.MaxTLS,
	}, f.handle)
	return f
}
