package pgtest

import (
	"errors"
	"syscall"
)

func installed() (dir string, err error) {
	return "", errors.New("the tests start no PostgreSQL on Windows")
}

func unprivileged(dir string) (*syscall.SysProcAttr, error) { return nil, nil }
