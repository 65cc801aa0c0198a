package web

import "testing"

func TestNothing(t *testing.T) {}
