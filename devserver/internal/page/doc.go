// Package page writes what devrun answers while the app cannot: the build page,
// the crash page, and two small ones; the page of a request that failed, on the
// app's address as well as on devrun's own; and the list of those. Each is an
// http.Handler, made once from data and read by many.
//
// What it promises:
//
//   - Each page exists as html, JSON, Markdown and plain text; the Accept header
//     decides, and what is no browser gets plain text.
//   - Source is read when the page is made, not when it is asked for, and no
//     request names a file. Only regular source files below 2 MB are read.
//   - Whatever an app, a compiler or a file name says is text: html/template
//     escapes it, control characters are made visible, only allow-listed editor
//     schemes become links, and the policy of the page allows no inline script
//     or style and no other origin.
//   - Secrets are left out of every form of a failure. On the app's address only a
//     navigation of the whole window, or a client that is no browser, gets its
//     variables and its request; that page needs nothing but itself and has an
//     origin of its own, so that no script of the app can read it.
//   - What is said about the reason of a panic is proved by the runtime's words, the
//     values and the source that was compiled. Where it is not, nothing is said.
//   - An html page is smaller than 150 KB, however much went wrong, and can be
//     read and walked through without JavaScript.
package page
