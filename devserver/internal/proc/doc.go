// Package proc runs one app process and promises that nothing of it is left
// when it is over.
//
// The app leads a session of its own. That keeps it from the terminal that
// devrun runs on: what it writes there is copied, what is typed reaches it
// through a pseudo terminal, and it is never stopped for reading in the
// background. When a stream of devrun is a terminal, the app's is one too.
//
// All that descends from the app is its tree. Stop ends the tree, and so does
// the app when it ends by itself: a port that a child still holds would fail
// the next start. The app's process id stays taken, as a zombie, until the
// last signal to its tree is sent, so that no other process can be hit.
//
// Linux keeps all of it: devrun becomes the parent of orphans in the tree,
// also of those in sessions of their own, and the kernel kills the app when
// devrun dies. An app with a hook takes that signal back and ends itself and
// its group instead; what left the group outlives a devrun killed by SIGKILL,
// and without a hook so does whatever the app started. An orphan that left the
// session and also dropped its environment before devrun saw it is not found.
//
// On macOS and the BSDs the tree is the app's process group only: a child in
// a session of its own survives, the app outlives a devrun killed by SIGKILL
// (its hook then ends it, at the end of the channel), and ReadsStdin and
// Holder know nothing. On Windows, moreover, there is no channel to a hook,
// no pseudo terminal and no gentle stop: Stop kills the app at once, and its
// children survive.
package proc
