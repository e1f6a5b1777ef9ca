// What the reader does, and what follows.
let state = readHash();
const MEDIA = matchMedia('(prefers-color-scheme: dark)');
const applyTheme = () => {
  document.documentElement.dataset.theme = state.theme === 'auto' ? (MEDIA.matches ? 'dark' : 'light') : state.theme;
};

const pills = () => {
  const { checks } = meta;
  const all = Object.values(checks).reduce((total, count) => total + count, 0);
  const worst = checks.error ? 'error' : checks.warn ? 'warn' : all && !checks.unknown ? 'ok' : 'unknown';
  const known = totalled(frame('kpi').filter((row) => row.dimension === 'all')).completeness;
  const whole = !isKnown(known) ? 'unknown' : 1 - known > (meta.target ?? 0.02) ? 'warn' : 'ok';
  byId('pills').replaceChildren(
    el('li', {}, 'data through ', strong(hasData ? asDay(meta.last_day, true) : UNKNOWN)),
    el('li', {}, 'published ', strong(`${meta.published_at} UTC`)),
    el('li', { class: worst }, strong(`${checks.ok || 0} of ${all}`), ' checks ok', ...['error', 'warn', 'unknown'].filter((status) => checks[status]).map((status) => `, ${checks[status]} ${status}`)),
    el('li', { class: whole }, 'completeness ', strong(show(known, 'rate'))));
};

const tabs = () => {
  byId('tabs').replaceChildren(...content.tabs.map((tab) => {
    const isOpen = tab.id === state.tab;
    return el('button', { type: 'button', role: 'tab', id: `tab-${tab.id}`, 'aria-selected': String(isOpen), 'aria-controls': 'panel', tabindex: isOpen ? '0' : '-1',
      on: { click: () => go({ tab: tab.id }), keydown: onTabKey } }, tab.title);
  }));
};
const onTabKey = (event) => {
  const all = CHOICES.tab;
  const at = all.indexOf(state.tab);
  const next = { ArrowRight: all[(at + 1) % all.length], ArrowLeft: all[(at + all.length - 1) % all.length], Home: all[0], End: all[all.length - 1] }[event.key];
  if (!next) return;
  event.preventDefault();
  go({ tab: next });
  byId(`tab-${next}`).focus();
};

const OPTION_WORDS = { all: 'All' };
const filters = () => {
  const select = (name) => el('label', {}, LABELS[name], el('select', { id: `filter-${name}`, on: { change: (event) => go({ [name]: event.target.value }) } },
    CHOICES[name].map((value) => {
      const words = name === 'days' ? (value === 'all' ? `All ${daysShown} days` : `${value} days`) : OPTION_WORDS[value] || value.replaceAll('_', ' ');
      return el('option', { value, selected: state[name] === value }, name === 'country' && value !== 'all' ? value : words);
    })));
  const themes = { auto: 'As the system', light: 'Light', dark: 'Dark' };
  byId('filters').replaceChildren(
    ...FILTERS[state.tab].map(select),
    el('label', {}, 'Colours', el('select', { id: 'filter-theme', on: { change: (event) => go({ theme: event.target.value }) } },
      CHOICES.theme.map((value) => el('option', { value, selected: state.theme === value }, themes[value])))));
};

// KPIs are counted by platform, by country and by channel, never by two at once: choosing one sets the others free.
const go = (wanted) => {
  let notice = '';
  const chosen = SLICES.find((name) => wanted[name] && wanted[name] !== 'all');
  if (chosen && state.tab === 'business') {
    for (const name of SLICES) {
      if (name !== chosen && state[name] !== 'all') { wanted[name] = 'all'; notice = `Figures are counted by platform, country or channel, one at a time: now by ${chosen}.`; }
    }
  }
  state = { ...state, ...wanted };
  writeHash(state);
  render();
  byId('notice').textContent = notice;
};

const choiceOf = (panel) => {
  const choices = Object.keys(CHOICES_OF[panel.id] ? CHOICES_OF[panel.id]() : panel.choice).length ? (CHOICES_OF[panel.id] ? CHOICES_OF[panel.id]() : panel.choice) : null;
  if (!choices) return { choices: null, chosen: null };
  const wanted = state.choices[panel.id];
  return { choices, chosen: wanted in choices ? wanted : Object.keys(choices)[0] };
};
const showPanel = (panel, completeness) => {
  const { choices, chosen } = choiceOf(panel);
  const { table: rows, chart = rows, notes = [] } = ROWS[panel.id](state, chosen);
  const box = el('div', { class: 'chart' });
  const hasChart = Boolean(content.specs[panel.id]) && chart.length > 0;
  const section = el('section', { class: panel.is_wide ? 'panel wide' : 'panel', 'aria-labelledby': `title-${panel.id}`, id: `panel-${panel.id}` },
    el('div', { class: 'panel-head' },
      el('h2', { id: `title-${panel.id}` }, panel.title),
      choices && Object.keys(choices).length > 1 ? el('select', { 'aria-label': `${panel.title}: which`, id: `choice-${panel.id}`, on: { change: (event) => { state.choices[panel.id] = event.target.value; go({}); byId(`choice-${panel.id}`).focus(); } } },
        Object.entries(choices).map(([value, words]) => el('option', { value, selected: value === chosen }, words))) : null),
    el('p', { class: 'note' }, panel.note));
  if (!rows.length) section.append(el('p', { class: 'empty' }, panel.empty));
  else {
    if (hasChart) section.append(...[legendOf(panel), box].filter(isKnown));
    else if (content.specs[panel.id]) section.append(el('p', { class: 'empty' }, panel.empty));
    if (notes.length) section.append(panel.id === 'revenue_by_day' ? el('ol', { class: 'marks' }, notes.map((text) => el('li', {}, text))) : el('p', { class: 'aside' }, notes.join(' ')));
    const inner = table(panel, rows, panel.title);
    section.append(el('div', { class: 'behind' },
      content.specs[panel.id] ? el('details', {}, el('summary', {}, 'Table'), inner) : el('div', { class: 'plain-table' }, inner),
      el('button', { type: 'button', class: 'csv', 'aria-label': `Download ${panel.title} as CSV`, on: { click: () => download(`bloodhound-${panel.id}.csv`, csv(panel, rows)) } }, 'CSV'),
      el('span', { class: 'whole' }, isKnown(completeness) ? `completeness ${asRate(completeness)}` : 'completeness unknown')));
  }
  return { section, start: () => (hasChart ? draw(panel, box, chart, `${panel.title}. ${panel.note} The same rows stand in the table below.`) : null) };
};

// These are of the whole business, whatever part of it is chosen.
const OF_ALL = ['revenue_moved', 'funnel'];
const render = () => {
  const focused = document.activeElement && document.activeElement.id;
  clearViews();
  applyTheme();
  tabs();
  filters();
  const tab = content.tabs.find((one) => one.id === state.tab);
  const area = el('div', { role: 'tabpanel', id: 'panel', 'aria-labelledby': `tab-${tab.id}` });
  byId('main').replaceChildren(area);
  if (!hasData) {
    area.append(el('p', { class: 'headline' }, 'There is no data yet: no day has an event or a pixel hit.'));
  } else {
    const span = period(state);
    const scope = { traffic: { ...state, country: 'all', channel: 'all' }, business: state, marketing: { ...state, platform: 'all', country: 'all' }, loss: { ...state, country: 'all', channel: 'all' }, health: { ...state, country: 'all', channel: 'all' } }[tab.id] || { ...state, platform: 'all', country: 'all', channel: 'all' };
    const known = completenessOf(scope);
    area.append(el('p', { class: 'headline' }, HEADLINES[tab.id](state)));
    if (span.isShort) area.append(el('p', { class: 'aside' }, `There are only ${plural(span.length, 'day')} of data: ${asDay(span.start, true)} to ${asDay(span.end, true)}.`));
    const cards = CARDS[tab.id](state);
    if (cards.length) area.append(el('ul', { class: 'cards' }, cards.map(card)));
    const whole = completenessOf({ ...state, platform: 'all', country: 'all', channel: 'all' });
    const made = tab.panels.map((panel) => showPanel(panel, OF_ALL.includes(panel.id) ? whole : known));
    area.append(el('div', { class: 'panels' }, made.map((one) => one.section)));
    made.forEach((one) => one.start());
    if (tab.id === content.tabs[0].id && meta.absent.length) area.append(el('p', { class: 'absent' }, strong('Not on this page: '), meta.absent.map((one) => `${one.title}: ${one.how}`).join('; '), '.'));
  }
  document.title = `${tab.title} · Bloodhound`;
  const again = focused && byId(focused);
  if (again && again !== document.activeElement) again.focus();
  document.documentElement.dataset.ready = String(Number(document.documentElement.dataset.ready || 0) + 1);
};

const define = () => {
  byId('definitions-list').replaceChildren(...Object.entries(content.definitions).flatMap(([place, { table: about, text }]) => [
    el('dt', { 'data-place': place, tabindex: '-1' }, el('code', {}, place)),
    el('dd', {}, text, el('div', { class: 'about' }, about)),
  ]));
  byId('foot').textContent = `Days are those of ${meta.time_zone}; the last ${meta.window_days} are shown. Money in ${meta.currency}. Bots and exclusions are left out. ${meta.sealed_through === null ? '' : `Days through ${asDay(meta.sealed_through, true)} are sealed: what comes late for them no longer counts. `}This page loads nothing and tells nobody that it is open.`;
};

pills();
define();
render();
addEventListener('hashchange', () => { state = readHash(); render(); });
MEDIA.addEventListener('change', applyTheme);
byId('skip').addEventListener('click', (event) => { event.preventDefault(); byId('main').focus(); });
// Paper has one width; a chart drawn for the window would be cut.
addEventListener('beforeprint', () => document.querySelectorAll('main details').forEach((one) => { one.dataset.was = one.open; one.open = false; }));
addEventListener('afterprint', () => document.querySelectorAll('main details').forEach((one) => { one.open = one.dataset.was === 'true'; }));
