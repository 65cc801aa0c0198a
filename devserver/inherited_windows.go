package devserver

// takeInherited takes nothing: there are no such descriptors here.
func takeInherited() (inherited, error) { return inherited{}, nil }
