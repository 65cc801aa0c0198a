// Everything on the pages can be read and reached without this script.
(() => {
  const root = document.documentElement;
  const $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];
  root.classList.add('js');

  // Colour scheme: the system decides until somebody chooses. Done before the page is drawn, so that it does not flash.
  const themes = ['', 'light', 'dark'];
  let theme = '';
  try { theme = localStorage.getItem('devrun.theme') || ''; } catch {}
  const paint = () => { theme ? root.dataset.theme = theme : delete root.dataset.theme; };
  if (themes.includes(theme)) paint(); else theme = '';

  const start = () => {
    // One live region for short confirmations.
    let timer;
    const say = (text) => { const t = $('.toast'); t.textContent = text; clearTimeout(timer); timer = setTimeout(() => { t.textContent = ''; }, 2200); };

    const button = $('#theme');
    const name = () => { button.textContent = theme ? theme[0].toUpperCase() + theme.slice(1) : 'System'; button.setAttribute('aria-label', 'Colour scheme: ' + button.textContent); };
    name();
    button.addEventListener('click', () => {
      theme = themes[(themes.indexOf(theme) + 1) % 3];
      paint(); name();
      try { localStorage.setItem('devrun.theme', theme); } catch {}
      say('Colours: ' + (theme || 'as the system'));
    });

    // The rail: one source at a time on a stack; on a list of errors all of them, and the current one in view.
    const rows = $$('.fr[href^="#"]'), rail = $('.rail'), target = (row) => document.getElementById(row.hash.slice(1));
    const show = (row, focus) => {
      const to = target(row);
      if (!to) return;
      rows.forEach((r) => r.removeAttribute('aria-current'));
      row.setAttribute('aria-current', 'true');
      $$('.panel, .diag').forEach((p) => p.classList.toggle('on', p === to));
      dispatchEvent(new Event('devrun:frame'));
      if (rail.scrollHeight > rail.clientHeight) row.scrollIntoView({ block: 'nearest' });
      const box = to.getBoundingClientRect();
      if (box.top < 0 || box.bottom > innerHeight) to.scrollIntoView({ block: box.height > innerHeight ? 'start' : 'nearest' });
      if (focus) row.focus({ preventScroll: true });
    };
    rows.forEach((r) => r.addEventListener('click', (e) => { e.preventDefault(); show(r); }));
    const step = (by) => {
      const items = $$('.item');
      if (items.length) return items[Math.max(0, items.indexOf(document.activeElement) + by)]?.focus();
      // A call in a fold that is closed stands where the fold does.
      const seen = rows.filter((r) => !r.closest('details:not([open])') || r.hasAttribute('aria-current'));
      const at = seen.findIndex((r) => r.hasAttribute('aria-current')) + by;
      if (seen[at]) show(seen[at], true);
    };
    const all = $('#all');
    const folds = () => {
      const list = $$('.rail .fold'), open = list.some((d) => !d.open);
      list.forEach((d) => { d.open = open; });
      if (all) { all.setAttribute('aria-pressed', open); all.firstElementChild.textContent = open ? 'App frames only' : 'All frames'; }
    };
    if (all && !$('.rail .fold')) all.hidden = true;
    all?.addEventListener('click', folds);
    $$('.tail').forEach((t) => { t.scrollTop = t.scrollHeight; });
    $$('.drawer').forEach((d) => d.addEventListener('toggle', () => { const t = $('.tail', d); if (t) t.scrollTop = t.scrollHeight; }));

    $$('[data-more]').forEach((b) => b.addEventListener('click', () => { $('.src', b.closest('.panel')).classList.add('all'); b.remove(); }));

    // Copy, also where there is no clipboard API (plain http on another name than localhost).
    const copy = async (text, done) => {
      try { await navigator.clipboard.writeText(text); } catch {
        const a = document.createElement('textarea');
        a.value = text; document.body.append(a); a.select(); document.execCommand('copy'); a.remove();
      }
      say(done);
    };
    const markdown = () => { const m = $('#markdown'); if (m) copy(m.textContent, 'Copied as Markdown'); };
    $$('[data-copy]').forEach((b) => b.addEventListener('click', () => b.dataset.copy ? copy(b.dataset.copy, 'Copied ' + b.dataset.copy) : markdown()));
    $$('[data-copy-from]').forEach((b) => b.addEventListener('click', () => copy($(b.dataset.copyFrom).textContent, 'Copied')));

    // The live-reload script marks the root while a build is under way.
    const strip = $('.strip'), dot = $('.dot');
    if (strip) {
      const label = dot.getAttribute('aria-label');
      const work = () => {
        const on = root.hasAttribute('data-devrun-building');
        strip.hidden = !on;
        dot.classList.toggle('work', on);
        dot.setAttribute('aria-label', on ? 'rebuilding' : label);
      };
      new MutationObserver(work).observe(root, { attributeFilter: ['data-devrun-building'] });
      work();
    }

    // Keys: none while typing, none with a modifier.
    const help = $('#help');
    $$('[data-help]').forEach((b) => b.addEventListener('click', () => help.showModal()));
    $('[data-close]')?.addEventListener('click', () => help.close());
    addEventListener('keydown', (e) => {
      if (e.metaKey || e.ctrlKey || e.altKey || e.target.closest?.('input, textarea, select, dialog, .w-ended')) return;
      const act = {
        j: () => step(1), k: () => step(-1), n: folds, c: markdown,
        e: () => ($('.on [data-editor]') || $('.btn.go'))?.click(), '?': () => help?.showModal(),
        '`': () => { const c = $('#console'); c?.scrollIntoView({ block: 'nearest' }); $$('input, textarea, a', c || help).find((x) => x.offsetParent)?.focus(); },
      }[e.key];
      if (act) { e.preventDefault(); act(); }
    });
  };
  document.readyState === 'loading' ? addEventListener('DOMContentLoaded', start) : start();
})();
