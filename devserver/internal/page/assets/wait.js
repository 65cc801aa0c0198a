// The page on the app's own address: devrun answers when it is out of date, and when
// a save does not compile. An answer from another origin cannot be read; that there
// is one is enough.
(() => {
  const root = document.documentElement, wait = root.dataset.wait;
  if (!wait) return;
  const by = (id) => document.getElementById(id);
  const show = (id, on) => { const bar = by(id); if (bar) bar.hidden = !on; };
  addEventListener('click', (e) => { if (e.target.closest('[data-reload]')) location.reload(); });
  const again = () => {
    if (by('again')) { show('broken', false); show('again', true); return; }
    // Something that answers at once, always, must not make the page reload for ever.
    const now = Date.now(), past = ((history.state || {}).reloads || []).filter((t) => now - t < 10000);
    if (past.length >= 4) return;
    try { history.replaceState({ reloads: [...past, now] }, ''); } catch {}
    location.reload();
  };
  const ask = (news, then, pause = 250) => fetch(wait + news, { mode: 'no-cors', cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer' })
    .then(then, () => { setTimeout(() => ask(news, then, Math.min(pause * 2, 10000)), pause); });
  // The same holds here: no more than one turn in half a second.
  const turn = (on) => ask(on ? '/broken' : '/whole', () => { show('broken', on && by('again')?.hidden !== false); setTimeout(turn, 500, !on); });
  const start = () => { ask('', again); turn(true); };
  document.readyState === 'loading' ? addEventListener('DOMContentLoaded', start) : start();
})();
