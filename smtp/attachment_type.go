package smtp

import (
	"path"
	"strings"
)

const anyContent = "application/octet-stream"

// contentType returns what a is sent as.
func (a Attachment) contentType() string {
	if a.ContentType != "" {
		return a.ContentType
	}
	return typeByExtension(strings.ToLower(path.Ext(a.base())))
}

// typeByExtension knows what jobs send. package mime would ask the machine,
// which differ. Nothing is of type message/rfc822, which must not be in base64
// (RFC 2046, section 5.2.1).
func typeByExtension(ext string) string {
	const office, open = "application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument."
	known := map[string]string{
		".7z": "application/x-7z-compressed", ".avif": "image/avif", ".bmp": "image/bmp", ".bz2": "application/x-bzip2",
		".css": "text/css", ".csv": "text/csv", ".doc": "application/msword", ".docx": office + "wordprocessingml.document",
		".gif": "image/gif", ".gz": "application/gzip", ".htm": "text/html", ".html": "text/html", ".ics": "text/calendar",
		".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".js": "text/javascript", ".json": "application/json", ".log": "text/plain",
		".md": "text/markdown", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".odp": open + "presentation",
		".ods": open + "spreadsheet", ".odt": open + "text", ".ogg": "audio/ogg", ".p7m": "application/pkcs7-mime",
		".pdf": "application/pdf", ".png": "image/png", ".ppt": "application/vnd.ms-powerpoint",
		".pptx": office + "presentationml.presentation", ".rtf": "application/rtf", ".svg": "image/svg+xml",
		".tar": "application/x-tar", ".tgz": "application/gzip", ".tif": "image/tiff", ".tiff": "image/tiff",
		".tsv": "text/tab-separated-values", ".txt": "text/plain", ".vcf": "text/vcard", ".wav": "audio/wav",
		".webp": "image/webp", ".xls": "application/vnd.ms-excel", ".xlsx": office + "spreadsheetml.sheet",
		".xml": "application/xml", ".xz": "application/x-xz", ".yaml": "application/yaml", ".yml": "application/yaml",
		".zip": "application/zip", ".zst": "application/zstd",
	}
	if found := known[ext]; found != "" {
		return found
	}
	return anyContent
}
