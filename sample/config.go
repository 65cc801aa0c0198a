package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"

	"devrun/sample/internal/errormail"
)

// config is what the environment says, and email.json.
type config struct {
	Env      string // "development" or "production"
	Host     string
	Port     string
	Database string
	Secret   []byte // signs the cookies
	LogLevel slog.Level
	Mail     errormail.Config // of production; without a server errors are not mailed

	// UncheckedUsername brings the chapter's bug back: a profile takes a name
	// that somebody else has, until the database objects.
	UncheckedUsername bool
}

func (c config) development() bool { return c.Env == "development" }

// configFrom reads MICROBLOG_ENV or else APP_ENV, HOST, PORT, DATABASE_URL,
// SECRET_KEY, LOG_LEVEL, MICROBLOG_BUG, and in production where errors are mailed.
func configFrom(getenv func(string) string) (config, error) {
	or := func(name, value string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return value
	}
	c := config{
		Env:      or("MICROBLOG_ENV", or("APP_ENV", or("FLASK_ENV", "production"))),
		Host:     or("HOST", "127.0.0.1"),
		Port:     or("PORT", "5000"),
		Database: or("DATABASE_URL", "sqlite:///app.db"),
		Secret:   []byte(getenv("SECRET_KEY")),
	}
	if c.Env != "development" && c.Env != "production" {
		return c, fmt.Errorf("the mode is %q; APP_ENV can be production or development", c.Env)
	}
	if !c.development() {
		var err error
		if c.Mail, err = errormail.ConfigFrom(getenv, "."); err != nil {
			return c, err
		}
	}
	if len(c.Secret) == 0 {
		if !c.development() {
			return c, errors.New("SECRET_KEY is not set; production needs one to sign its cookies, for example the output of: openssl rand -hex 32")
		}
		c.Secret = []byte("you-will-never-guess")
	}
	if err := c.LogLevel.UnmarshalText([]byte(or("LOG_LEVEL", "INFO"))); err != nil {
		return c, fmt.Errorf("LOG_LEVEL is %q; it can be DEBUG, INFO, WARN or ERROR", getenv("LOG_LEVEL"))
	}
	switch bug := getenv("MICROBLOG_BUG"); bug {
	case "":
	case "username":
		c.UncheckedUsername = true
	default:
		return c, fmt.Errorf("MICROBLOG_BUG is %q; the one bug there is to bring back is username", bug)
	}
	if c.UncheckedUsername && !c.development() && !net.ParseIP(c.Host).IsLoopback() {
		return c, fmt.Errorf("MICROBLOG_BUG is set and HOST is %s; with the bug, production is only for 127.0.0.1", c.Host)
	}
	return c, nil
}
