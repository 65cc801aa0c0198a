// What a failure on devrun's own address can do besides: the console, and to show a
// value that was left out. Whatever comes back is text.
(() => {
  const $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const panes = $('[data-failure]');
  if (!panes) return;
  const failure = panes.dataset.failure, con = $('.con');
  const make = (tag, cls, text) => { const n = document.createElement(tag); if (cls) n.className = cls; if (text !== undefined) n.textContent = text; return n; };
  const store = (k, v) => { try { if (v === undefined) return sessionStorage.getItem(k); v === null ? sessionStorage.removeItem(k) : sessionStorage.setItem(k, v); } catch { return null; } };
  const panel = () => $('.panel.on') || $('.panel'), frame = () => Number(panel()?.dataset.frame || 0), func = () => panel()?.dataset.func || 'console';
  const say = (text) => { const t = $('.toast'); t.textContent = text; setTimeout(() => { if (t.textContent === text) t.textContent = ''; }, 4000); };

  // call returns {ok, status, body}; a server that is gone has the status 0.
  const call = async (what, args, signal) => {
    try {
      const r = await fetch('/api/' + what, {
        method: 'POST', cache: 'no-store', credentials: 'omit', signal, body: JSON.stringify(args),
        headers: { 'Content-Type': 'application/json', 'X-Devrun': '1', ...(store('devrun.token') ? { Authorization: 'Bearer ' + store('devrun.token') } : {}) },
      });
      let body = {};
      try { body = await r.json() || {}; } catch {}
      if ((r.status === 401 || r.status === 403) && what !== 'unlock') { store('devrun.token', null); state('locked'); }
      if (r.status === 404 || r.status === 409 || r.status === 410) end(body.error);
      return { ok: r.ok, status: r.status, body };
    } catch (e) {
      return { ok: false, status: 0, body: { error: e.name === 'AbortError' ? 'Nobody waits for it any more.' : 'devrun does not answer.' } };
    }
  };
  const state = (to) => { if (con && con.dataset.state !== 'away') con.dataset.state = to; };
  // What says that the goroutine is parked, or asks something of it.
  const end = (why) => {
    const s = $('[data-ended]'), parked = $('[data-parked]'), stays = $('[data-stays]'), note = $('[data-goroutine]');
    if (s && why) s.textContent = why;
    const typing = con?.contains(document.activeElement);
    state('ended');
    if (typing) $('.w-ended')?.focus(); // what is still typed is no shortcut
    if (parked) parked.textContent = '';
    if (stays && why) stays.textContent = why;
    if (note) note.textContent = note.dataset.goroutine + ', gone';
    $$('[data-release], [data-reveal], [data-rest], [data-field]').forEach((b) => b.remove());
  };

  // The page follows what becomes of the goroutine and of the app.
  const waiting = 'waiting' in panes.dataset, dot = $('.dot'), words = $('.bar .end > span');
  const follow = async () => {
    let next = waiting ? 1000 : 2000;
    if (!document.hidden) {
      try {
        const r = await fetch('/api/failures/' + failure + '/state', { headers: { 'X-Devrun': '1' }, cache: 'no-store', credentials: 'omit' });
        const now = await r.json();
        if (r.status === 404) { end('devrun does not keep this failure any more.'); return; }
        if (waiting && now.values) { location.reload(); return; }
        if (now.gone) end(now.gone);
        if (r.ok) { dot.className = 'dot ' + now.dot; dot.setAttribute('aria-label', now.label); words.textContent = now.words; }
      } catch {
        dot.className = 'dot bad'; dot.setAttribute('aria-label', 'devrun does not answer'); words.textContent = 'devrun does not answer';
        next = 10000;
      }
    }
    clearTimeout(timer);
    timer = setTimeout(follow, next);
  };
  let timer = setTimeout(follow, 1000);
  addEventListener('visibilitychange', () => { if (!document.hidden) { clearTimeout(timer); follow(); } });

  // A value as a tree: {name, type, text, nil, redacted, children}. at is where devrun
  // can be asked for more of it: a frame and the path down to the value.
  const colour = (v) => ({ string: 's', number: 'd', bool: 'k' }[v.kind] || '');
  const button = (name, label, act) => { const b = make('button', 'link', name); b.type = 'button'; b.setAttribute('aria-label', label); b.addEventListener('click', (e) => { e.preventDefault(); act(b); }); return b; };
  const row = (v, tag, at) => {
    const r = make(tag, 'row'), name = make('span'), text = make('span', 'v');
    name.append(make('b', '', v.name || ''));
    text.append(v.nil ? make('span', 'nil', 'nil') : v.redacted ? make('span', 'chip hid', 'redacted')
      : make('span', colour(v), v.text || v.unreadable || (v.gone ? 'optimised away' : v.cycle ? 'same as ' + v.cycle : '')));
    if (at && v.redacted) text.append(button('show', 'Show the value of ' + v.name, (b) => replace(b, at)));
    if (at && v.cut > 0) text.append(' ', make('span', 'chip', v.cut.toLocaleString('en') + ' bytes more'), button('show', 'Show more of ' + v.name, (b) => replace(b, at)));
    r.append(name, make('span', 't', v.type || ''), text);
    return r;
  };
  // A pointer or an interface opens on what is in it.
  const open = (v, at) => {
    while (v.children?.length === 1 && !v.children[0].name) { v = v.children[0]; at = at && { ...at, path: [...at.path, 0] }; }
    return [v, at];
  };
  const parts = (v, at, from = 0) => (v.children || []).map((c, i) => [c, at && { ...at, path: [...at.path, v.kind === 'map' ? '=' + c.name : from + i] }])
    .filter(([c]) => c.name !== '_').map(([c, at]) => leaf(c, at));
  // first: as it was cut, before anybody asked for more.
  const rest = (v, at, from, first) => {
    const li = make('li', 'row'), n = make('span', 'mute', 'and ' + v.more.toLocaleString('en') + ' more');
    li.append(n);
    const listed = from + (v.children || []).length;
    if (at && (first || v.children?.length)) li.append(button('show', 'Show more', (b) => more(b, at, listed, first && v.kind === 'map', li)));
    return li;
  };
  const leaf = (v, at) => {
    const [inner, below] = open(v, at);
    // Of a pointer that is not followed there is nothing to count.
    const bare = !inner.children?.length && (!inner.more || !below && ['pointer', 'interface'].includes(inner.kind));
    if (v.redacted || bare) return row(v, 'li', at);
    const li = make('li'), d = make('details'), ul = make('ul');
    d.append(row(v, 'summary', at), ul);
    ul.append(...parts(inner, below));
    if (inner.more > 0) ul.append(rest(inner, below, 0, true));
    li.append(d);
    return li;
  };
  const tree = (v, at) => {
    const ul = make('ul', 'tree'), [inner, below] = open(v, at);
    ul.append(...parts(inner, below));
    if (inner.more > 0) ul.append(rest(inner, below, 0, true));
    return ul;
  };

  // What is asked for needs the PIN: unlock first, come back to it then.
  let later;
  const locked = (b) => { later = b; toPin('The PIN is needed to show this value.'); };
  const ask = async (b, what, args) => {
    if (!store('devrun.token')) { locked(b); return; }
    b.disabled = true;
    const { ok, body, status } = await call(what, { failure, ...args });
    b.disabled = false;
    if (ok) return body;
    status === 401 || status === 403 ? locked(b) : say(body.error || 'The value cannot be shown.');
  };
  // The focus was on the button that goes away with the row.
  const settle = (at) => { at.tabIndex = -1; at.focus({ preventScroll: true }); };
  const fill = (at, v, where) => {
    const text = make('span', colour(v), v.text || '');
    if (v.text?.length > 1000) { text.classList.add('long'); text.tabIndex = 0; }
    at.replaceChildren(text);
    if (v.cut > 0) at.append(' ', make('span', 'chip', v.cut.toLocaleString('en') + ' bytes more'));
    if (v.children?.length || v.more > 0) at.append(tree(v, where));
    settle(at);
  };
  const replace = async (b, at) => { const v = await ask(b, 'more', { ...at, from: 0 }); if (v) fill(b.closest('.v'), v, at); };
  const more = async (b, at, from, all, li) => {
    const v = await ask(b, 'more', { ...at, from: all ? 0 : from });
    if (!v) return;
    const ul = li.parentNode, had = all ? 0 : from;
    if (all) ul.replaceChildren(); else li.remove();
    const [inner, below] = open(v, at), list = parts(inner, below, had);
    ul.append(...list);
    if (inner.more > 0) ul.append(rest(inner, below, had));
    if (list.length) settle(list[0].querySelector('summary') || list[0]);
  };
  const steps = (path) => path ? path.split('.').map(Number) : [];
  $$('[data-reveal]').forEach((b) => b.addEventListener('click', async () => {
    const at = { frame: Number(b.dataset.frame), path: steps(b.dataset.reveal) }, v = await ask(b, 'reveal', at);
    if (v) fill(b.closest('.v'), v, at);
  }));
  $$('[data-field]').forEach((b) => b.addEventListener('click', async () => {
    const v = await ask(b, 'field', { part: b.dataset.field, path: steps(b.dataset.path) }), at = b.parentNode;
    if (v) { at.textContent = v.text; settle(at); }
  }));
  $$('[data-rest]').forEach((b) => b.addEventListener('click', (e) => {
    e.preventDefault(); // it may stand in a summary
    const at = { frame: Number(b.dataset.frame), path: steps(b.dataset.rest) }, li = b.closest('li');
    b.closest('.v') ? replace(b, at) : more(b, at, Number(b.dataset.from), 'all' in b.dataset, li);
  }));
  const pin = $('.pin input'), told = $('#pin-say');
  const toPin = (text) => {
    if (!con) return say(text);
    if (con.dataset.state === 'open') state('locked');
    $('#console').scrollIntoView({ block: 'nearest' });
    if (told && con.dataset.state !== 'ended') { told.textContent = text; pin.focus(); } else say(text);
  };
  $$('[data-release]').forEach((b) => b.addEventListener('click', async () => {
    if (!store('devrun.token')) { later = b; return toPin('The PIN is needed to let it go.'); }
    const { ok, body } = await call('release', { failure });
    if (ok) { b.remove(); end('The goroutine was let go.'); say('Let go'); } else say(body.error || 'It cannot be let go.');
  }));

  if (!con || !pin) return;
  const line = $('#expr'), log = $('.log'), prompt = $('.ask label'), offers = $('#offers');
  const focusLater = () => { const b = later; later = null; if (b) { b.click(); b.focus(); } else line.focus(); };

  // The PIN.
  if (con.dataset.state === 'locked' && store('devrun.token')) state('open');
  $('.pin').addEventListener('submit', async (e) => {
    e.preventDefault();
    const digits = pin.value.replace(/\D/g, '');
    if (digits.length !== 9) { told.textContent = 'The PIN has nine digits.'; pin.setAttribute('aria-invalid', 'true'); return; }
    const { ok, status, body } = await call('unlock', { pin: digits });
    if (ok && body.token) {
      pin.value = told.textContent = ''; pin.removeAttribute('aria-invalid');
      store('devrun.token', body.token); state('open'); focusLater();
    } else if (status === 429) {
      pin.value = ''; state('out'); $('[data-again]').focus();
    } else {
      pin.setAttribute('aria-invalid', 'true'); pin.select(); state('wrong');
      told.textContent = status === 403 ? 'That is not the PIN. ' + (body.left === 1 ? '1 attempt' : (body.left ?? 'Some') + ' attempts') + ' left; then press p in the terminal for a new one.' : body.error || 'devrun does not answer.';
    }
  });
  $('[data-again]').addEventListener('click', () => { state('locked'); pin.focus(); });

  // The line: it grows with what is in it.
  const name = () => { prompt.replaceChildren(make('span', '', func()), ' ›'); line.setAttribute('aria-label', 'Go expression, evaluated in ' + func()); };
  name();
  addEventListener('devrun:frame', name);
  const grow = () => { line.rows = Math.min(12, line.value.split('\n').length); };
  let past = [], at = 0;
  try { past = JSON.parse(store('devrun.history') || '[]').filter((s) => typeof s === 'string').slice(-100); } catch {}
  at = past.length;
  const set = (text) => { line.value = text; grow(); line.setSelectionRange(text.length, text.length); };
  let busy = null;
  const entry = (src) => {
    const li = make('li'), head = make('div', 'in'), time = make('time', '', ''), out = make('div', 'out');
    head.append(make('i', '', func() + ' ›'), make('code', '', src), time);
    li.append(head, out);
    log.append(li);
    while (log.children.length > 200) log.firstChild.remove();
    log.scrollTop = log.scrollHeight;
    return { out, time };
  };
  const ms = (n) => n < 10 ? n.toFixed(1) + ' ms' : n < 1000 ? Math.round(n) + ' ms' : (n / 1000).toFixed(1) + ' s';
  const show = ({ out, time }, { ok, body }, took) => {
    time.textContent = ms(typeof body.took_ms === 'number' ? body.took_ms : took);
    if (body.panic) {
      out.className = 'out no';
      out.append(make('b', '', 'panic:'), ' ' + body.panic, make('p', 'mute', 'It was recovered, and the request stays parked.'));
    } else if (!ok || body.error) {
      out.className = 'out no';
      out.append(body.error || 'It could not be evaluated.');
    } else if (!body.kind && !body.text) {
      out.append(make('span', 't', 'done')); // an assignment, a call without a result
    } else {
      out.append(make('span', { string: 's', number: 'd', bool: 'k' }[body.kind] || '', body.text ?? ''), make('span', 't', body.type || ''));
      if (body.second) out.append(make('div', '', ''), make('span', '', body.second.text ?? String(body.second)), make('span', 't', body.second.type || ''));
      if (body.children?.length) out.append(tree(body));
    }
    log.scrollTop = log.scrollHeight;
  };
  const run = async () => {
    const src = line.value.trim();
    if (busy) say('The previous expression is still running.');
    if (!src || busy) return;
    if (past[past.length - 1] !== src) past.push(src);
    at = past.length;
    store('devrun.history', JSON.stringify(past.slice(-100)));
    set(''); close();
    const e = entry(src), began = performance.now(), stop = make('button', 'link', 'stop waiting');
    busy = new AbortController();
    const tick = setInterval(() => {
      e.time.textContent = ms(performance.now() - began);
      if (performance.now() - began > 500 && !stop.isConnected) { e.out.append(make('span', 'mute', 'running '), stop); }
    }, 100);
    stop.type = 'button';
    stop.addEventListener('click', () => busy?.abort());
    const answer = await call('eval', { failure, frame: frame(), src }, busy.signal);
    clearInterval(tick); busy = null;
    e.out.replaceChildren();
    show(e, answer, performance.now() - began);
  };
  $('.ask').addEventListener('submit', (e) => { e.preventDefault(); run(); });

  // Completion: a list of at most eight, by Tab.
  let items = [], picked = 0, from = 0;
  const close = () => { items = []; offers.hidden = true; offers.replaceChildren(); line.setAttribute('aria-expanded', 'false'); line.removeAttribute('aria-activedescendant'); };
  const mark = () => {
    [...offers.children].forEach((li, i) => li.setAttribute('aria-selected', i === picked));
    line.setAttribute('aria-activedescendant', 'offer' + picked);
  };
  const take = (i) => {
    const text = items[i].name, pos = line.selectionStart;
    line.setRangeText(text, from, pos, 'end'); close(); grow(); line.focus();
  };
  const complete = async () => {
    const src = line.value, pos = line.selectionStart;
    const { ok, body } = await call('complete', { failure, frame: frame(), src, pos: new TextEncoder().encode(src.slice(0, pos)).length });
    if (!ok || line.value !== src || line.selectionStart !== pos || document.activeElement !== line || !Array.isArray(body.items)) return; // who typed on, or went elsewhere
    items = body.items.slice(0, 8); picked = 0;
    from = new TextDecoder().decode(new TextEncoder().encode(src).slice(0, body.from ?? 0)).length;
    if (!items.length) return close();
    if (items.length === 1) return take(0);
    offers.replaceChildren(...items.map((it, i) => {
      const li = make('li', '', it.name);
      li.id = 'offer' + i; li.setAttribute('role', 'option'); li.append(make('small', '', it.type || it.kind || ''));
      li.addEventListener('mousedown', (e) => { e.preventDefault(); take(i); });
      return li;
    }));
    offers.hidden = false; line.setAttribute('aria-expanded', 'true'); mark();
  };
  line.addEventListener('input', () => { grow(); close(); });
  line.addEventListener('blur', close);
  line.addEventListener('keydown', (e) => {
    const open = !offers.hidden, key = e.key;
    const one = !line.value.includes('\n');
    const act = () => {
      if (open && (key === 'ArrowDown' || key === 'ArrowUp')) { picked = (picked + (key === 'ArrowDown' ? 1 : items.length - 1)) % items.length; mark(); return true; }
      if (open && (key === 'Enter' || key === 'Tab')) { take(picked); return true; }
      if (key === 'Escape') { open ? close() : line.blur(); return true; }
      if (key === 'Tab' && !e.shiftKey && line.value.trim()) { complete(); return true; }
      if (key === 'Enter' && !e.shiftKey && !e.isComposing) { run(); return true; }
      if (key === 'l' && e.ctrlKey) { log.replaceChildren(); return true; }
      if (one && past.length && (key === 'ArrowUp' || key === 'ArrowDown')) {
        at = Math.max(0, Math.min(past.length, at + (key === 'ArrowUp' ? -1 : 1)));
        set(past[at] || ''); return true;
      }
    };
    if (act()) e.preventDefault();
  });
})();
