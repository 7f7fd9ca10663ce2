// Package certs decides whether a server is who it claims to be: it finds
// everything that is wrong with a TLS certificate, judges certificates and SSH
// host keys by what the connection allows and by what was accepted before, asks
// where nothing says, and remembers the answer. A [Verifier] goes into a driver;
// a [Store] remembers for it, in memory, in a JSON file or in OpenSSH's
// known_hosts.
//
// Where nobody can be asked, as in a job at night, the question is stored and
// the server is refused; [Store.Answer] then decides the next attempt. Once an
// identity is accepted for an address, nobody is asked again until it changes.
//
// # Certificates
//
// [Inspect] lists every anomaly of the chain that was presented. Then, in this
// order:
//
//  1. A certificate that a pin marks as revoked is refused, always, and so is
//     what came with it.
//  2. A certificate that is pinned for the address is accepted, whatever is
//     wrong with it by now. One that a CA has revoked since is not.
//  3. One that is revoked, or forged (bad-signature), is refused. No option
//     allows it, and nobody is asked.
//  4. If all that is wrong is allowed by [hawser.TLSOptions.Allow], or nothing
//     is wrong, it is accepted. An old protocol that the options ask for by
//     MinVersion or Legacy counts as allowed.
//  5. If nothing is pinned for the address and [hawser.TLSOptions.AutoAccept] is
//     set, the certificate is pinned and accepted. Also one that step 4 accepts
//     is pinned then, so that a later one has to be valid by itself.
//  6. Else somebody is asked. The question has the whole list of what is wrong,
//     and what is pinned for the address.
//
// An https proxy is judged by the system's roots and by the pins of its own
// address; no option of a connection applies to it.
//
// # SSH host keys
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
//  7. Else somebody is asked.
package certs
