// Shared by all pages of one browser that come from one run of devrun: it holds
// the one event stream and passes what it hears on to each of them.
'use strict'

// A page that died without a word is forgotten after two pings.
const pingEvery = 20_000
// Pause before a stream that the server refused is tried again, as after a
// restart during which something else had the port.
const retryRefused = 2_000

const pages = new Map() // port -> pings it has not answered
let stream = null
let state = null // hello to a page that joins: what the last message said, and all assets heard of

function open() {
  stream = new EventSource('/__devrun/events')
  stream.onmessage = event => {
    const message = JSON.parse(event.data)
    state = { ...message, kind: 'hello', paths: [...new Set([...state?.paths ?? [], ...message.paths ?? []])] }
    for (const port of pages.keys()) port.postMessage(message)
  }
  stream.onerror = event => {
    if (event.target !== stream || stream.readyState !== EventSource.CLOSED) return
    stream = null
    setTimeout(() => { if (pages.size > 0 && !stream) open() }, retryRefused)
  }
}

function join(port) {
  pages.set(port, 0)
  if (!stream) open()
  if (state) port.postMessage(state)
}

function leave(port) {
  pages.delete(port)
  if (pages.size > 0 || !stream) return
  stream.close()
  stream = null
  state = null // it would be old by the time a page joins
}

onconnect = event => {
  const port = event.ports[0]
  port.onmessage = ({ data }) => {
    if (data === 'bye') leave(port)
    else if (pages.has(port)) pages.set(port, 0)
    else join(port) // it was frozen and has been forgotten meanwhile
  }
  join(port)
}

setInterval(() => {
  for (const [port, missed] of pages) {
    if (missed === 2) { leave(port); continue }
    pages.set(port, missed + 1)
    port.postMessage({ kind: 'ping' })
  }
}, pingEvery)
