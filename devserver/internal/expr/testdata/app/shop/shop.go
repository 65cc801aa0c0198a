// Package shop is what the app under test works with.
package shop

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"example.com/app.v2/probe"
)

func at[T any](name string, p *T, dwarf string) {
	probe.Var(name, 0, dwarf, uintptr(unsafe.Pointer(p)))
}

type ID int

func (id ID) String() string { return fmt.Sprintf("#%d", int(id)) }

type Address struct {
	Street string
	Zip    int
}

func (a Address) Line() string { return fmt.Sprintf("%s %d", a.Street, a.Zip) }

type User struct {
	ID    ID
	First string
	last  string
	Tags  []string
	Address
	Boss *User
}

func NewUser(id int, first, last string) *User {
	return &User{ID: ID(id), First: first, last: last, Tags: []string{"a", "b"}, Address: Address{"Main St", 8000}}
}

func (u *User) FullName() string    { return u.First + " " + u.last }
func (u *User) fullName() string    { return strings.ToLower(u.FullName()) }
func (u User) Initials() string     { return u.First[:1] + u.last[:1] }
func (u *User) Rename(first string) { u.First = first }
func (u *User) Boom() string        { panic("boom from " + u.First) }
func (u *User) private() string     { return u.fullName() }
func (u *User) Multi() (int, error) { return int(u.ID), ErrGone }
func (u *User) Nobody() *User       { return nil }
func (u *User) dead() string        { return "dead" }
func (u *User) Each(f func(string)) {
	for _, t := range u.Tags {
		f(t)
	}
}

var ErrGone = errors.New("gone")

type NotFound struct{ Key string }

func (e *NotFound) Error() string { return "not found: " + e.Key }

type Namer interface {
	FullName() string
	private() string
}

type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(v T) { s.items = append(s.items, v) }
func (s Stack[T]) Len() int  { return len(s.items) }
func (s *Stack[T]) Top() T   { return s.items[len(s.items)-1] }

type Pair[K comparable, V any] struct {
	Key K
	Val V
}

type Number interface{ ~int | ~float64 }

func Sum[T Number](xs ...T) (s T) {
	for _, x := range xs {
		s += x
	}
	return s
}

func Map[T, U any](xs []T, f func(T) U) []U {
	var out []U
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

func Pairs[K comparable, V any](m map[K]V) []Pair[K, V] {
	var out []Pair[K, V]
	for k, v := range m {
		out = append(out, Pair[K, V]{k, v})
	}
	return out
}

func Double(n int) int                    { return 2 * n }
func Join(sep string, s ...string) string { return strings.Join(s, sep) }
func Unused() string                      { return "nobody calls it" }

var Count = 3

const Limit = 1 << 4

// Visit calls f in a frame of this package.
func Visit(u *User, f func()) {
	mine := *u
	at("u", &u, "*example.com/app.v2/shop.User")
	at("mine", &mine, "example.com/app.v2/shop.User")
	f()
}
