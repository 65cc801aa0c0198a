package page

import (
	"fmt"
	"html/template"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// editors are the names that the setting takes. {file} begins with a slash.
var editors = map[string]string{
	"vscode":          "vscode://file{file}:{line}:{col}",
	"vscode-insiders": "vscode-insiders://file{file}:{line}:{col}",
	"vscodium":        "vscodium://file{file}:{line}:{col}",
	"cursor":          "cursor://file{file}:{line}:{col}",
	"windsurf":        "windsurf://file{file}:{line}:{col}",
	"zed":             "zed://file{file}:{line}:{col}",
	"idea":            "idea://open?file={file}&line={line}&column={col}",
	"goland":          "goland://open?file={file}&line={line}&column={col}",
	"sublime":         "subl://open?url=file://{file}&line={line}&column={col}",
	"emacs":           "emacs://open?url=file://{file}&line={line}&column={col}",
	"vim":             "mvim://open?url=file://{file}&line={line}&column={col}",
	"mvim":            "mvim://open?url=file://{file}&line={line}&column={col}",
}

// schemes are what a template may begin with: those of editors only, since the
// link is made of names that a dependency or a //line comment can choose.
var schemes = []string{
	"vscode", "vscode-insiders", "vscodium", "cursor", "windsurf", "zed", "idea", "goland", "jetbrains",
	"subl", "txmt", "emacs", "mvim", "vim",
}

// editor is a template of links; "" makes none.
type editor string

// parseEditor takes a setting of the editor: a name (vscode, goland, vim …), "none",
// "" for vscode, or a template of an editor's own scheme with {file} and, where
// wanted, {line} and {col} in it.
func parseEditor(s string) (editor, error) {
	switch s {
	case "none":
		return "", nil
	case "":
		s = "vscode"
	}
	if t, ok := editors[s]; ok {
		return editor(t), nil
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return "", fmt.Errorf("unknown editor %q: use %s, none, or a template like vscode://file{file}:{line}:{col}", s, strings.Join(editorNames(), ", "))
	}
	if !slices.Contains(schemes, strings.ToLower(scheme)) {
		return "", fmt.Errorf("editor template %q begins with %s://, which is not an editor's: use one of %s", s, scheme, strings.Join(schemes, ", "))
	}
	if !strings.Contains(rest, "{file}") {
		return "", fmt.Errorf("editor template %q has no {file}", s)
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'<>`\\^|", r) }) {
		return "", fmt.Errorf("editor template %q has a character that no address has: percent-encode it", s)
	}
	if _, err := url.Parse(strings.NewReplacer("{file}", "/f", "{line}", "1", "{col}", "1").Replace(s)); err != nil {
		return "", fmt.Errorf("editor template: %w", err)
	}
	return editor(s), nil
}

func editorNames() []string {
	var names []string
	for name := range editors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// link returns the address that opens file, an absolute path, or "" where there is
// none to give. Lines and columns that are not known are 1.
func (e editor) link(file string, line, col int) template.URL {
	if e == "" || !filepath.IsAbs(file) {
		return ""
	}
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/app/main.go
	}
	return template.URL(strings.NewReplacer(
		"{file}", encode(path),
		"{line}", strconv.Itoa(max(line, 1)),
		"{col}", strconv.Itoa(max(col, 1)),
	).Replace(string(e)))
}

// encode percent-encodes all of a path that could end it or begin something else
// in an address, in a path as well as in a query.
func encode(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/-._~", c) >= 0 || c == ':' && i == 2 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
