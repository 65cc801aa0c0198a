//go:build go1.21

package wire

// Expr is an expression or statement that the hook evaluates.
type Expr struct{}

// EvalValue is what came of it.
type EvalValue struct{}
