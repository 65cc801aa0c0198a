package errormail

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Config says where error mails go.
type Config struct {
	Server             string // host of the relay; "" mails nothing
	Port               int
	UseTLS             bool // STARTTLS with a certificate that is right for Server, or no mail
	Username, Password string
	From               string
	Admins             []string // who gets the mails

	RootCAs *x509.CertPool // who certifies Server; nil for the system's list
	Log     *slog.Logger   // told what could not be mailed; nil for slog's default

	Notices []string // worth a line in the log at the start, a sentence each
}

// fileName is the file of the settings, in the app's directory.
const fileName = "email.json"

// setting is a variable of the environment, and a key of the file. The error of
// set follows the name.
type setting struct {
	name string
	set  func(*Config, string) error
}

var settings = []setting{
	{"MAIL_SERVER", setServer},
	{"MAIL_PORT", setPort},
	{"MAIL_USE_TLS", setUseTLS},
	{"MAIL_USERNAME", func(c *Config, v string) error { c.Username = v; return nil }},
	{"MAIL_PASSWORD", func(c *Config, v string) error { c.Password = v; return nil }},
	{"MAIL_FROM", setFrom},
	{"ADMINS", setAdmins},
}

// ConfigFrom takes each setting from the environment, else from email.json in dir,
// else its default: no server, port 25, no TLS, no login, and no-reply@ the server
// as the sender. ADMINS is a list with commas in the environment. A variable that
// is empty counts as not set. Errors are one sentence, with the line of the file.
//
// A relay in the house needs MAIL_SERVER and ADMINS only. Gmail takes an app
// password of the account; SendGrid takes an API key, from senders that it has
// verified:
//
//	MAIL_SERVER=smtp.gmail.com MAIL_PORT=587 MAIL_USE_TLS=1 MAIL_USERNAME=ann@gmail.com MAIL_PASSWORD=… ADMINS=ann@gmail.com
//	MAIL_SERVER=smtp.sendgrid.net MAIL_PORT=587 MAIL_USE_TLS=1 MAIL_USERNAME=apikey MAIL_PASSWORD=SG.… MAIL_FROM=blog@example.com ADMINS=ann@example.com
func ConfigFrom(getenv func(string) string, dir string) (Config, error) {
	c := Config{Port: 25}
	if err := c.readFile(filepath.Join(dir, fileName)); err != nil {
		return Config{}, err
	}
	for _, s := range settings {
		if v := getenv(s.name); v != "" {
			if err := s.set(&c, v); err != nil {
				return Config{}, fmt.Errorf("%s %w", s.name, err)
			}
		}
	}
	return c, c.check()
}

func (c *Config) readFile(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		c.Notices = append(c.Notices, fmt.Sprintf("%s may hold a password and others on this machine can read it: chmod 600 %s", fileName, path))
	}
	in := func(offset int64, err error) error {
		return fmt.Errorf("%s line %d: %w", path, 1+bytes.Count(text[:min(int(offset), len(text))], []byte("\n")), err)
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(any)); errors.As(err, &syntax) {
		return in(syntax.Offset, fmt.Errorf("it is not JSON: %w", err))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return in(0, errors.New(`it is an object like {"MAIL_SERVER": "localhost", "ADMINS": ["you@example.com"]}`))
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return in(d.InputOffset(), err)
		}
		at := d.InputOffset()
		var value any
		if err := d.Decode(&value); err != nil {
			return in(at, err)
		}
		if err := c.setFromFile(key.(string), value, seen); err != nil {
			return in(at, err)
		}
	}
	return nil
}

func (c *Config) setFromFile(key string, value any, seen map[string]bool) error {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == key })
	if i < 0 {
		return fmt.Errorf("%q is no setting; there are %s", key, strings.Join(names(), ", "))
	}
	if seen[key] {
		return fmt.Errorf("%s is there twice", key)
	}
	seen[key] = true
	v, err := plain(value)
	if err == nil && v != "" {
		err = settings[i].set(c, v)
	}
	if err != nil {
		return fmt.Errorf("%s %w", key, err)
	}
	return nil
}

func names() (all []string) {
	for _, s := range settings {
		all = append(all, s.name)
	}
	return all
}

// plain is a value of the file as it would stand in the environment.
func plain(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	case []any:
		var list []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", errors.New("is a list of strings only")
			}
			list = append(list, s)
		}
		return strings.Join(list, ","), nil
	}
	return "", errors.New("is a text, a number, true, false or a list of texts")
}

func setServer(c *Config, v string) error {
	if net.ParseIP(v) == nil && strings.ContainsAny(v, ":/[]@ \t\r\n") {
		return fmt.Errorf("is %q; it is a name or an IP address alone, and the port is MAIL_PORT", v)
	}
	c.Server = v
	return nil
}

func setPort(c *Config, v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	switch {
	case err != nil || n == 0:
		return fmt.Errorf("is %q; it is a number from 1 to 65535", v)
	case n == 465:
		return errors.New("is 465, where TLS begins with the first byte; use 587, where it begins with STARTTLS")
	}
	c.Port = int(n)
	return nil
}

func setUseTLS(c *Config, v string) error {
	switch strings.ToLower(v) {
	case "1", "true", "yes", "on":
		c.UseTLS = true
	case "0", "false", "no", "off":
		c.UseTLS = false
	default:
		return fmt.Errorf("is %q; it can be 1, true, yes or on, or 0, false, no or off", v)
	}
	return nil
}

func setFrom(c *Config, v string) error {
	a, err := mail.ParseAddress(v)
	if err != nil {
		return fmt.Errorf("is %q; it is one address of mail", v)
	}
	c.From = a.String()
	return nil
}

func setAdmins(c *Config, v string) error {
	list, err := mail.ParseAddressList(v)
	if err != nil {
		return fmt.Errorf("is %q; it is a list of addresses of mail, as in ann@example.com,bob@example.com", v)
	}
	c.Admins = nil
	for _, a := range list {
		c.Admins = append(c.Admins, a.String())
	}
	return nil
}

// check looks at the settings together.
func (c *Config) check() error {
	if c.Server == "" {
		return nil
	}
	if len(c.Admins) == 0 {
		return errors.New("MAIL_SERVER is set and ADMINS is not: name who gets the mails, as in ADMINS=ann@example.com,bob@example.com")
	}
	if (c.Username == "") != (c.Password == "") {
		return errors.New("one of MAIL_USERNAME and MAIL_PASSWORD is set and the other is not: set both, or none for a server without login")
	}
	if c.Username != "" && !c.UseTLS && !isLocal(c.Server) {
		return fmt.Errorf("MAIL_PASSWORD would go to %s unencrypted: set MAIL_USE_TLS=1", c.Server)
	}
	if c.From == "" {
		if strings.Contains(c.Server, ":") {
			return fmt.Errorf("MAIL_SERVER is %s, which no address of mail can end in: set MAIL_FROM", c.Server)
		}
		c.From = "no-reply@" + c.Server
	}
	return nil
}

// isLocal holds for the names of this machine that a password may be sent to as
// it is.
func isLocal(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
