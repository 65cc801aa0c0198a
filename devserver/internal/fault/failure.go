package fault

import "time"

// How says at what point a request failed.
type How string

const (
	Panicked  How = "panic"     // and nothing recovered it before net/http would
	Recovered How = "recovered" // the app's own recovery answers for the panic
	Status    How = "status"    // the app wrote a 5xx without a panic
)

// Failure is a request that failed, as it was at the point where it did.
type Failure struct {
	ID         string // random; names it in addresses
	Generation int
	At         time.Time
	Built      time.Time // the binary; source that was saved later is not what failed
	How        How
	Type       string  // Go type of the panic's value, "" without a panic
	Message    string  // the value as the runtime prints it; of a Status the text of the answer
	Error      *Error  // the value's chain when it is an error, or nil
	Panics     []Error // raised before and still under way, oldest first
	Goroutine  int
	Request    Request
	Calls      []Call // innermost first; panics' own frames are left out
	CreatedBy  *Frame // what started the goroutine, if it is the app's
	Cause      Cause

	Production Response // what would be sent without devrun
	Pid        int
	Beside     bool // in another process than the one that devrun has started
	Values     Values
	Gone       string   // why the goroutine takes no expressions any more, a sentence; "" while it is parked
	Notes      []string // what limits the truth of what is shown, a sentence each
}

// Values says what there is of the variables.
type Values struct {
	Here bool   // they are in Calls
	Way  string // in what way they were read, and why, a sentence; "" for the usual one
	Why  string // why not, a sentence: "debug information is still being linked"
}

// Error is one error of a chain.
type Error struct {
	Type   string
	Text   string
	Causes []Error // what Unwrap gives: one, or several that were joined
	Note   string  // "the same error again", "and 412 more"; "" for none
}

// Request is what the client asked for.
type Request struct {
	Method string
	URI    string // as on the request line: path and query
	Proto  string
	Host   string
	Remote string
	TLS    bool
	Header []Field // in the order of names
	Form   []Field // parsed by the app before it failed, query included
	Route  string  // the pattern of net/http's ServeMux, if one matched
}

// Field is one name with its values.
type Field struct {
	Name   string
	Values []string
}

// Response is an answer of the app.
type Response struct {
	Status  int // 0: none, the connection would be cut
	Header  []Field
	Body    string // its beginning
	Size    int    // bytes of the whole body
	Started bool   // the header was out: nothing could be put in its place
}

// Call is a frame with its variables.
type Call struct {
	Frame
	PC        uint64
	Optimised bool // compiled without -N: some variables have no value left
	Vars      []Value
	Why       string // why there are none, a sentence, or ""
}

// Kind is what a value is made of, whatever its type is called.
type Kind string

const (
	Bool      Kind = "bool"
	Number    Kind = "number"
	String    Kind = "string"
	Pointer   Kind = "pointer"
	Interface Kind = "interface"
	Struct    Kind = "struct"
	Array     Kind = "array"
	Slice     Kind = "slice"
	Map       Kind = "map"
	Chan      Kind = "chan"
	Func      Kind = "func"
	Other     Kind = "other" // unsafe.Pointer, complex
)

// Value is a variable, or a part of one.
type Value struct {
	Name string // of the variable or field; of an element its index, or its key as Go writes it
	Type string // as Go writes it, with the package's name: "*main.User", "map[string]int"
	Kind Kind

	// Text is the value in one line, as Go would write it, cut where it is long:
	// `"susan"`, `&{ID: 17, …}`, `len 3 cap 4 ["a", "b", …]`. "nil" for a nil one.
	Text string
	Nil  bool

	// Children are fields, elements, what a pointer points to or an interface
	// holds; as deep as the bounds go.
	Children []Value
	Len, Cap int64 // of what has them, else -1
	More     int64 // children that are not listed
	Cut      int64 // bytes of a string that Text leaves out

	// What keeps the value from being shown whole; at most one is set.
	Gone       bool   // optimised away
	Cycle      string // the path to the same value further up
	Unreadable string // why
	Redacted   bool   // looks like a secret: Text and Children are empty

	Param    bool // parameter, receiver or result
	Captured bool // by the closure
	Shadowed bool // an inner variable has the name
	Line     int  // where a variable is declared
	Addr     uint64
}
