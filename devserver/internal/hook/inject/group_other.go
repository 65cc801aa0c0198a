//go:build unix && !linux && go1.21

package hook

import "time"

// outlive has nothing to do: no signal comes when devrun dies.
func outlive() {}

// endOthers cannot see the processes of a group here: the whole group is told
// at once, and a child that ignores SIGTERM outlives an app that does not.
func endOthers(int, time.Time) bool { return false }
