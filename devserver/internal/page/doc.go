// Package page writes what devrun answers while the app cannot: the build page,
// the crash page, and two small ones; the page of a request that failed, on the
// app's address as well as on devrun's own; and the list of those. Each is an
// http.Handler, made from data: that of a build or a crash once, to be read by many,
// that of a failure for each who asks.
//
// What it promises:
//
//   - Each page exists as html, JSON, Markdown and plain text; the Accept header
//     decides, and what is no browser gets plain text.
//   - No request names a file that is read: the data does, and package srctree reads
//     no others than source files.
//   - Whatever an app, a compiler or a file name says is text: html/template
//     escapes it, control characters are made visible, only allow-listed editor
//     schemes become links, and the policy of the page allows no inline script
//     or style and no other origin.
//   - Secrets are left out of every form of a failure. On the app's address only a
//     navigation of the whole window, or a client that is no browser, gets its
//     variables and its request; that page needs nothing but itself and has an
//     origin of its own, so that no script of the app can read it.
//   - What is said about the cause of a failure was found elsewhere, by package cause.
//   - An html page is smaller than 150 KB, however much went wrong, and can be
//     read and walked through without JavaScript.
package page
