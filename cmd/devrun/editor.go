package main

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// editors are the addresses by which editors open a file. Their schemes are the
// only ones that may be set: an address ends up as a link in pages.
var editors = map[string]string{
	"cursor":          "cursor://file/{file}:{line}:{column}",
	"goland":          "goland://open?file=/{file}&line={line}&column={column}",
	"idea":            "idea://open?file=/{file}&line={line}&column={column}",
	"sublime":         "subl://open?url=file:///{file}&line={line}&column={column}",
	"textmate":        "txmt://open?url=file:///{file}&line={line}&column={column}",
	"vscode":          "vscode://file/{file}:{line}:{column}",
	"vscode-insiders": "vscode-insiders://file/{file}:{line}:{column}",
	"vscodium":        "vscodium://file/{file}:{line}:{column}",
	"windsurf":        "windsurf://file/{file}:{line}:{column}",
	"zed":             "zed://file/{file}:{line}:{column}",
}

func editorNames() string {
	return strings.Join(slices.Sorted(maps.Keys(editors)), ", ")
}

// setEditor takes the name of an editor or an address with one of the known
// schemes; the setting is the address.
func setEditor(s *Settings, v string) error {
	if address, ok := editors[v]; ok {
		s.Editor = address
		return nil
	}
	scheme, _, isAddress := strings.Cut(v, "://")
	if !isAddress {
		return errors.New("it must be " + editorNames() + ", or an address with {file}")
	}
	known := slices.ContainsFunc(slices.Collect(maps.Values(editors)), func(address string) bool {
		return strings.HasPrefix(address, scheme+"://")
	})
	if _, err := url.Parse(v); err != nil || !known || !strings.Contains(v, "{file}") {
		return errors.New("an address must begin like that of a known editor, as in " + editors["vscode"])
	}
	s.Editor = v
	return nil
}

// linkTemplate is the address as package devserver takes it, where {file} begins
// with a slash and the column is {col}.
func linkTemplate(address string) string {
	return strings.NewReplacer("/{file}", "{file}", "{column}", "{col}").Replace(address)
}
