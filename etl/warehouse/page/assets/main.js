// What the reader sees, made anew after each choice.
const MEDIA = matchMedia('(prefers-color-scheme: dark)');
const applyTheme = () => { document.documentElement.dataset.theme = state.theme === 'auto' ? (MEDIA.matches ? 'dark' : 'light') : state.theme; };
let started = [];
const drawAll = () => started.forEach((start) => start());
const absent = () => (meta.absent.length ? el('p', { class: 'absent' }, strong('Not on this page: '), meta.absent.map((one, index) => [index ? '; ' : '', strong(one.title), ` (${one.how})`]), '. docs/spend.md and docs/trackers.md say how.') : null);
const render = () => {
  const began = performance.now();
  const focused = document.activeElement && document.activeElement.id;
  applyTheme();
  head();
  tabs();
  byId('tip').hidden = true;
  const tab = content.tabs.find((one) => one.id === state.tab);
  const area = el('div', { role: 'tabpanel', id: 'panel', 'aria-labelledby': `tab-${tab.id}` });
  started = [];
  if (!hasData) {
    byId('controls').replaceChildren();
    area.append(el('p', { class: 'headline' }, 'There is no data yet: no day has an event or a pixel hit.'), el('p', { class: 'aside' }, 'Put a web server\u2019s log into access/, or a tracker\u2019s requests into events/ and the pixel\u2019s into pixel/, all below the inbox, and run again: any of them makes this tab.'), ...[absent()].filter(isKnown));
    byId('main').replaceChildren(area);
  } else {
    controls();
    const { main, aside } = HEADLINES[tab.id]();
    area.append(el('p', { class: 'headline' }, main.flat(3)), el('p', { class: 'aside' }, state.isOutside ? `The days of this link are none of those that this page shows, ${asSpan({ start: firstShown, end: meta.last_day })}. ` : '', aside.flat(3)));
    const figures = STRIPS[tab.id]();
    if (figures) area.append(figures);
    const made = tab.panels.map((panel) => showPanel(panel));
    area.append(el('div', { class: 'panels' }, made.map((one) => one.section)), ...[absent()].filter(isKnown));
    byId('main').replaceChildren(area);
    started = made.map((one) => one.start).filter(isKnown);
    drawAll();
  }
  document.title = `${tab.title} · Bloodhound`;
  if (byId('sheet').open) fillSheet();
  else { const again = focused && byId(focused); if (again && again !== document.activeElement) again.focus(); }
  document.documentElement.dataset.drawn = String(Math.round(performance.now() - began));
  document.documentElement.dataset.ready = String(Number(document.documentElement.dataset.ready || 0) + 1);
};
byId('foot').textContent = `Days are those of ${meta.time_zone}; the last ${meta.window_days} at most are shown. Money in ${meta.currency}. Bots and exclusions are left out. ${meta.sealed_through === null ? '' : `Days through ${asDay(meta.sealed_through, true)} are sealed: what comes late for them no longer counts. `}Made ${meta.published_at} UTC. This page loads nothing and tells nobody that it is open.`;
byId('filters-button').addEventListener('click', () => openSheet('all'));
byId('sheet').addEventListener('close', () => { const opener = { period: 'choose-period', filters: 'choose-filter', looks: 'choose-looks', all: 'filters-button' }[sheetOf]; sheetOf = null; if (opener && byId(opener)) byId(opener).focus(); });
byId('sheet').addEventListener('click', (event) => { if (event.target === byId('sheet')) byId('sheet').close(); });
byId('skip').addEventListener('click', (event) => { event.preventDefault(); byId('main').focus(); });
const back = () => { state = readHash(); render(); };
addEventListener('popstate', back);
addEventListener('hashchange', () => { if (writeHash(state) !== writeHash(readHash())) back(); });
MEDIA.addEventListener('change', applyTheme);
let wasWide = innerWidth;
addEventListener('resize', () => { if (innerWidth !== wasWide) { wasWide = innerWidth; drawAll(); } });
// Paper has one width: the drawings are made for it, and for the window again.
addEventListener('beforeprint', () => { document.documentElement.dataset.printed = 'yes'; drawAll(); });
addEventListener('afterprint', () => { delete document.documentElement.dataset.printed; drawAll(); });
document.documentElement.dataset.script = 'yes';
render();
// The row of the check that was asked for, or the list where it is not open any more.
const row = ASKED && document.querySelector(`tr[data-check="${CSS.escape(ASKED)}"]`);
if (row) row.classList.add('asked');
if (ASKED && (row || byId('panel-open'))) (row || byId('panel-open')).scrollIntoView({ block: 'center' });
