package devserver

// ownDir keeps every directory: who owns one is not looked up on Windows, so
// what killed runs leave behind stays until the system cleans its temporary
// directory.
func ownDir(string) bool { return false }

func alive(int) bool { return true }
