package file

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// startFollowing has all goroutines that follow the file running when it returns.
// They end with r.
func (r *Registry) startFollowing(poll time.Duration) {
	told := make(chan struct{}, 1)
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		notify = nil // the system has no more of them; the file is looked at then
	} else {
		r.follow.Go(func() { forward(notify, told) })
	}
	r.follow.Go(func() { r.run(poll, notify, told) })
}

// run notices changes until r is closed: at once where the operating system tells
// of them, and else by looking every now and then. It closes notify.
func (r *Registry) run(poll time.Duration, notify *fsnotify.Watcher, told <-chan struct{}) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	if notify != nil {
		defer notify.Close()
	}
	for {
		if notify != nil {
			watchDirs(notify, r.path)
		}
		_, _ = r.current(context.Background()) // what is wrong is in the state
		select {
		case <-r.closed:
			return
		case <-ticker.C:
		case <-told:
		}
	}
}

// forward has told hold a token while there is something to look for, also where
// events were lost. It takes events all the time, because a Watcher that cannot
// send may hold the lock that watchDirs waits for. It ends when notify is closed.
func forward(notify *fsnotify.Watcher, told chan<- struct{}) {
	for {
		var ok bool
		select {
		case _, ok = <-notify.Events:
		case _, ok = <-notify.Errors:
		}
		if !ok {
			return
		}
		select {
		case told <- struct{}{}:
		default:
		}
	}
}

// watchDirs has notify tell of changes in the directories that lead to path, and in
// no others. Watching the directories shows a file that is replaced, and a symbolic
// link that is: Kubernetes mounts a file as a link through "..data", another link,
// which it replaces. Whatever cannot be watched is found by looking.
func watchDirs(notify *fsnotify.Watcher, path string) {
	want := leading(path)
	have := notify.WatchList()
	for _, dir := range have {
		if !slices.Contains(want, dir) {
			_ = notify.Remove(dir)
		}
	}
	for _, dir := range want {
		if !slices.Contains(have, dir) {
			_ = notify.Add(dir)
		}
	}
}

// leading returns the directories in which a change can lead path to another file.
func leading(path string) []string {
	const most = 40 // links, as Linux has it
	var dirs []string
	for range most {
		dir := filepath.Dir(path)
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		dirs = append(dirs, dir)
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
