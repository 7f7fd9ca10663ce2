// Package livetest shows, for any registry, what a change of a definition and a
// failure of the registry mean to jobs that run: [Follow] edits a definition under
// fifty of them, and [Outage] takes the registry away. Both use a Manager as
// package standard makes it, and servers of package testserver.
//
// They take the time of the machine that they run on, so they do not run beside
// parallel tests.
package livetest
