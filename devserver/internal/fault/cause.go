package fault

// Cause is what led to a failure, as far as it is proved: by the runtime's words, the
// values that were read, and the source that was compiled.
type Cause struct {
	Why      []Prose // sentences; none where nothing is sure
	Col, End int     // bytes of the failing line that are to blame, from 1; 0 for none
	Note     string  // what is wrong with them: "user is nil"
	Var      string  // the variable that is to blame, "" for none
	Error    *Error  // the chain behind it, which notes where the app's source has its texts, or nil
	ErrorOf  string  // the variable that holds Error, "" where that is the panic's value
	Sets     []Set   // in the order of the source
}

// Set says where a variable got the value that was read.
type Set struct {
	Call, Var int // indices into Failure.Calls, and into the Vars of that
	Line      int
}

// String is the sentences as text.
func (c Cause) String() string {
	s := ""
	for i, p := range c.Why {
		if i > 0 {
			s += " "
		}
		s += p.String()
	}
	return s
}
