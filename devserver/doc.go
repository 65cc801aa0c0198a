// Package devserver runs a Go web app while it is being written: it rebuilds
// and restarts the app when a source is saved, keeps the app's port open
// meanwhile, and tells the browser.
//
// # The map
//
// One goroutine decides, the loop. It owns parts that are plain values with a state and
// methods of their own, and know nothing of each other. In reading order:
//
//	devserver.go   Config, Run and Build: what the command line asks for
//	loop.go        the loop: its parts, and how it runs and ends
//	queue.go       how others have it do something; slot, a task in the background
//	process.go     where the app's process stands, and every way on from there (pure)
//	swap.go        what is done on that way: stop, start, ready, crash
//	launch.go      the app: how it is started, told, and listened to
//	seek.go        its listeners that the hook has not seen
//	image.go       one of its processes, while it runs the binary
//	place.go       where the app's binary lies
//
//	save.go        a save: what it asks for
//	decide.go      batch -> ignore | stylesheet | page | restart | rebuild (pure)
//	sources.go     what the app is made of, and what decide has to know of it
//	opened.go      what the app opens, and when it does
//	habits.go      what changes whenever the app starts is no save
//	writes.go      nor is what the app itself writes
//	builds.go      a build, and what has come of it
//	idle.go        what is done for the binary when there is nothing else to do
//	saves.go       what a save took, part by part, and the last of them
//
//	web.go         what browsers see of devrun
//	listeners.go   the app's public addresses and what they answer
//	front.go       one of them, and who in the app answers for it
//	secure.go      and what it agrees on with a client that speaks TLS
//	addresses.go   what those are
//	sockets.go     its Unix sockets, and what is left of them
//	memory.go      the same, from one run to the next
//	console.go     devrun's own origin: its pages, and what they ask
//	failures.go    requests that failed: recorded, examined, answered
//	reading.go     their variables, out of a parked goroutine
//	explain.go     the cause of one, found once for all who show it
//	view.go        the view into one process
//	eval.go        an expression in a frame
//	expand.go      what a page leaves out of a value
//	fromwire.go    what the hook says of them, as the rest of devrun speaks of it
//	unhooked.go    failures of an app without the hook, from stderr
//	encoding.go    the text of an answer that the app has compressed
//	mail.go        the app's mail: taken, told, shown
//	smtp.go        the same alone, for devrun smtp
//
//	keys.go        the keyboard
//	cache.go       what is kept from one run to the next, and whose it is
//
// The packages below report to the loop, and but for binaries, where what makes one
// meets, know nothing of each other:
//
//	watcher            what changed on disk
//	internal/stamp     whether a file was touched
//	internal/diskcache files that other runs read: written whole, the oldest found
//	internal/gocmd     the go command: run, ended whole, its lists read
//	internal/gograph   what the app is made of
//	internal/binaries  what runs, from source, and what goes with it
//	internal/hook      what is compiled into the app in development
//	internal/build     source to binary with the go command, or diagnostics
//	internal/fastbuild the same for a save, without the go command
//	internal/linker    Go's linker, prelinking: at work before there is anything to link
//	internal/proc      one app process and its children
//	internal/wire      what the hook and devrun say to each other
//	internal/proxy     the listener that survives restarts
//	internal/reload    the browser's event stream
//	internal/inspect   frames and variables of a parked goroutine
//	internal/expr      Go typed at a frame, to what the hook carries out
//	internal/gate      who may use devrun's own addresses
//	internal/console   devrun's own origin: PIN, trust, questions
//	internal/mailbox   a mail server that delivers nothing, and what it keeps
//	internal/cause     what led to a failure: from its variables and the source
//	internal/srctree   where the app's source is, and what may be read of it
//	internal/page      the pages for a failed build, a crash and a failed request
//	internal/fault     what went wrong, as data
//	internal/term      the only writer to the terminal
//	suite              what the tests of all packages have in common; suite/chrome, their browser
//
// # A save
//
// watcher sees it; decide says "rebuild"; from here on new requests wait in
// proxy. fastbuild compiles and links, or has go build do it where a change is
// no ordinary one, while the old app still runs; when the binary is
// linked the old app is stopped and the new one started. The hook, inside the
// app, says where it listens; proxy lets the waiting requests go on; reload
// tells the browsers. A newer save at any point cancels what is under way: what comes
// of a task that a newer one replaces is dropped, as is what an older process says.
//
// # A failure
//
// A build that fails leaves the old app running, and an app that dies leaves
// nothing; either way every address of the app answers with a page that says
// why, until a save mends it.
//
// A request that fails is held by the hook, which says what happened; inspect reads the
// variables out of the running process; cause finds what led to it, once for the terminal
// and every page. A script's or an API client's is then left to the app, whose answer
// names the failure in a header. For a person, and where the app has no answer, page makes
// one and the hook sends it; the goroutine of a panic stays parked, and console lets the
// developer evaluate Go there: expr compiles, the hook carries out.
package devserver
