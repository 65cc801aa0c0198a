package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"devrun/sample/internal/password"
	"devrun/sample/internal/store"
)

// command carries out what was asked for instead of serving.
func command(ctx context.Context, cfg config, db *store.Store, args []string) error {
	if len(args) != 1 || args[0] != "seed" {
		return errors.New("the one command is seed; without it microblog serves")
	}
	if !cfg.development() {
		return errors.New("seed makes users whose password everybody knows; it wants APP_ENV=development")
	}
	return seed(ctx, db)
}

// seed registers susan and john of the tutorial, with the password cat, and
// lets them say what they say there.
func seed(ctx context.Context, db *store.Store) error {
	for _, name := range []string{"susan", "john"} {
		err := db.CreateUser(ctx, store.User{Username: name, Email: name + "@example.com", PasswordHash: password.Hash("cat"), LastSeen: time.Now()})
		if err != nil {
			return fmt.Errorf("register %s: %w", name, err)
		}
	}
	for _, p := range []struct{ author, body string }{
		{"susan", "Test post #1"},
		{"susan", "Test post #2"},
		{"john", "Test post #1"},
		{"john", "Test post #2"},
		{"susan", "The Avengers movie was so cool!"},
		{"john", "Beautiful day in Portland!"},
	} {
		u, err := db.User(ctx, p.author)
		if err != nil {
			return err
		}
		if err := db.CreatePost(ctx, u.ID, p.body, time.Now()); err != nil {
			return err
		}
	}
	fmt.Println("susan and john are registered, both with the password cat")
	return nil
}
