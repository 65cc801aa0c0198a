//go:build !unix || aix || solaris

package logfile

import "os"

const locks = false

func lock(*os.File) error   { return nil }
func unlock(*os.File) error { return nil }
