// Package watcher says which files changed, in batches, truthfully.
//
// The truth is a snapshot (path to size, times, inode and content hash) that is
// compared with the last one. File notifications only say where to look, so
// lost events, moved trees, atomic saves and polling are one code path.
//
// It promises:
//
//   - A difference between two snapshots is never lost: not when the kernel's
//     queue overflows, not when a directory appears with files in it, not when
//     two saves have the same size and the same time.
//   - A touch, or a save of the same bytes, is no change once the file's hash is
//     known; hashes are read in the background after Watch returns. Files over
//     8 MB are judged by size, time and inode alone.
//   - A change is offered as soon as it is seen. Only a batch in which every file
//     is gone or empty, which is how half of a save looks, waits 30 ms for the
//     other half.
//   - What git does in one command, as a checkout, is in one batch: while git holds
//     the lock of its index and files go on changing, nothing is offered. It ends
//     when nothing has changed for 300 ms and two polls, or the lock is 10 s old, so
//     that a lock which stays keeps no save back.
//   - What is ignored is never entered and costs nothing, however large it is.
//   - At rest it does nothing: no timer runs unless it polls.
//   - Where notifications cannot work (network and host-shared file systems, watch
//     limits) it polls, and says so once.
//
// Its limits: content that came and went between two looks is not told, so a
// receiver that read it of a file named before keeps it; changes through a shared
// memory mapping are noticed when the file's time changes and something else
// wakes the directory (or at the next poll); a file that git tracks although
// .gitignore names it counts as ignored; .gitignore is matched case-sensitively
// everywhere; a directory above a watched root that is renamed is noticed with
// the next event below it.
//
// Symlinked roots and files are followed. A symlink to a directory inside a tree
// is followed unless that directory is in a tree already or holds one.
//
// Reading order: watcher.go (the loop), scope.go (what counts), snapshot.go,
// scan.go and content.go (the truth), file.go (when two files are the same),
// pending.go (batches), wake.go (notifications), gitignore.go and repo.go (what is
// ignored), mount.go (where notifications work).
package watcher
