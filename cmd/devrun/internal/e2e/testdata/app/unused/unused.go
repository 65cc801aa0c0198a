// Package unused is imported by nothing.
package unused

const X = 1
