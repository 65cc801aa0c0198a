//go:build go1.21

package wire

import "time"

// Expr is statements that the hook carries out with reflect, as devrun's type
// checker understood them: every name is an address, a slot or a number, and
// every type an index into Types. Index 0 is no type.
type Expr struct {
	Types []Type        `json:"types"`
	Code  *Node         `json:"code"`
	Slots int           `json:"slots,omitempty"` // variables of the statements themselves
	Limit time.Duration `json:"limit,omitempty"` // 0 is EvalLimit
}

// EvalLimit is how long an evaluation is waited for.
const EvalLimit = 2 * time.Second

// Type is a Go type. One that has a descriptor in the binary has its Addr; any
// other is made from its parts.
type Type struct {
	Name     string      `json:"name"` // as Go writes it, with the package's name
	Addr     uint64      `json:"addr,omitempty"`
	Kind     string      `json:"kind,omitempty"` // as reflect.Kind prints it; "any" and "error" are those interfaces
	Elem     int         `json:"elem,omitempty"`
	Key      int         `json:"key,omitempty"`
	Len      int64       `json:"len,omitempty"`
	Dir      int         `json:"dir,omitempty"` // reflect.ChanDir
	Fields   []TypeField `json:"fields,omitempty"`
	Named    bool        `json:"named,omitempty"` // identity is lost when there is no Addr
	In       []int       `json:"in,omitempty"`
	Out      []int       `json:"out,omitempty"`
	Variadic bool        `json:"variadic,omitempty"`
	Why      string      `json:"why,omitempty"` // why it cannot be made, a sentence
}

// TypeField is a field of a struct.
type TypeField struct {
	Name     string `json:"name"`
	PkgPath  string `json:"pkg,omitempty"` // of an unexported one
	Type     int    `json:"type"`
	Tag      string `json:"tag,omitempty"`
	Embedded bool   `json:"embedded,omitempty"`
}

// Node is an operation. What its fields mean depends on Op; Type is the type of
// its value.
type Node struct {
	Op    string  `json:"op"`
	Type  int     `json:"type,omitempty"`
	Args  []*Node `json:"args,omitempty"`
	N     int     `json:"n,omitempty"`
	Slots []int   `json:"slots,omitempty"`
	Name  string  `json:"name,omitempty"` // of an operator or label; of a variable, for sentences
	Text  []byte  `json:"text,omitempty"` // of a constant
	Addr  uint64  `json:"addr,omitempty"`
	Flag  bool    `json:"flag,omitempty"`
}

// EvalValue is what came of an Expr: a value, or one of Panic and Error.
type EvalValue struct {
	Name     string      `json:"name,omitempty"` // of a child: field, index or key
	Type     string      `json:"type,omitempty"`
	Kind     string      `json:"kind,omitempty"` // as in package fault; "" is no value at all, "tuple" several results
	Text     string      `json:"text,omitempty"` // in one line
	Nil      bool        `json:"nil,omitempty"`
	Children []EvalValue `json:"children,omitempty"`
	Len      int64       `json:"len"` // and Cap: of what has them, else -1
	Cap      int64       `json:"cap"`
	More     int64       `json:"more,omitempty"`  // children that are not listed
	Cut      int64       `json:"cut,omitempty"`   // bytes of a string that Text leaves out
	Cycle    bool        `json:"cycle,omitempty"` // the same pointer as further up

	String string `json:"string,omitempty"` // what the value's String or Error method gives
	Method string `json:"method,omitempty"` // which one: "String" or "Error"

	Panic     string        `json:"panic,omitempty"` // as the runtime prints the value
	PanicType string        `json:"panicType,omitempty"`
	Error     string        `json:"error,omitempty"` // why it could not be done, a sentence
	Left      bool          `json:"left,omitempty"`  // it still runs, in the app
	Took      time.Duration `json:"took,omitempty"`
}
