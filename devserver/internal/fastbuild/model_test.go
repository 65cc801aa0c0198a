package fastbuild

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// model is a program whose source can be written down and whose output is known
// without running it.
type model struct {
	Packages []*modelPackage // each may import those before it
	GoLine   string
	Extra    bool // the build tag of that name is given
	Broken   bool // it does not compile
}

type modelPackage struct {
	Files     [][]*decl
	Deps      []int // packages that it imports
	Text      string
	Data      []string // contents of embedded files
	Secret    int      // what another package sees by linkname, if it imports this one
	LinkTo    int      // 0, or which of two functions that is
	Extra     [2]int   // without and with the tag
	Callbacks int      // variables whose initial values depend on the order of initialisation
}

type decl struct {
	Kind  kind
	Name  string
	Val   int
	Arity int
	Lines int // of comment above it
	Refs  []ref
}

type ref struct {
	Package int
	Name    string
}

type kind string

const (
	constant kind = "const"
	function kind = "func"
	generic  kind = "generic"
	method   kind = "method"
	variable kind = "var"
)

const modulus = 9973

func newModel(r *rand.Rand, packages int) *model {
	m := &model{GoLine: "1.25"}
	for i := range packages {
		p := &modelPackage{Files: make([][]*decl, 2), Text: fmt.Sprint("text", i), Data: []string{"a", "bb"}, Secret: i, Extra: [2]int{1, 2}, Callbacks: 2}
		for j := range i {
			if j == i-1 || r.IntN(2) == 0 {
				p.Deps = append(p.Deps, j)
			}
		}
		m.Packages = append(m.Packages, p)
		for range 6 {
			m.add(r, i)
		}
	}
	return m
}

func (m *model) clone() *model {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	c := new(model)
	if err := json.Unmarshal(text, c); err != nil {
		panic(err)
	}
	return c
}

// all are the declarations of a package.
func (p *modelPackage) all() []*decl { return slices.Concat(p.Files...) }

func (m *model) find(r ref) *decl {
	for _, d := range m.Packages[r.Package].all() {
		if d.Name == r.Name {
			return d
		}
	}
	panic("no " + r.Name)
}

// value is what a use of d, in the way that source writes it, gives.
func (m *model) value(d *decl) int {
	v := d.Val + d.Arity*(d.Arity+1)/2
	for _, r := range d.Refs {
		v += m.value(m.find(r))
	}
	return v % modulus
}

// add declares something new in package i.
func (m *model) add(r *rand.Rand, i int) string {
	p := m.Packages[i]
	kinds := []kind{constant, function, generic, method, variable}
	d := &decl{Kind: kinds[r.IntN(len(kinds))], Val: r.IntN(100), Lines: r.IntN(2)}
	d.Name = fmt.Sprintf("X%d", r.IntN(1_000_000))
	m.addRef(r, i, d)
	m.addRef(r, i, d)
	f := r.IntN(len(p.Files))
	at := r.IntN(len(p.Files[f]) + 1)
	p.Files[f] = slices.Insert(p.Files[f], at, d)
	return fmt.Sprintf("add %s p%d.%s", d.Kind, i, d.Name)
}

// addRef lets d use something of a package below: a cycle cannot come of it.
func (m *model) addRef(r *rand.Rand, i int, d *decl) {
	p := m.Packages[i]
	if len(p.Deps) == 0 {
		return
	}
	dep := p.Deps[r.IntN(len(p.Deps))]
	all := m.Packages[dep].all()
	if len(all) == 0 {
		return
	}
	to := all[r.IntN(len(all))]
	if d.Kind == constant && to.Kind != constant {
		return
	}
	d.Refs = append(d.Refs, ref{dep, to.Name})
}

func (m *model) used(r ref) bool {
	for _, p := range m.Packages {
		for _, d := range p.all() {
			if slices.Contains(d.Refs, r) {
				return true
			}
		}
	}
	return false
}

// sources are the files of the program.
func (m *model) sources() map[string]string {
	files := map[string]string{"go.mod": "module example.com/prop\n\ngo " + m.GoLine + "\n"}
	var main strings.Builder
	main.WriteString("package main\n\nimport (\n")
	for i := range m.Packages {
		fmt.Fprintf(&main, "\t\"example.com/prop/p%d\"\n", i)
	}
	main.WriteString(")\n\nfunc main() {\n")
	for i, p := range m.Packages {
		fmt.Fprintf(&main, "\tprintln(p%d.Sum(), p%d.Order())\n", i, i)
		p.write(m, i, files)
	}
	main.WriteString("}\n")
	files["main.go"] = main.String()
	return files
}

func (p *modelPackage) write(m *model, i int, files map[string]string) {
	name := fmt.Sprintf("p%d", i)
	for n, decls := range p.Files {
		var b strings.Builder
		fmt.Fprintf(&b, "package %s\n\n", name)
		for _, d := range p.Deps {
			fmt.Fprintf(&b, "import \"example.com/prop/p%d\"\n", d)
		}
		for _, d := range p.Deps {
			fmt.Fprintf(&b, "\nconst _ = p%d.Zero\n", d)
		}
		for _, d := range decls {
			d.write(&b, m, i)
		}
		files[fmt.Sprintf("%s/f%d.go", name, n)] = b.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\nimport (\n\t\"embed\"\n\t_ \"unsafe\"\n", name)
	for _, d := range p.Deps {
		fmt.Fprintf(&b, "\t\"example.com/prop/p%d\"\n", d)
	}
	b.WriteString(")\n\n")
	for _, d := range p.Deps {
		fmt.Fprintf(&b, "const _ = p%d.Zero\n\n", d)
	}
	b.WriteString("const Zero = 0\n\n//go:embed text.txt\nvar text string\n\n//go:embed data\nvar data embed.FS\n\n")
	fmt.Fprintf(&b, "func secret1() int { return %d }\n\nfunc secret2() int { return %d }\n\n", p.Secret, p.Secret+1)
	b.WriteString("var ticks int\n\nfunc Tick() int { ticks++; return ticks }\n\n")
	var order []string
	for n := range p.Callbacks {
		owner := name + "."
		if len(p.Deps) > 0 {
			owner = fmt.Sprintf("p%d.", p.Deps[n%len(p.Deps)])
		}
		fmt.Fprintf(&b, "var order%d = %sTick()\n", n, strings.TrimPrefix(owner, name+"."))
		order = append(order, fmt.Sprintf("order%d", n))
	}
	fmt.Fprintf(&b, "\nfunc Order() int {\n\tn := 0\n\tfor _, o := range []int{%s} {\n\t\tn = n*10 + o\n\t}\n\treturn n\n}\n", strings.Join(order, ", "))
	if p.LinkTo > 0 {
		fmt.Fprintf(&b, "\n//go:linkname linked example.com/prop/p%d.secret%d\nfunc linked() int\n", p.Deps[0], p.LinkTo)
	} else {
		b.WriteString("\nfunc linked() int { return 0 }\n")
	}
	b.WriteString("\nfunc Sum() int {\n\tn := len(text) + extra + linked()\n\tfiles, _ := data.ReadDir(\"data\")\n\tfor _, f := range files {\n\t\ttext, _ := data.ReadFile(\"data/\" + f.Name())\n\t\tn += len(text)\n\t}\n")
	for _, d := range p.all() {
		fmt.Fprintf(&b, "\tn += %s\n", d.use("", i))
	}
	b.WriteString("\treturn n\n}\n")
	if m.Broken && i == 0 {
		b.WriteString("\nfunc broken() int { return \"\" }\n")
	}
	files[name+"/sum.go"] = b.String()
	files[name+"/text.txt"] = p.Text
	for n, text := range p.Data {
		files[fmt.Sprintf("%s/data/%d.txt", name, n)] = text
	}
	files[name+"/without.go"] = fmt.Sprintf("//go:build !extra\n\npackage %s\n\nvar extra = %d\n", name, p.Extra[0])
	files[name+"/with.go"] = fmt.Sprintf("//go:build extra\n\npackage %s\n\nvar extra = %d\n", name, p.Extra[1])
}

func (d *decl) write(b *strings.Builder, m *model, i int) {
	b.WriteString("\n" + strings.Repeat("// a line\n", d.Lines))
	expr := fmt.Sprint(d.Val)
	for _, r := range d.Refs {
		expr += " + " + m.find(r).use(fmt.Sprintf("p%d.", r.Package), i)
	}
	var params []string
	for n := range d.Arity {
		params = append(params, fmt.Sprintf("a%d", n))
		expr += fmt.Sprintf(" + a%d", n)
	}
	list := ""
	if len(params) > 0 {
		list = strings.Join(params, ", ") + " int"
	}
	expr = "(" + expr + fmt.Sprintf(") %% %d", modulus)
	switch d.Kind {
	case constant:
		fmt.Fprintf(b, "const %s = %s\n", d.Name, expr)
	case variable:
		fmt.Fprintf(b, "var %s = %s\n", d.Name, expr)
	case function:
		fmt.Fprintf(b, "func %s(%s) int { return %s }\n", d.Name, list, expr)
	case generic:
		if list != "" {
			list = ", " + list
		}
		fmt.Fprintf(b, "func %s[T any](x T%s) int {\n\tvar zero T\n\t_, _ = x, zero\n\treturn %s\n}\n", d.Name, list, expr)
	case method:
		fmt.Fprintf(b, "type %s struct {\n\tA int\n%s}\n\nfunc (t %s) M(%s) int { return %s }\n", d.Name, strings.Repeat("\t_ int\n", d.Lines), d.Name, list, expr)
	}
}

// use is an expression with the value of d.
func (d *decl) use(qualifier string, i int) string {
	var args []string
	for n := range d.Arity {
		args = append(args, fmt.Sprint(n+1))
	}
	name, list := qualifier+d.Name, strings.Join(args, ", ")
	switch d.Kind {
	case function:
		return name + "(" + list + ")"
	case generic:
		if list != "" {
			list = ", " + list
		}
		return name + "(" + []string{"1", `"s"`, "1.5"}[i%3] + list + ")"
	case method:
		return name + "{}.M(" + list + ")"
	}
	return name
}

// sum is what Sum of package i gives.
func (m *model) sum(i int) int {
	p := m.Packages[i]
	n := len(p.Text) + p.Extra[0]
	if m.Extra {
		n += p.Extra[1] - p.Extra[0]
	}
	if p.LinkTo > 0 {
		n += m.Packages[p.Deps[0]].Secret + p.LinkTo - 1
	}
	for _, text := range p.Data {
		n += len(text)
	}
	for _, d := range p.all() {
		n += m.value(d)
	}
	return n
}
