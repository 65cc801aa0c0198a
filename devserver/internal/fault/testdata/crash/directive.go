package main

func directive() {
//line /home/dev/a b:7 +0x1.tmpl:3
	fail()
}
