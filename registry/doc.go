// Package registry composes registries and moves connections between them.
//
//   - [Layered] looks into several registries in the caller's order, and
//     explains which of them a connection comes from.
//   - [ReadOnly] hides that a registry can be changed; [Prefix] shows the
//     connections of one team or tenant as a registry of their own.
//   - [Environment] reads connections from variables such as
//     HAWSER_CONN_BANK=sftp://user@host.
//   - [ParseSSHConfig], [ReadURLs] and [ReadJSON] import connections, [WriteURLs]
//     and [WriteJSON] export them without secrets, and [Copy] carries all of one
//     registry into another, secrets too.
//
// The registries that keep connections are in the packages below:
// registry/file, registry/sql, registry/postgres and registry/etcd.
package registry
