package build

import (
	"slices"
	"strings"
)

// Args is the command line of the build, "go" included.
func Args(r Request) []string {
	return append(append([]string{"go", "build", "-o", r.Output}, Flags(r)...), r.Package)
}

// Flags are the build flags of a request, as go build and go list take them.
//
// The go command gives a package the flags of the last -gcflags (-ldflags) that
// matches it and forgets the others, those of GOFLAGS included. So each value of
// the user is passed again with ours before it, in the user's order: what the
// user says last still wins, and against ours too.
func Flags(r Request) []string {
	var args []string
	if !r.Optimised {
		args = append(args, "-buildvcs=false")
		args = append(args, quiet(r.GOFLAGS)...)
	}
	if r.Tags != "" {
		args = append(args, "-tags="+r.Tags)
	}
	if r.Race {
		args = append(args, "-race")
	}
	if r.Trimpath {
		args = append(args, "-trimpath")
	}
	if r.Optimised {
		if r.GCFlags != "" {
			args = append(args, "-gcflags="+r.GCFlags)
		}
		if r.LDFlags != "" {
			args = append(args, "-ldflags="+r.LDFlags)
		}
		return args
	}
	if r.Overlay != "" {
		args = append(args, "-overlay="+r.Overlay)
	}
	for _, value := range gcflags(r) {
		args = append(args, "-gcflags="+value)
	}
	for _, value := range ldflags(r) {
		args = append(args, "-ldflags="+value)
	}
	return args
}

// CompilerFlags are those that the -gcflags of a request without the user's own
// give to the package of an import path.
func CompilerFlags(r Request, importPath string) []string {
	in := func(pattern string) bool {
		path, below := strings.CutSuffix(pattern, "/...")
		return importPath == path || below && strings.HasPrefix(importPath, path+"/")
	}
	switch {
	case r.HookPattern != "" && in(strings.TrimSuffix(r.HookPattern, "/...")+"/..."):
		return []string{noPointerChecks}
	case slices.ContainsFunc(r.UserPatterns, in):
		return strings.Fields(debugging(""))
	}
	return nil
}

// GOFLAGS are the flags that the user's GOFLAGS holds, name and value, in order.
func GOFLAGS(r Request) [][2]string {
	var flags [][2]string
	fields, _ := split(r.GOFLAGS)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		flags = append(flags, [2]string{trimDashes(name), value})
	}
	return flags
}

// The hook reads the runtime's structures by address, which the pointer checks
// that -race turns on would take for a mistake.
const noPointerChecks = "-d=checkptr=0"

// gcflags: the user's packages for debugging, all others as they are.
func gcflags(r Request) []string {
	var values []string
	for _, pattern := range r.UserPatterns {
		values = append(values, pattern+"="+debugging(""))
	}
	for _, value := range given(r.GOFLAGS, "gcflags", r.GCFlags) {
		pattern, flags, ok := cutPattern(value)
		switch {
		case !ok:
			values = append(values, value) // the go command will say what is wrong
		case pattern == "":
			values = append(values, debugging(flags)) // package main, which is the user's
		case overlaps(pattern, r.UserPatterns):
			values = append(values, pattern+"="+debugging(flags))
		default:
			values = append(values, pattern+"="+flags)
			for _, own := range r.UserPatterns {
				if covers(pattern, own) {
					values = append(values, own+"="+debugging(flags))
				}
			}
		}
	}
	if r.HookPattern != "" {
		values = append(values, strings.TrimSuffix(r.HookPattern, "/...")+"/...="+noPointerChecks)
	}
	return values
}

// DebugFlags are the linker's flags with which a request differs from one with
// Debugger: what they are without it, and what with it. Symbols are left out as they
// take a twentieth of a link.
var DebugFlags = [][2]string{{"-s=1", "-s=0"}, {"-w=1", "-w=0"}}

// ldflags: no symbols and no debug info, and what the hook needs. Only those that
// match package main count, so patterns need no care.
func ldflags(r Request) []string {
	values := []string{linking(r, "")}
	for _, value := range given(r.GOFLAGS, "ldflags", r.LDFlags) {
		pattern, flags, ok := cutPattern(value)
		switch {
		case !ok:
			values = append(values, value)
		case pattern == "":
			values = append(values, linking(r, flags))
		default:
			values = append(values, pattern+"="+linking(r, flags))
		}
	}
	return values
}

// linking puts our flags before the user's. Who asks for debug info wants to debug
// what runs, and Delve needs the symbols, too.
//
// The flags go into the binary as a string, so with a debugger they must be as
// long as without: nothing may lie elsewhere.
func linking(r Request, flags string) string {
	var ours []string
	fields, _ := split(flags) // the go command reports what is wrong with them
	wanted := slices.ContainsFunc(fields, func(f string) bool { return trimDashes(f) == "w=0" || trimDashes(f) == "w=false" })
	for _, f := range DebugFlags {
		switch {
		case wanted && f[0] == "-s=1":
		case r.Debugger:
			ours = append(ours, f[1])
		default:
			ours = append(ours, f[0])
		}
	}
	ours = append(ours, "-compressdwarf=false")
	return join(strings.TrimSpace(strings.Join(ours, " ")+" "+r.HookLDFlags), flags)
}

// debugging puts -N -l before flags. Each counts, and two -l would turn inlining
// on again, so one that the user gives is not repeated.
func debugging(flags string) string {
	fields, _ := split(flags) // the go command reports what is wrong with them
	has := func(name string) bool {
		return slices.ContainsFunc(fields, func(f string) bool {
			f, _, _ = strings.Cut(strings.TrimPrefix(f, "-"), "=")
			return strings.TrimPrefix(f, "-") == name
		})
	}
	ours := ""
	for _, name := range []string{"N", "l"} {
		if !has(name) {
			ours = join(ours, "-"+name)
		}
	}
	return join(ours, flags)
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

// given are the user's values of a flag in the order in which the go command
// takes them: GOFLAGS first, then the command line.
func given(goflags, name, value string) []string {
	var values []string
	fields, _ := split(goflags)
	for _, f := range fields {
		if n, v, ok := strings.Cut(f, "="); ok && trimDashes(n) == name {
			values = append(values, v)
		}
	}
	if value != "" {
		values = append(values, value)
	}
	return values
}

// quiet turns off the flags in GOFLAGS that make go build print what is no
// diagnostic, or build nothing.
func quiet(goflags string) []string {
	var args []string
	fields, _ := split(goflags)
	for _, f := range fields {
		name, _, _ := strings.Cut(f, "=")
		switch name = trimDashes(name); name {
		case "n", "x", "v", "json", "work":
			args = append(args, "-"+name+"=false")
		}
	}
	return args
}

func trimDashes(flag string) string {
	return strings.TrimPrefix(strings.TrimPrefix(flag, "-"), "-")
}

// cutPattern splits "pattern=flags"; flags alone have no pattern. Not ok is what
// the go command will refuse.
func cutPattern(value string) (pattern, flags string, ok bool) {
	value = strings.TrimSpace(value)
	if value == "" || value[0] == '-' {
		return "", value, true
	}
	pattern, flags, ok = strings.Cut(value, "=")
	return strings.TrimSpace(pattern), flags, ok && pattern != "" && !strings.ContainsAny(value[:1], `'"`)
}

// overlaps reports that a pattern can match some packages of the user without
// covering all of one of their patterns. Directories are the user's.
func overlaps(pattern string, own []string) bool {
	if pattern == "work" || pattern == "." || pattern == ".." || strings.HasPrefix(pattern, "./") || strings.HasPrefix(pattern, "../") {
		return true
	}
	return slices.ContainsFunc(own, func(own string) bool {
		if covers(pattern, own) {
			return false
		}
		head, _, wild := strings.Cut(pattern, "...")
		ownHead, _, _ := strings.Cut(own, "...")
		ownHead = strings.TrimSuffix(ownHead, "/")
		return covers(own, pattern) || wild && (strings.HasPrefix(ownHead, head) || strings.HasPrefix(head, ownHead+"/"))
	})
}

// covers reports that every package matching b matches a, for those forms of a
// where that is plain: a path, "path/...", "prefix...", "all".
func covers(a, b string) bool {
	if a == "all" || a == b {
		return true
	}
	head, tail, wild := strings.Cut(a, "...")
	if !wild || tail != "" {
		return false
	}
	return strings.HasPrefix(b, head) || strings.TrimSuffix(b, "/...")+"/" == head
}

// split divides a list of flags as the go command does: at blanks, but a field
// that begins with ' or " goes on to the same mark, with nothing escaped.
func split(s string) (fields []string, ok bool) {
	const blank = " \t\r\n"
	for s = strings.TrimLeft(s, blank); s != ""; s = strings.TrimLeft(s, blank) {
		if s[0] == '\'' || s[0] == '"' {
			end := strings.IndexByte(s[1:], s[0])
			if end < 0 {
				return fields, false
			}
			fields, s = append(fields, s[1:1+end]), s[end+2:]
			continue
		}
		end := strings.IndexAny(s, blank)
		if end < 0 {
			end = len(s)
		}
		fields, s = append(fields, s[:end]), s[end:]
	}
	return fields, true
}
