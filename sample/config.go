package main

import (
	"errors"
	"fmt"
)

// config is what the environment says.
type config struct {
	Env    string // "development" or "production"
	Host   string
	Port   string
	Secret []byte // signs the cookies
}

// configFrom reads the variables APP_ENV, HOST, PORT and SECRET_KEY.
func configFrom(getenv func(string) string) (config, error) {
	or := func(name, value string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return value
	}
	c := config{
		Env:    or("APP_ENV", or("FLASK_ENV", "production")),
		Host:   or("HOST", "127.0.0.1"),
		Port:   or("PORT", "5000"),
		Secret: []byte(getenv("SECRET_KEY")),
	}
	if c.Env != "development" && c.Env != "production" {
		return c, fmt.Errorf("APP_ENV is %q; it can be production or development", c.Env)
	}
	if len(c.Secret) == 0 {
		if c.Env == "production" {
			return c, errors.New("SECRET_KEY is not set; production needs one to sign its cookies, for example the output of: openssl rand -hex 32")
		}
		c.Secret = []byte("you-will-never-guess")
	}
	return c, nil
}

func (c config) development() bool { return c.Env == "development" }
