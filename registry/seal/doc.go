// Package seal keeps literal secrets of a registry unreadable to whoever has
// the registry alone. A secret is encrypted with age (age-encryption.org/v1) to
// an X25519 key, and stands in the stored form of a connection as the reference
// {"ref": "sealed:..."}: base64 of an age file, so that the age tool reads it
// too, when everything else is lost.
//
// A registry opens its [Key] with the [Header] that it has stored, which tells
// the right key from a wrong one before anything is written, and keeps the
// [Sealer]:
//
//	sealer, header, err := key.Open(ctx, stored)
//	// store header first, if it differs from stored
//	b, err := sealer.Marshal(connection, nil)
//	connection, err = sealer.Unmarshal(b)
//
// Sealing hides secrets from readers. It does not tell who wrote them: whoever
// may write the registry can send a sealed secret to another host.
package seal
