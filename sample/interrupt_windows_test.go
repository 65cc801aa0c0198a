package main

import "os"

// interrupt ends a process: there is no asking.
func interrupt(p *os.Process) { p.Kill() }
