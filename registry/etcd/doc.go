// Package etcd keeps connections in etcd, for jobs on many machines, and holds
// [hawser.Limits].Sessions across all of them.
//
//	client, err := etcd.Dial(ctx, etcd.Config{Endpoints: []string{"https://etcd.example.com:2379"}})
//	registry, err := etcd.Open(ctx, client, etcd.Options{Key: seal.KeyFile("/etc/hawser/key")})
//	limiter, err := etcd.NewLimiter(client, etcd.LimiterOptions{})
//
// A [Registry] is told of each change at once, compares and swaps by the
// revisions of etcd, and stores literal secrets sealed. A [Limiter] counts
// sessions by keys that end with the process that made them.
//
// Below the prefix, "/hawser/" unless another is given, are
//
//	connections/NAME     a connection as JSON, with sealed secrets
//	seal                 the seal.Header, as JSON, if there is a key
//	limits/SERVER/PLACE  who has a session of a server, or waits for one
//	ended/PLACE          that a place was given up before etcd had answered for it
//
// so a user of etcd needs readwrite on that prefix, or read for a Registry that
// is only read. It works with etcd 3.4 and later.
package etcd
