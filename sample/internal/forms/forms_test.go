package forms

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	const required, text = "This field is required.", "Field contains characters that are not text."
	for _, c := range []struct {
		value string
		want  []string
	}{
		{"susan", nil},
		{" susan", nil}, // nothing is trimmed
		{"", []string{required}},
		{" \t\r\n", []string{required}},
		{"\xff", []string{text}},
		{"a\x00", []string{text}},
		{"a/b/c/d", []string{"Field must be between 1 and 6 characters long.", "Field must not contain / or control characters, nor be . or .. alone."}},
	} {
		f := &Form{Fields: []*Field{{Name: "name", Required: true, Rules: []Rule{Length(1, 6), Segment}}}}
		if valid := f.Read(url.Values{"name": {c.value}}); valid != (c.want == nil) || !slices.Equal(f.Field("name").Errors, c.want) {
			t.Errorf("%q: valid %v, %q", c.value, valid, f.Field("name").Errors)
		}
	}
}

func TestReadAgain(t *testing.T) {
	f := &Form{Fields: []*Field{{Name: "name", Required: true}}}
	if f.Read(nil) {
		t.Error("nothing was sent and all is well")
	}
	f.Refuse("name", "no")
	if !f.Read(url.Values{"name": {"x"}}) {
		t.Errorf("what was wrong before is still: %q", f.Field("name").Errors)
	}
}

func TestShown(t *testing.T) {
	for _, c := range []struct {
		field Field
		want  string
	}{
		{Field{Type: "text", Value: "a"}, "a"},
		{Field{Type: "text", Value: "a\xff"}, "a\uFFFD"},
		{Field{Type: "password", Value: "a"}, ""},
	} {
		if got := c.field.Shown(); got != c.want {
			t.Errorf("%+v is shown as %q", c.field, got)
		}
	}
}

func TestChecked(t *testing.T) {
	for value, want := range map[string]bool{"": false, "false": false, "False": false, "y": true, "0": true, "off": true} {
		if got := (&Field{Value: value}).Checked(); got != want {
			t.Errorf("%q is %v", value, got)
		}
	}
}

func TestLength(t *testing.T) {
	for value, ok := range map[string]bool{
		"": true, strings.Repeat("é", 4): true, strings.Repeat("😀", 4): true, "\r\n\r\n": true, strings.Repeat("x", 5): false,
	} {
		if problem := Length(0, 4)(nil, value); (problem == "") != ok {
			t.Errorf("%q: %q", value, problem)
		}
	}
}

func TestEmail(t *testing.T) {
	for _, good := range []string{"susan@example.com", "é@exämple.com", strings.Repeat("x", 65) + "@example.com", "a.b+c@x-y.example.com", "o'neil@example.com"} {
		if problem := Email(nil, good); problem != "" {
			t.Errorf("%s: %s", good, problem)
		}
	}
	for _, bad := range []string{"", "susan", "@example.com", "susan@", " susan@example.com", "susan@example.com ", "su san@example.com", "susan@exa mple.com",
		"susan@example", "a..b@example.com", ".a@example.com", "a.@example.com", "a@b@example.com", "susan@-x.com", "susan@x..com", "susan@example.com.", "susan@1.2.3.4",
		"susan@example.com\r\nBcc: x@example.com", "\"susan\"@example.com", "susan@" + strings.Repeat("x", 64) + ".com"} {
		if Email(nil, bad) != "Invalid email address." {
			t.Errorf("%q is accepted", bad)
		}
	}
}
