package inspect

// Limits bound what is read and shown. A zero field stands for its value in
// [DefaultLimits].
type Limits struct {
	Frames   int // of the stack
	String   int // bytes of a string
	Elements int // of a variable's own container; those further down show a third
	Fields   int // of a struct
	Depth    int // of children below a variable
	Call     int // values in one frame; in an optimised one, which is a library's, a fifth
	Page     int // values in all frames together
	Line     int // bytes of a value in one line, strings apart
}

// DefaultLimits keep the values of a page of a dozen frames to some hundreds.
var DefaultLimits = Limits{
	Frames:   200,
	String:   200,
	Elements: 60,
	Fields:   200,
	Depth:    4,
	Call:     250,
	Page:     1500,
	Line:     100,
}

func (l Limits) filled() Limits {
	d := DefaultLimits
	for _, f := range []struct{ got, def *int }{
		{&l.Frames, &d.Frames}, {&l.String, &d.String}, {&l.Elements, &d.Elements}, {&l.Fields, &d.Fields},
		{&l.Depth, &d.Depth}, {&l.Call, &d.Call}, {&l.Page, &d.Page}, {&l.Line, &d.Line},
	} {
		if *f.got <= 0 {
			*f.got = *f.def
		}
	}
	return l
}

// elements is how many of a container at depth are listed.
func (l Limits) elements(depth int) int {
	if depth <= 1 {
		return l.Elements
	}
	return max(1, l.Elements/3)
}
