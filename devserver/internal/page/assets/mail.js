// The mailbox can be read without this script. It keeps the list up to date and deletes.
(() => {
  const $ = (s, e = document) => e.querySelector(s);
  const say = (text) => { const t = $('.toast'); if (t) t.textContent = text; };

  // Of a fresh copy of the page, what changes when mail comes.
  let busy = false, leaving = false, newest = $('[data-mails]').dataset.mails;
  const refresh = async () => {
    if (busy || leaving) return;
    busy = true;
    try {
      while ($('[data-mails]').dataset.mails !== newest) {
        const r = await fetch(location.pathname, { headers: { Accept: 'text/html' }, cache: 'no-store' });
        if (leaving) return;
        if (r.status === 404) { leaving = true; location.replace('/mail/'); return; }
        const fresh = new DOMParser().parseFromString(await r.text(), 'text/html');
        const at = document.activeElement?.getAttribute?.('href');
        for (const part of ['.rail', '.bar nav', '.what']) $(part).replaceWith(document.adoptNode($(part, fresh)));
        newest = $('[data-mails]').dataset.mails = $('[data-mails]', fresh).dataset.mails;
        document.title = fresh.title;
        if (at) [...document.querySelectorAll('.rail a')].find((a) => a.getAttribute('href') === at)?.focus({ preventScroll: true });
      }
    } catch {} finally { busy = false; } // devrun is gone: the stream comes again if it does
  };
  new EventSource('/mail/events').addEventListener('mail', (e) => { newest = e.data; refresh(); });

  const remove = async (what) => {
    leaving = true;
    try {
      const r = await fetch('/mail/delete', { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Devrun': '1' }, body: JSON.stringify(what) });
      if (r.ok || r.status === 404) { location.href = '/mail/'; return; }
      say((await r.json()).error || 'It could not be deleted.');
    } catch { say('devrun does not answer.'); }
    leaving = false;
  };
  addEventListener('click', (e) => {
    const b = e.target.closest?.('[data-delete], [data-clear]');
    if (b) remove('clear' in b.dataset ? { all: true } : { id: b.dataset.delete });
  });
})();
