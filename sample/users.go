package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
)

// user is somebody who can sign in.
type user struct {
	ID       int
	Username string
	salt     []byte
	hash     []byte
}

// users are the accounts, in memory: they are those of the demonstration,
// susan and john, both with the password cat.
type users struct {
	byName map[string]*user
	byID   map[int]*user
	nobody *user // compared with when the name is unknown, so that both take as long
}

func demoUsers() (*users, error) {
	us := &users{byName: map[string]*user{}, byID: map[int]*user{}}
	for i, name := range []string{"", "susan", "john"} {
		u := &user{ID: i, Username: name, salt: make([]byte, 16)}
		rand.Read(u.salt)
		var err error
		if u.hash, err = derive("cat", u.salt); err != nil {
			return nil, err
		}
		if i == 0 {
			us.nobody = u
			continue
		}
		us.byName[name], us.byID[i] = u, u
	}
	return us, nil
}

// rounds makes one password check take a few milliseconds.
const rounds = 20_000

func derive(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
}

// check returns the user of that name if the password is theirs, else nil.
func (us *users) check(name, password string) *user {
	u, known := us.byName[name]
	if !known {
		u = us.nobody
	}
	hash, err := derive(password, u.salt)
	if err != nil || subtle.ConstantTimeCompare(hash, u.hash) != 1 || !known {
		return nil
	}
	return u
}
