// Package binaries makes what runs: from source to a binary with devrun's hook in it, as
// fast as it can be made, with what belongs to it later: the proof that go build makes
// the same, debug information, the types of its packages, and a copy for the next run.
//
// A [Maker] has one build at a time and does one other thing beside it; which, and when,
// is for its owner to say. It may be used by several goroutines.
package binaries
