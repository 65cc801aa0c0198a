// Package inspect shows the frames and variables of a goroutine that waits, in
// a process that goes on running: nothing is stopped, traced or written.
//
// The debug information comes from a second link of the app ([Load]), the
// values from the process's memory, through a backend of Delve's pkg/proc. Only
// this package knows Delve, whose API promises nothing; what it keeps to itself
// and is needed here is in delve.go.
//
// The promises:
//
//   - A value that is shown is what the memory held when it was read. What may
//     be something else says so: optimised away, unreadable, cut, left out.
//   - Whatever the memory holds, a call takes bounded time and space, and does
//     not panic.
//   - All calls on a Binary and its Processes may be made from several
//     goroutines; they wait for each other.
//
// The limits: the goroutine has to stay parked meanwhile, which is checked, and
// what it refers to has to be kept alive, which is the business of whoever
// parks it. What other goroutines change while it is read may be seen half
// changed. Linux only, for executables at a fixed address.
package inspect
