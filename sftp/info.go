package sftp

import (
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/pkg/sftp"

	"github.com/hawser/hawser"
)

// info is a FileInfo whose Sys is a *hawser.FileAttributes.
type info struct {
	os.FileInfo
	attributes *hawser.FileAttributes
}

func (i info) Sys() any { return i.attributes }

func newInfo(f os.FileInfo) fs.FileInfo {
	attributes := &hawser.FileAttributes{}
	if told, ok := f.Sys().(*sftp.FileStat); ok {
		attributes.Owner = strconv.FormatUint(uint64(told.UID), 10)
		attributes.Group = strconv.FormatUint(uint64(told.GID), 10)
		if told.Atime != 0 || told.Mtime != 0 { // else the server told neither
			attributes.Accessed = time.Unix(int64(told.Atime), 0)
		}
	}
	return info{FileInfo: f, attributes: attributes}
}
