// The mailbox can be read without this script. It keeps the list up to date and deletes.
(() => {
  const $ = (s, e = document) => e.querySelector(s);
  const say = (text) => { const t = $('.toast'); if (t) t.textContent = text; };

  // Of a fresh copy of the page, what changes when mail comes.
  let busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const r = await fetch(location.pathname, { headers: { Accept: 'text/html' }, cache: 'no-store' });
      if (r.status === 404) return location.replace('/mail/');
      const fresh = new DOMParser().parseFromString(await r.text(), 'text/html');
      const at = document.activeElement?.getAttribute?.('href');
      for (const part of ['.rail', '.bar nav', '.what']) {
        const old = $(part), now = $(part, fresh);
        if (old && now) old.replaceWith(document.adoptNode(now));
      }
      document.title = fresh.title;
      if (at) [...document.querySelectorAll('.rail a')].find((a) => a.getAttribute('href') === at)?.focus({ preventScroll: true });
    } catch {} finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  };
  const events = new EventSource('/mail/events');
  let first = true;
  events.addEventListener('open', () => { if (!first) refresh(); first = false; });
  events.addEventListener('mail', refresh);

  const remove = async (what) => {
    try {
      const r = await fetch('/mail/delete', { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Devrun': '1' }, body: JSON.stringify(what) });
      if (!r.ok) { say((await r.json()).error || 'It could not be deleted.'); return; }
      location.href = '/mail/';
    } catch { say('devrun does not answer.'); }
  };
  addEventListener('click', (e) => {
    const b = e.target.closest?.('[data-delete], [data-clear]');
    if (b) remove('clear' in b.dataset ? { all: true } : { id: b.dataset.delete });
  });
})();
