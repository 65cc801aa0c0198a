// Package shop has types of another package than main's.
package shop

type Item struct {
	Name  string
	Price int
	stock uint8
}

func New(name string, price int) *Item { return &Item{name, price, 7} }

type Cart[T any] struct {
	Items []T
	Owner *Item
}

func (c *Cart[T]) Each(f func(T)) {
	for _, item := range c.Items {
		f(item)
	}
}

type Error struct{ Code int }

func (e *Error) Error() string { return "shop error" }

var Count = 42
