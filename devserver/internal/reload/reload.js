// Part of every page that devrun passes on: it listens for news of the app and
// reloads the page, or exchanges its stylesheets, when there are any.
(() => {
  'use strict'

  // How long changed assets may take to be fetched before the page reloads anyway.
  const refreshLimit = 1_000
  // How long a page may grow after it has loaded and still be scrolled back.
  const scrollLimit = 1_000
  // How long the answer to a link that was followed, or to a form, may be waited for.
  const leavingFor = 60_000
  // The same where devrun does not see the request.
  const leavingLimit = 5_000
  // Pause between two questions whether it has come.
  const askEvery = 100
  // Pause before an event stream that the server refused is tried again.
  const retryRefused = 2_000

  const running = Symbol.for('devrun')
  const tag = document.currentScript
  const version = /^(.*?)\.(\d+)(?:\.(\d+))?$/.exec(tag?.dataset.devrun ?? '')
  if (!version || window[running]) return
  window[running] = true

  const here = { run: version[1], generation: Number(version[2]), revision: Number(version[3] ?? 0) }
  const own = document.documentElement.hasAttribute('data-devrun-page') // a page of devrun's, not of the app
  const url = name => location.origin + '/__devrun/' + name // whatever <base> says
  const address = () => location.href.replace(/#.*/, '')

  // Session storage is the tab's memory across reloads; a browser may refuse it.
  const memory = {
    get(key) {
      try { return JSON.parse(sessionStorage.getItem('devrun.' + key)) } catch { return null }
    },
    set(key, value) {
      try {
        sessionStorage.setItem('devrun.' + key, JSON.stringify(value))
        return true
      } catch { return false }
    },
    take(key) {
      const value = this.get(key)
      try { sessionStorage.removeItem('devrun.' + key) } catch { /* there was nothing */ }
      return value
    },
  }

  // --- news

  let styles = Number(tag.dataset.styles ?? 0) // edits of stylesheets that this page has

  let stuck = false // the page is the old one however often it is loaded

  function hear(message) {
    if (isNews(message)) {
      if (reloading) return
      if (posted) ask(message.kind)
      else if (mayReload(message)) { reload(message); return }
      else stay()
      Object.assign(here, { run: message.run, generation: message.generation, revision: message.revision })
    }
    if (!stuck) forgetReload()
    if (own) document.documentElement.toggleAttribute('data-devrun-building', message.building)
    if (message.kind === 'css') restyle(message.paths)
    else if (styles !== message.styles) restyle(message.paths)
    styles = message.styles
  }

  function isNews(message) {
    if (message.run !== here.run) return true
    return message.generation > here.generation ||
      message.generation === here.generation && message.revision > here.revision
  }

  // --- reloading

  let reloading = false

  async function reload(message) {
    reloading = true
    const known = message?.run === here.run // else nobody knows what changed
    await within(refreshLimit, refresh(known ? message.paths ?? [] : null))
    if (!own) await departed()
    rememberScroll()
    history.scrollRestoration = 'auto'
    location.reload()
    reloading = false // the app may have asked the user, who stays
  }

  // An address whose page stays old, as one that comes out of a cache, is
  // reloaded once for each version and not again.
  function mayReload({ kind, run, generation, revision }) {
    const target = [run, generation, revision].join('.')
    const done = memory.get('reloaded')
    const addresses = done?.target === target ? done.addresses : []
    if (addresses.includes(address())) return false
    return memory.set('reloaded', { target, addresses: [...addresses, address()] }) || kind !== 'hello'
  }

  // A reload asks the app, so what keeps a page old is most likely a service worker.
  function stay() {
    const worker = navigator.serviceWorker?.controller
    if (worker && !stuck) {
      console.warn(`devrun: this page stays old, because the app's service worker ${worker.scriptURL} answers it. ` +
        'The way out: DevTools, Application, Service workers, "Bypass for network" or "Unregister".')
      fetch(url('stale'), { method: 'HEAD' }).catch(() => {}) // the page may not say so
    }
    stuck = true
  }

  function forgetReload() {
    const done = memory.get('reloaded')
    if (!done?.addresses.includes(address())) return
    memory.set('reloaded', { ...done, addresses: done.addresses.filter(a => a !== address()) })
  }

  // --- leaving: a reload would take back the link that was followed, or the form that
  // was sent, while the app was not there

  // No event tells that a navigation came to nothing, as when the answer is a download or
  // empty, so devrun is asked whether it still owes one. The Navigation API tells where it
  // leads; without that it may be where devrun does not see it. (Its navigateerror would
  // tell of a refusal, but comes with a pushState, too, which stops nothing.)
  let going = null
  let left = null

  window.navigation?.addEventListener('navigate', event => {
    if (!event.destination.sameDocument) going = event.destination.url
  })
  window.navigation?.addEventListener('navigatesuccess', () => { going = null }) // within the page
  addEventListener('beforeunload', () => {
    const loads = !going || /^https?:/.test(going) // else it is another program's, as mailto: is
    left = loads ? { at: performance.now(), seen: going && isLocal(going) } : null
    going = null
  })

  async function departed() {
    const since = () => left ? performance.now() - left.at : Infinity
    try {
      while (since() < leavingFor && await isPending()) await pause(askEvery)
      if (left && !left.seen) await pause(leavingLimit - since())
    } catch {
      await pause(leavingLimit) // the page may not ask, or has no connection left for it
    }
  }

  // HEAD, because a service worker stores what is got by GET.
  async function isPending() {
    const signal = AbortSignal.timeout(leavingLimit)
    const { status } = await fetch(url('pending'), { method: 'HEAD', cache: 'no-store', signal })
    return status === 200
  }

  // --- pages that answer a form: Chromium sends it again without a question when a
  // script reloads them, so the page itself asks

  const posted = 'posted' in tag.dataset
  let bar = null

  function ask(kind) {
    bar?.remove()
    bar = document.createElement('devrun-bar')
    const make = (name, properties) => Object.assign(document.createElement(name), properties)
    const box = make('div', { lang: 'en', role: 'status', onkeydown: event => { if (event.key === 'Escape') bar.remove() } })
    box.append(
      make('p', { textContent: (kind === 'failed' ? 'The newest version of this page fails.' : 'There is a newer version of this page.') +
        ' It answered a form: send the form again?' }),
      make('button', { textContent: 'Send again', onclick: () => { bar.remove(); reload() } }),
      make('button', { textContent: 'Not now', onclick: () => bar.remove() }))
    const look = new CSSStyleSheet() // which no Content-Security-Policy forbids
    look.replaceSync(`
      :host { all: initial }
      div { color-scheme: light dark; position: fixed; z-index: 2147483647; bottom: 12px; left: 12px; right: 12px;
        width: fit-content; margin: 0 auto; padding: 8px 12px; display: flex; flex-wrap: wrap; gap: 8px; align-items: center;
        font: 14px/1.4 system-ui, sans-serif; color: CanvasText; background: Canvas; border: 1px solid GrayText;
        border-radius: 6px; box-shadow: 0 2px 12px #0004 }
      p { margin: 0 }
      button { font: inherit }
      @media print { div { display: none } }`)
    const shadow = bar.attachShadow({ mode: 'open' })
    shadow.adoptedStyleSheets = [look]
    document.documentElement.append(bar)
    shadow.append(box)
  }

  // --- scroll position

  // What is kept is the app's position: it outlives devrun's own pages between.
  function rememberScroll() {
    if (!own) memory.set('scroll', { address: address(), x: scrollX, y: scrollY })
  }

  function restoreScroll() {
    if (own) return
    const kept = memory.take('scroll')
    if (kept?.address !== address()) return
    const end = performance.now() + scrollLimit
    let moved = false
    for (const type of ['wheel', 'touchstart', 'mousedown', 'keydown']) {
      addEventListener(type, () => { moved = true }, { once: true, passive: true })
    }
    const step = () => {
      const there = Math.abs(scrollX - kept.x) < 1 && Math.abs(scrollY - kept.y) < 1
      if (there || moved || performance.now() > end) return
      scrollTo({ left: kept.x, top: kept.y, behavior: 'instant' })
      requestAnimationFrame(step)
    }
    step()
  }

  if (document.readyState === 'complete') restoreScroll()
  else addEventListener('load', restoreScroll)

  // --- changed assets

  function baseName(href) {
    const last = new URL(href, document.baseURI).pathname.split('/').pop()
    try { return decodeURIComponent(last) } catch { return last }
  }

  function isLocal(href) {
    try { return new URL(href, document.baseURI).origin === location.origin } catch { return false }
  }

  // refresh puts the assets of this page that are called one of paths, or all
  // without paths, into the browser's cache anew, where a long max-age would
  // keep the old.
  function refresh(paths) {
    const asked = paths ? [] : ['fetch', 'xmlhttprequest', 'beacon', 'iframe', 'other'] // may do something
    const used = new Set(performance.getEntriesByType('resource').filter(e => !asked.includes(e.initiatorType)).map(e => e.name))
    for (const { src, href } of document.querySelectorAll('script[src], img[src], link[href]')) used.add(src || href)
    const changed = [...used].filter(href => isLocal(href) && (!paths || paths.includes(baseName(href))))
    return Promise.allSettled([...new Set(changed.map(plain))].map(renew))
  }

  async function renew(href) {
    const response = await fetch(href, { cache: 'reload' })
    await response.arrayBuffer() // else it is not stored
  }

  // plain is an address without what exchange has put into it.
  function plain(href) {
    const to = new URL(href, document.baseURI)
    const parts = to.search.slice(1).split('&')
    if (parts.some(part => part.startsWith('devrun='))) to.search = parts.filter(part => part && !part.startsWith('devrun=')).join('&')
    return to.href
  }

  function pause(time) {
    return new Promise(done => setTimeout(done, time))
  }

  function within(limit, promise) {
    return Promise.race([promise, pause(limit)])
  }

  // --- stylesheets

  const successors = new WeakMap() // sheet in use -> the one that is loading to replace it

  // inUse are the sheets of the page that apply: a successor does when it has loaded.
  function inUse(selector) {
    const sheets = [...document.querySelectorAll(selector)].filter(sheet => !sheet.href || isLocal(sheet.href))
    const loading = new Set(sheets.map(sheet => successors.get(sheet)))
    return sheets.filter(sheet => !loading.has(sheet))
  }

  // restyle exchanges the stylesheets called one of paths, and all of the app's
  // when some name is none of theirs, for it may be imported by any; no paths
  // stand for all.
  async function restyle(paths) {
    const linked = 'link[rel~="stylesheet" i][href]'
    const named = inUse(linked).filter(link => paths?.includes(baseName(link.href)))
    const names = named.map(link => baseName(link.href))
    const renewed = refresh(paths) // for the next page, which asks for the address as it was
    if (paths?.length && paths.every(path => names.includes(path))) {
      named.forEach(exchange)
      return
    }
    await within(refreshLimit, renewed)
    // What was in use before may have been exchanged meanwhile.
    for (const sheet of inUse(linked + ', style')) {
      if (sheet.href || sheet.textContent.includes('@import')) exchange(sheet)
    }
  }

  // exchange lets the old sheet stand until the new one applies, so that the
  // page is never seen without.
  function exchange(sheet) {
    successors.get(sheet)?.remove()
    const next = sheet.cloneNode(true)
    if (next.href) {
      const to = new URL(plain(next.href))
      to.search = [...to.search.slice(1).split('&').filter(part => part), 'devrun=' + Date.now()].join('&')
      next.href = to.href
      next.removeAttribute('integrity') // of the old content
    }
    if (sheet.nonce) next.nonce = sheet.nonce
    const leave = left => () => {
      if (successors.get(sheet) !== next) return // there is a newer one
      successors.delete(sheet)
      left.remove()
    }
    next.addEventListener('load', leave(sheet), { once: true })
    next.addEventListener('error', leave(next), { once: true })
    successors.set(sheet, next)
    sheet.after(next)
  }

  // --- connection

  let disconnect = () => {}

  function connect() {
    let worker
    try {
      // Named by the run, so that the worker of a devrun that is gone stays with its pages.
      worker = new SharedWorker(url('worker.js'), 'devrun ' + here.run)
    } catch {
      connectAlone()
      return
    }
    const port = worker.port
    port.onmessage = ({ data }) => {
      worker.onerror = null
      if (data.kind === 'ping') port.postMessage('pong')
      else hear(data)
    }
    worker.onerror = connectAlone
    disconnect = () => port.postMessage('bye')
  }

  // A page of its own connection has it only while it is seen: a browser opens
  // no more than six to one server, and the page catches up when it is seen again.
  function connectAlone() {
    let stream = null
    let retry
    const close = () => {
      clearTimeout(retry)
      stream?.close()
      stream = null
    }
    const open = () => {
      close()
      if (document.hidden) return
      stream = new EventSource(url('events'))
      stream.onmessage = event => hear(JSON.parse(event.data))
      stream.onerror = () => {
        if (stream?.readyState === EventSource.CLOSED) retry = setTimeout(open, retryRefused)
      }
    }
    const forbidden = event => {
      if (event.effectiveDirective !== 'connect-src' || event.blockedURI !== url('events')) return
      disconnect()
      console.warn('devrun: no live reload on this page, because its Content-Security-Policy allows neither ' +
        "worker-src 'self' nor connect-src 'self'.")
    }
    document.addEventListener('visibilitychange', open)
    document.addEventListener('securitypolicyviolation', forbidden)
    disconnect = () => {
      document.removeEventListener('visibilitychange', open)
      document.removeEventListener('securitypolicyviolation', forbidden)
      close()
    }
    open()
  }

  addEventListener('pagehide', () => disconnect())
  addEventListener('pageshow', event => {
    if (!event.persisted) return
    left = null
    connect()
  })
  connect()
})()
