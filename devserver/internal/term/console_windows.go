package term

import (
	"os"

	"golang.org/x/sys/windows"
)

// understandsEscapes switches the console of f to escape sequences; consoles
// before Windows 10 have none, and get plain text.
func understandsEscapes(f *os.File) bool {
	h := windows.Handle(f.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(h, &mode); err != nil {
		return false
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
