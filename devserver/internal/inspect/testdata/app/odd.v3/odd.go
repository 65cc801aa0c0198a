// Package strange is not called like its directory.
package strange

type Thing struct{ N int }

func New(n int) Thing { return Thing{n} }
