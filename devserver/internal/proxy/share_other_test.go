//go:build !linux

package proxy

import (
	"errors"
	"testing"
)

func bindShared(*testing.T, string, int) error { return errors.ErrUnsupported }
