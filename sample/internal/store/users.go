package store

import (
	"context"
	"crypto/md5"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// User is somebody who has registered.
type User struct {
	ID           int64
	Username     string
	Email        string
	PasswordHash string
	AboutMe      string // "" if there is none
	LastSeen     time.Time
}

// Path is the address of the user's profile.
func (u User) Path() string { return "/user/" + url.PathEscape(u.Username) }

// Avatar is the address of the user's picture, a square of that many pixels.
func (u User) Avatar(size int) string {
	digest := md5.Sum([]byte(strings.ToLower(u.Email))) // as Gravatar asks for
	return fmt.Sprintf("https://www.gravatar.com/avatar/%x?d=identicon&s=%d", digest, size)
}

// CreateUser registers somebody. The error is ErrUsernameTaken or ErrEmailTaken
// if another user has the name or the address.
func (s *Store) CreateUser(ctx context.Context, u User) error {
	_, err := s.db.ExecContext(ctx,
		`INSERT INTO "user" (username, email, password_hash, last_seen) VALUES ($1, $2, $3, $4)`,
		u.Username, u.Email, u.PasswordHash, stamp(u.LastSeen))
	return s.taken(err)
}

// User returns the user of exactly that name, or ErrNotFound.
func (s *Store) User(ctx context.Context, username string) (User, error) {
	var u User
	var hash, about sql.NullString
	var seen sql.NullTime
	err := s.db.QueryRowContext(ctx,
		`SELECT id, username, email, password_hash, about_me, last_seen FROM "user" WHERE username = $1`, username).
		Scan(&u.ID, &u.Username, &u.Email, &hash, &about, &seen)
	u.PasswordHash, u.AboutMe, u.LastSeen = hash.String, about.String, seen.Time.UTC()
	return u, found(err)
}

// Seen notes that a user was here, and returns the user, without the password's
// hash. The error is ErrNotFound if there is none of that ID.
func (s *Store) Seen(ctx context.Context, id int64, now time.Time) (User, error) {
	u := User{ID: id, LastSeen: stamp(now)}
	var about sql.NullString
	err := s.db.QueryRowContext(ctx,
		`UPDATE "user" SET last_seen = $1 WHERE id = $2 RETURNING username, email, about_me`, u.LastSeen, id).
		Scan(&u.Username, &u.Email, &about)
	u.AboutMe = about.String
	return u, found(err)
}

// UsernameTaken reports whether a user has exactly that name.
func (s *Store) UsernameTaken(ctx context.Context, name string) (taken bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM "user" WHERE username = $1)`, name).Scan(&taken)
	return taken, err
}

// EmailTaken reports whether a user has exactly that address.
func (s *Store) EmailTaken(ctx context.Context, email string) (taken bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM "user" WHERE email = $1)`, email).Scan(&taken)
	return taken, err
}

// UpdateProfile changes a user's name and text. The error is ErrUsernameTaken
// if another user has the name.
func (s *Store) UpdateProfile(ctx context.Context, id int64, username, about string) error {
	_, err := s.db.ExecContext(ctx,
		`UPDATE "user" SET username = $1, about_me = NULLIF($2, '') WHERE id = $3`, username, about, id)
	return s.taken(err)
}

// stamp is a time as both databases keep it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
