// Package page writes what devrun answers while the app cannot: the build page,
// the crash page, and two small ones. Each is an http.Handler, made once from
// data and read by many.
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
//   - An html page is smaller than 150 KB, however much went wrong, and can be
//     read and walked through without JavaScript.
package page
