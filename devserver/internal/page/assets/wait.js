// The page on the app's own address: devrun answers when it is out of date. An
// answer from another origin cannot be read; that there is one is enough.
(() => {
  const root = document.documentElement, wait = root.dataset.wait;
  if (!wait) return;
  const again = () => {
    const bar = document.getElementById('again');
    if (bar) {
      bar.hidden = false;
      bar.querySelector('[data-reload]').addEventListener('click', () => location.reload());
      return;
    }
    // Something that answers at once, always, must not make the page reload for ever.
    const now = Date.now(), past = ((history.state || {}).reloads || []).filter((t) => now - t < 10000);
    if (past.length >= 4) return;
    try { history.replaceState({ reloads: [...past, now] }, ''); } catch {}
    location.reload();
  };
  let pause = 250;
  const ask = () => fetch(wait, { mode: 'no-cors', cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer' })
    .then(again, () => { pause = Math.min(pause * 2, 10000); setTimeout(ask, pause); });
  ask();
})();
