package errormail

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// environ is an environment of names and values.
func environ(pairs ...string) func(string) string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return all[name] }
}

func TestConfigFrom(t *testing.T) {
	const file = `{
  "MAIL_SERVER": "smtp.gmail.com", "MAIL_PORT": 587, "MAIL_USE_TLS": true,
  "MAIL_USERNAME": "ann@gmail.com", "MAIL_PASSWORD": "secret", "ADMINS": ["ann@example.com", "Bob <bob@example.com>"]
}`
	admins := []string{"<ann@example.com>", `"Bob" <bob@example.com>`}
	gmail := Config{Server: "smtp.gmail.com", Port: 587, UseTLS: true, Username: "ann@gmail.com", Password: "secret", From: "no-reply@smtp.gmail.com", Admins: admins}
	with := func(f func(*Config)) Config { c := gmail; f(&c); return c }
	for name, c := range map[string]struct {
		file    string
		environ []string
		want    Config
	}{
		"nothing":             {"", nil, Config{Port: 25}},
		"an empty file":       {"{}", nil, Config{Port: 25}},
		"the file":            {file, nil, gmail},
		"empty variables":     {file, []string{"MAIL_SERVER", "", "MAIL_PORT", "", "ADMINS", ""}, gmail},
		"environment":         {file, []string{"MAIL_PORT", "2525", "ADMINS", "eve@example.com"}, with(func(c *Config) { c.Port, c.Admins = 2525, []string{"<eve@example.com>"} })},
		"no TLS, no login":    {`{"MAIL_SERVER": "relay", "ADMINS": "ann@example.com"}`, nil, Config{Server: "relay", Port: 25, From: "no-reply@relay", Admins: admins[:1]}},
		"TLS is off":          {"", []string{"MAIL_USE_TLS", "0"}, Config{Port: 25}},
		"TLS is on":           {"", []string{"MAIL_USE_TLS", "Yes"}, Config{Port: 25, UseTLS: true}},
		"empty values":        {`{"MAIL_SERVER": "", "MAIL_PASSWORD": ""}`, nil, Config{Port: 25}},
		"an IPv6 server":      {"", []string{"MAIL_SERVER", "::1", "ADMINS", "ann@example.com", "MAIL_FROM", "a@b"}, Config{Server: "::1", Port: 25, From: "<a@b>", Admins: admins[:1]}},
		"a login to this one": {"", []string{"MAIL_SERVER", "localhost", "ADMINS", "ann@example.com", "MAIL_USERNAME", "u", "MAIL_PASSWORD", "p"}, Config{Server: "localhost", Port: 25, Username: "u", Password: "p", From: "no-reply@localhost", Admins: admins[:1]}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(dir, "email.json"), []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := ConfigFrom(environ(c.environ...), dir)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v\nwant %+v", got, err, c.want)
			}
			if got.Server != "" {
				m, err := New(got) // its addresses are addresses
				if err != nil {
					t.Fatal(err)
				}
				m.Close(t.Context())
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	server := []string{"MAIL_SERVER", "relay.example.com", "ADMINS", "ann@example.com"}
	for _, c := range []struct {
		file    string
		environ []string
		says    string
	}{
		{"", []string{"MAIL_PORT", "abc"}, `MAIL_PORT is "abc"; it is a number from 1 to 65535`},
		{"", []string{"MAIL_PORT", "0"}, `MAIL_PORT is "0"; it is a number`},
		{"", []string{"MAIL_PORT", "465"}, `MAIL_PORT is 465, where TLS begins with the first byte; use 587`},
		{"", []string{"MAIL_USE_TLS", "maybe"}, `MAIL_USE_TLS is "maybe"; it can be`},
		{"", []string{"MAIL_SERVER", "relay:25"}, `MAIL_SERVER is "relay:25"; it is a name`},
		{"", []string{"MAIL_SERVER", "relay\r\nRCPT"}, `MAIL_SERVER is "relay\r\nRCPT"; it is a name`},
		{"", []string{"MAIL_SERVER", "::1", "ADMINS", "ann@example.com"}, `MAIL_SERVER is ::1, which no address of mail can end in: set MAIL_FROM`},
		{"", []string{"MAIL_SERVER", "relay"}, `MAIL_SERVER is set and ADMINS is not`},
		{"", []string{"ADMINS", "ann"}, `ADMINS is "ann"; it is a list`},
		{"", []string{"MAIL_FROM", "a@b, c@d"}, `MAIL_FROM is "a@b, c@d"; it is one address`},
		{"", append(server, "MAIL_USERNAME", "u"), `one of MAIL_USERNAME and MAIL_PASSWORD is set`},
		{"", append(server, "MAIL_USERNAME", "u", "MAIL_PASSWORD", "hunter2"), `MAIL_PASSWORD would go to relay.example.com unencrypted: set MAIL_USE_TLS=1`},
		{"{\n  \"MAIL_SERVER\": \"x\",\n  \"MAIL_PORT\": \"abc\"\n}", nil, `email.json line 3: MAIL_PORT is "abc"; it is a number`},
		{"{\n\n\"MAIL_PORT\": 70000}", nil, `email.json line 3: MAIL_PORT is "70000"; it is a number`},
		{"{\n\"MAIL_PROT\": 25}", nil, `email.json line 2: "MAIL_PROT" is no setting; there are MAIL_SERVER, MAIL_PORT`},
		{"{\n\"MAIL_PORT\": 25,\n\"MAIL_PORT\": 26}", nil, `email.json line 3: MAIL_PORT is there twice`},
		{"{\n\"MAIL_PORT\": 25,\n}", nil, `email.json line 3: it is not JSON: `},
		{"{\n\"MAIL_PORT\": 25\n", nil, `email.json line 3: it is not JSON: unexpected end`},
		{"{} {}", nil, `email.json line 1: it is not JSON: `},
		{"", []string{}, ""},
		{"[]", nil, `email.json line 1: it is an object`},
		{"\n", nil, `email.json line 2: it is not JSON: unexpected end`},
		{`{"ADMINS": {"a": 1}}`, nil, `email.json line 1: ADMINS is a text, a number`},
		{`{"ADMINS": ["a@b", 1]}`, nil, `email.json line 1: ADMINS is a list of strings only`},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := os.WriteFile(filepath.Join(dir, "email.json"), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := ConfigFrom(environ(c.environ...), dir)
		if c.says == "" {
			if err != nil {
				t.Errorf("%q: %v", c.environ, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q, %q: %v\nwant %s", c.file, c.environ, err, c.says)
		}
	}
}

func TestFileThatOthersCanRead(t *testing.T) {
	if os.PathSeparator != '/' {
		t.Skip("files have no mode here")
	}
	path := filepath.Join(t.TempDir(), "email.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, notices := range map[os.FileMode]int{0o600: 0, 0o640: 1, 0o644: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		c, err := ConfigFrom(environ(), filepath.Dir(path))
		if err != nil || len(c.Notices) != notices {
			t.Errorf("%v: %q, %v", mode, c.Notices, err)
		}
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add(`{"MAIL_SERVER": "localhost", "ADMINS": ["a@b"], "MAIL_PORT": 25}`)
	f.Add("{\"a\":\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "email.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := ConfigFrom(environ(), dir)
		if err != nil || c.Server == "" {
			return
		}
		m, err := New(c)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		m.Close(t.Context())
	})
}
