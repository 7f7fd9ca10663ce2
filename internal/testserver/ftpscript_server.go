package testserver

import "slices"

// ScriptedFTP is a running [FTPScript]. All methods may be called concurrently.
type ScriptedFTP struct {
	scripted
	script  FTPScript
	uploads []Upload // guarded by scripted.mu
}

// Upload is what came over a data connection.
type Upload struct {
	Content string
	// Err is nil if the client ended the connection in order, with close_notify if it spoke TLS, or if the server had
	// enough.
	Err error
}

// Uploads are what the transfers that receive have received since the start. The last one may be under way.
func (f *ScriptedFTP) Uploads() []Upload {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.uploads)
}

// Passed counts the bytes of a stream on all connections since the start. It tells a test how far its faults on the
// wire of TLS have to go, which is not the same in each run.
func (f *ScriptedFTP) Passed(on FTPStream) int64 { return f.passed[on].Load() }

// received notes content that came, and how it ended.
func (f *ScriptedFTP) received(u Upload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uploads = append(f.uploads, u)
}
