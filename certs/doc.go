// Package certs decides whether a server is who it claims to be: it judges SSH
// host keys by what was accepted before, asks where nothing says, and remembers
// the answer. A [Verifier] goes into a driver; a [Store] remembers for it, in
// memory, in a JSON file or in OpenSSH's known_hosts.
//
// A host key is judged in this order:
//
//  1. A key that is marked as revoked is refused, always.
//  2. Where [hawser.SSHOptions.HostKeys] lists fingerprints, the key is accepted
//     if it is listed and refused if not. Nobody is asked.
//  3. A key that is pinned for the address is accepted.
//  4. A host certificate must be signed by an authority that is pinned for the
//     address, and be valid for the host; else it is refused. Nobody is asked.
//  5. If other keys are pinned for the address, of whatever type, the key has
//     changed: somebody is asked, and the question says so.
//  6. If nothing is known and [hawser.SSHOptions.AutoAccept] is set, the key is
//     pinned and accepted. An authority for the address counts as known.
//  7. Else somebody is asked. Where nobody can be, the question is stored, the
//     server is refused, and [Store.Answer] decides the next attempt.
package certs
