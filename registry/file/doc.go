// Package file is a registry in one YAML or JSON file, which people edit by hand
// and programs by [Registry.Put]:
//
//	version: 1
//	seal: # made by the registry when it seals the first secret
//	  recipient: age1...
//	connections:
//	  bank: # jobs open it by this name
//	    protocol: sftp
//	    host: sftp.bank.example.com
//	    auth:
//	      user: acme
//	      password: {ref: env:BANK_PASSWORD}
//
// The connections are a mapping and no list, because their names are what people
// look for, and so that one name cannot stand there twice. Their fields have the
// names of the stored form, see [hawser.Connection]. The file is read strictly: a
// field that is unknown, given twice or of the wrong kind is an error with file,
// line and column, as are aliases, anchors and tags of YAML. A plain text is one
// even where YAML has special words for names, so that a connection may be called
// null; a value that YAML takes for a number has to stand in quotes to be text.
//
// A literal secret is stored sealed, see package seal, and never in the clear:
// a file that has one in the clear is refused, until [Seal] or its owner has
// mended it.
//
// Put and Delete keep the comments, the order and the form of all that they do
// not change, byte by byte. Each write replaces the file as a whole, so that a
// reader finds the old content or the new, and leaves what was there before
// beside it, with the ending .bak; a second file with the ending .lock keeps
// other processes waiting meanwhile. The directory has to be local, since few
// network file systems tell of changes or keep locks.
package file
