//go:build !linux

package proc

// FirstPort returns "" when the app has ended: where there is no /proc,
// nothing tells where an app without a hook listens.
func (p *Process) FirstPort() string {
	<-p.exited
	return ""
}

// Listening returns "": where there is no /proc, nothing tells.
func Listening(int) string { return "" }
