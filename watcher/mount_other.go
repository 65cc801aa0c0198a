//go:build !linux

package watcher

// mountPolls knows no file system here: on a share that another machine writes
// to, Options.Poll must be set by hand.
func mountPolls(string) (name string, poll bool, err error) { return "", false, nil }
