// Package forms reads HTML forms, says what is wrong with them, and is what the
// templates draw them from. The messages are those of WTForms.
package forms

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Form is a form: what it asks for, what the visitor has typed, and what is
// wrong with that.
type Form struct {
	Action     string // the address that it is sent to, "" for that of the page
	Submit     string // the label of the button
	NoValidate bool   // the browser leaves the checks to the server
	Fields     []*Field
}

// Field is one input of a form.
type Field struct {
	Name         string
	Label        string
	Type         string // of the input; Area is a field of several lines
	Autocomplete string // what a browser may fill in
	MaxLength    int    // what a browser lets in, in UTF-16 units; 0 is any length
	Required     bool   // nothing but white space is refused
	Rules        []Rule // asked one after the other if there is a value

	Value  string
	Errors []string
}

// Area is the type of a field of several lines.
const Area = "textarea"

// Shown is the value as the page repeats it: never a password.
func (f *Field) Shown() string {
	if f.Type == "password" {
		return ""
	}
	return strings.ToValidUTF8(f.Value, "\uFFFD")
}

// Checked is the value of a checkbox: what is not off is on.
func (f *Field) Checked() bool { return !slices.Contains([]string{"", "false", "False"}, f.Value) }

// Read takes over what was sent and reports whether nothing is wrong with it.
func (f *Form) Read(sent url.Values) bool {
	for _, field := range f.Fields {
		field.Value = sent.Get(field.Name)
		field.Errors = f.problems(field)
	}
	return f.Valid()
}

func (f *Form) problems(field *Field) (all []string) {
	switch {
	case !storable(field.Value):
		return []string{"Field contains characters that are not text."}
	case field.Required && strings.TrimSpace(field.Value) == "":
		return []string{"This field is required."}
	}
	for _, rule := range field.Rules {
		if problem := rule(f, field.Value); problem != "" {
			all = append(all, problem)
		}
	}
	return all
}

// storable reports whether a database takes the value as text.
func storable(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsRune(value, 0)
}

// Valid reports whether nothing is wrong.
func (f *Form) Valid() bool {
	return !slices.ContainsFunc(f.Fields, func(field *Field) bool { return len(field.Errors) > 0 })
}

// Field returns the field of that name, which must be there.
func (f *Form) Field(name string) *Field {
	i := slices.IndexFunc(f.Fields, func(field *Field) bool { return field.Name == name })
	return f.Fields[i]
}

// Value is the value of the field of that name.
func (f *Form) Value(name string) string { return f.Field(name).Value }

// Refuse adds to what is wrong with a field.
func (f *Form) Refuse(name, problem string) {
	field := f.Field(name)
	field.Errors = append(field.Errors, problem)
}
