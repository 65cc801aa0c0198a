// Package devserver runs a Go web app while it is being written: it rebuilds
// and restarts the app when a source is saved, keeps the app's port open
// meanwhile, and tells the browser.
//
// # The map
//
// One goroutine decides, the loop; the packages below know nothing of each
// other and report to it. In reading order:
//
//	devserver.go   Config, Run and Build: what the command line asks for
//	loop.go        the loop: its state and the events that change it
//	save.go        a save: what it asks for, the build, the graph
//	saves.go       what a save took, part by part, and the last of them
//	stamps.go      whether a source was touched while it was built
//	swap.go        one process for another: stop, start, ready, crash
//	decide.go      batch -> ignore | stylesheet | page | restart | rebuild (pure)
//	facts.go       what decide has to know, made from the graph
//	brake.go       a save from what the app writes whenever it starts
//	fronts.go      the app's public addresses and what they answer
//	place.go       where the app's binary lies
//	cache.go       what is kept from one run to the next, and whose it is
//	memory.go      those addresses, from one run to the next
//	keys.go        the keyboard
//	failures.go    requests that failed: noted, examined, answered
//	heard.go       what the hook says of them, as the rest of devrun speaks of it
//	served.go      the same without the hook, from stderr
//	coding.go      the text of an answer that the app has compressed
//	learn.go       how to build without the go command, found out in the background
//	errand.go      what is done for the binary when nothing else is
//	debugger.go    its debug information, made ahead of need
//	verify.go      its comparison with the one that go build makes
//	warm.go        where it is kept for the next run
//	keep.go        what the console can call though the app does not
//	look.go        the view into one process
//	ask.go         devrun's own origin: its pages, and what they ask
//	eval.go        an expression in a frame
//	more.go        what a page leaves out of a value
//	mail.go        the app's mail: taken, told, shown
//	smtp.go        the same alone, for devrun smtp
//
//	watcher            what changed on disk
//	internal/diskcache files that other runs read: written whole, the oldest found
//	internal/gocmd     the go command: run, ended whole, its lists read
//	internal/gograph   what the app is made of
//	internal/hook      what is compiled into the app in development
//	internal/build     source to binary with the go command, or diagnostics
//	internal/fastbuild the same for a save, without the go command
//	internal/linker    Go's linker, begun before there is anything to link
//	internal/proc      one app process and its children
//	internal/wire      what the hook and devrun say to each other
//	internal/proxy     the listener that survives restarts
//	internal/reload    the browser's event stream
//	internal/inspect   frames and variables of a parked goroutine
//	internal/expr      Go typed at a frame, to what the hook carries out
//	internal/gate      who may use devrun's own addresses
//	internal/console   devrun's own origin: PIN, trust, questions
//	internal/mailbox   a mail server that delivers nothing, and what it keeps
//	internal/page      the pages for a failed build, a crash and a failed request
//	internal/fault     what went wrong, as data
//	internal/term      the only writer to the terminal
//	suite              what the tests of all packages have in common
//
// # A save
//
// watcher sees it; decide says "rebuild"; from here on new requests wait in
// proxy. fastbuild compiles and links, or has go build do it where a change is
// no ordinary one, while the old app still runs; when the binary is
// linked the old app is stopped and the new one started. The hook, inside the
// app, says where it listens; proxy lets the waiting requests go on; reload
// tells the browsers. A newer save at any point cancels what is under way:
// everything that reports carries the generation it belongs to, and what
// belongs to an older one is dropped.
//
// # A failure
//
// A build that fails leaves the old app running, and an app that dies leaves
// nothing; either way every address of the app answers with a page that says
// why, until a save mends it.
//
// A request that fails is answered by devrun: the hook holds it and says what
// happened; inspect reads the variables out of the running process; page makes
// the answer; the hook sends it. The goroutine of a panic stays where it is, and
// console lets the developer evaluate Go there: expr compiles, the hook carries
// out.
package devserver
