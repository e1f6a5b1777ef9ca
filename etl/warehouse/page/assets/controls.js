// The header, the chips, and one sheet in which period, comparison, filters and looks are chosen.
const head = () => {
  const all = totals({}, { start: firstShown, end: meta.last_day });
  const known = all && all.completeness;
  const age = meta.data_to ? (Date.parse(`${meta.published_at.replace(' ', 'T')}Z`) - Date.parse(`${meta.data_to.replace(' ', 'T')}Z`)) / 3600000 : null;
  const since = (Date.now() - Date.parse(`${meta.published_at.replace(' ', 'T')}Z`)) / 3600000;
  const late = frame('fresh').filter((row) => row.status === 'error' || row.status === 'warn');
  const isOld = late.length > 0 || age > 48 || since > 48;
  byId('fresh').replaceChildren(
    el('span', { class: 'wide-only roomy' }, 'Data to '), button(meta.data_to ? [asDay(Math.floor(Date.parse(meta.data_to.slice(0, 10)) / DAY), true), el('span', { class: 'roomy' }, `, ${meta.data_to.slice(11)}`)] : UNKNOWN, () => go({ tab: 'trust' }), { class: isOld ? 'link old wide-only' : 'link wide-only', title: late.length ? `late: ${late.map((row) => row.scope).join(', ')}` : age > 48 ? `${asHours(age)} old when the page was made` : since > 48 ? `The page was made ${asHours(since)} ago` : 'How old each source is' }),
    isOld ? el('span', { class: 'old' }, late.length ? ` ${late.length} late` : ` ${asHours(Math.max(age, since))} old`) : '',
    el('span', { class: 'wide-only' }, ' · '), button(isKnown(known) ? `${asRate(known)} measured` : 'measured: unknown', () => go({ tab: 'trust' }), { class: isOld ? 'link wide-only' : 'link', title: 'Of the page views that the pixel saw' }));
};
const tabs = () => byId('tabs').replaceChildren(...content.tabs.map((tab) => {
  const isOpen = tab.id === state.tab;
  return button(tab.title, () => go({ tab: tab.id }), { role: 'tab', id: `tab-${tab.id}`, 'aria-selected': String(isOpen), 'aria-controls': 'panel', tabindex: isOpen ? '0' : '-1', on: { keydown: onTabKey } });
}));
const onTabKey = (event) => {
  const at = TABS.indexOf(state.tab);
  const next = { ArrowRight: TABS[(at + 1) % TABS.length], ArrowLeft: TABS[(at + TABS.length - 1) % TABS.length], Home: TABS[0], End: TABS[TABS.length - 1] }[event.key];
  if (!next) return;
  event.preventDefault();
  go({ tab: next });
  byId(`tab-${next}`).focus();
};
// A chip is a sentence; its cross takes it away.
const chips = () => DIMENSIONS.filter((name) => state.filters[name]).map((name) => {
  const isHeld = FILTERED[state.tab].includes(name);
  const values = state.filters[name].map((value) => sliceName(name, value));
  return el('span', { class: isHeld ? 'chip' : 'chip idle', 'data-filter': name }, el('span', {}, `${DIMENSION_WORDS[name]} is `, values.flatMap((value, index) => [index ? ' or ' : '', strong(value)]), isHeld ? '' : ' (not on this tab)'),
    button('×', () => dropFilter(name), { 'aria-label': `Take away: ${DIMENSION_WORDS[name]} is ${values.join(' or ')}` }));
});
const controls = () => {
  const span = period();
  byId('controls').replaceChildren(
    button([strong(asSpan(span)), el('span', { class: 'quiet' }, ` ${PRESETS[span.preset] || plural(span.length, 'day')} ▾`)], () => openSheet('period'), { class: 'choose', id: 'choose-period', 'aria-haspopup': 'dialog' }),
    button(span.before ? `compared with ${asSpan(span.before)} ▾` : `${state.vs === 'none' ? 'not compared' : span.reason} ▾`, () => openSheet('period'), { class: 'choose wide-only', id: 'choose-vs', 'aria-haspopup': 'dialog' }),
    ...(state.tab === 'marketing' ? [button(['Credit: ', strong(MODELS[state.model].toLowerCase()), ' ▾'], () => openSheet('looks'), { class: 'choose', id: 'choose-model', 'aria-haspopup': 'dialog' })] : []),
    ...chips(), FILTERED[state.tab].length ? button('+ Filter', () => openSheet('filters'), { class: 'choose bare', id: 'choose-filter', 'aria-haspopup': 'dialog' }) : '',
    button('Colours', () => openSheet('looks'), { class: 'choose bare last', id: 'choose-looks', 'aria-haspopup': 'dialog' }));
  const count = DIMENSIONS.filter((name) => state.filters[name] && FILTERED[state.tab].includes(name)).length;
  byId('filters-button').textContent = count ? `Filters · ${count}` : 'Filters';
};

let calendarAt = null;
let picked = null;
const calendarMonth = (start, span) => {
  const at = new Date(start * DAY);
  const length = Math.round((Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) - start * DAY) / DAY);
  const trouble = new Set(frame('incidents').filter((row) => row.status === 'error' || row.status === 'warn').flatMap((row) => days({ start: Math.max(row.first_date, start), end: Math.min(row.last_date, start + length - 1) })));
  const cells_ = [...Array(weekday(start)).fill(null), ...Array.from({ length }, (_, index) => start + index)];
  const weeks_ = Array.from({ length: Math.ceil(cells_.length / 7) }, (_, index) => cells_.slice(index * 7, index * 7 + 7));
  const dayCell = (day) => {
    if (!isKnown(day)) return el('td', {});
    const isShown = day >= firstShown && day <= meta.last_day;
    const isIn_ = picked === null ? day >= span.start && day <= span.end : day === picked;
    const kind = [isIn_ ? 'in' : '', span.before && picked === null && day >= span.before.start && day <= span.before.end ? 'compared' : '', isShown && !wholeDays.has(day) ? 'part' : '', trouble.has(day) ? 'trouble' : ''].join(' ').trim();
    const words = [asDay(day, true), isShown && !wholeDays.has(day) ? 'not whole' : '', trouble.has(day) ? 'something went wrong' : ''].filter(Boolean).join(', ');
    return el('td', {}, button(String(new Date(day * DAY).getUTCDate()), () => pickDay(day), { class: kind, disabled: !isShown, 'data-day': asIso(day), 'aria-label': words, 'aria-pressed': String(isIn_), tabindex: day === span.end ? '0' : '-1', on: { keydown: onDayKey } }));
  };
  return el('table', { class: 'calendar', role: 'grid', 'aria-label': LONG_MONTH.format(at) }, el('caption', {}, LONG_MONTH.format(at)),
    el('thead', {}, el('tr', {}, ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'].map((name) => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, weeks_.map((week) => el('tr', {}, week.map(dayCell)))));
};
const onDayKey = (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
  if (!step) return;
  event.preventDefault();
  const day = ofIso(event.currentTarget.dataset.day) + step;
  if (day < firstShown || day > meta.last_day) return;
  const find = () => document.querySelector(`[data-day="${asIso(day)}"]`);
  if (!find()) { calendarAt = monthStart(day, step > 0 ? 1 : 0); fillSheet(); }
  if (find()) find().focus();
};
const pickDay = (day) => {
  if (picked === null) { picked = day; fillSheet(); document.querySelector(`[data-day="${asIso(day)}"]`).focus(); return; }
  const [from, to] = [Math.min(picked, day), Math.max(picked, day)];
  picked = null;
  go({ from, to });
};
const radios = (name, label, choices, chosen, choose) => el('fieldset', { class: 'radios' }, el('legend', {}, label), Object.entries(choices).map(([value, words]) =>
  el('label', {}, el('input', { type: 'radio', name, value, id: `${name}-${value}`, checked: value === chosen, on: { change: () => choose(value) } }), el('span', {}, words))));
const sheetPeriod = () => {
  const span = period();
  const first = calendarAt ?? monthStart(span.end, 1);
  const move = (back) => () => { calendarAt = monthStart(first, back); fillSheet(); byId(back > 0 ? 'month-before' : 'month-after').focus(); };
  const offered = Object.fromEntries(Object.entries(PRESETS).filter(([preset]) => preset === 'all' || (spanOf(preset).start >= firstShown && spanOf(preset).end >= spanOf(preset).start)));
  return el('section', { class: 'sheet-period' },
    radios('days', 'Period', offered, span.preset, (days_) => { picked = null; calendarAt = null; go({ days: days_, from: null, to: null }); }),
    el('div', {}, el('div', { class: 'months-head' }, button('‹', move(1), { id: 'month-before', 'aria-label': 'Earlier month' }), el('span', { class: 'quiet' }, picked === null ? 'Or click the first day of a period' : 'and its last day'), button('›', move(-1), { id: 'month-after', 'aria-label': 'Later month' })),
      el('div', { class: 'months' }, calendarMonth(first, span), calendarMonth(monthStart(first, -1), span)),
      el('p', { class: 'quiet' }, 'Underlined: compared. Hatched: not whole. Dot: something went wrong that day.')),
    radios('vs', 'Compared with', VERSUS, state.vs, (vs) => go({ vs })));
};
const sheetFilters = () => {
  const span = period();
  const offered = DIMENSIONS.filter((name) => FILTERED[state.tab].includes(name));
  const lists_ = offered.map((name) => {
    const others = { ...filtersOf() };
    delete others[name];
    const found = lists(during(cells(others), span), [name], 'sessions', 'page_views').filter((row) => row[name] !== '(other)').sort((one, other) => other.sessions - one.sessions || other.page_views - one.page_views);
    const kept = (state.filters[name] || []).filter((value) => !found.some((row) => row[name] === value)).map((value) => ({ [name]: value, sessions: 0 }));
    return el('fieldset', { class: 'checks' }, el('legend', {}, DIMENSION_WORDS[name]), [...found, ...kept].map((row) => el('label', {},
      el('input', { type: 'checkbox', id: `filter-${name}-${row[name]}`, checked: (state.filters[name] || []).includes(row[name]), on: { change: () => toggleFilter(name, row[name]) } }),
      el('bdi', {}, sliceName(name, row[name])), el('span', { class: 'quiet' }, show(row.sessions, 'count')))));
  });
  const missing = meta.left_out.length ? ` Too many to be combined here: ${meta.left_out.map((name) => DIMENSION_WORDS[name].toLowerCase()).join(', ')}.` : '';
  return el('section', { class: 'sheet-filters' }, lists_, el('p', { class: 'quiet' }, `All of these combine. Pages, sources, hours and systems follow the platform alone; distinct visitors one value; what the pixel saw one of platform, channel, country.${missing}`));
};
const sheetLooks = () => el('section', { class: 'sheet-looks' },
  state.tab === 'marketing' ? radios('model', 'Who gets the credit for an order', MODELS, state.model, (model) => go({ model })) : null,
  radios('theme', 'Colours', { auto: 'As the system', light: 'Light', dark: 'Dark' }, state.theme, (theme) => go({ theme })));
let sheetOf = null;
const fillSheet = () => {
  const sheet = byId('sheet');
  if (!sheetOf) return;
  const focused = document.activeElement && document.activeElement.id;
  const parts = { period: [sheetPeriod], filters: [sheetFilters], looks: [sheetLooks], all: [sheetPeriod, ...(FILTERED[state.tab].length ? [sheetFilters] : []), sheetLooks] }[sheetOf];
  const now = hasData ? totals(filtersOf(), period()) : { sessions: 0 };
  sheet.replaceChildren(el('form', { method: 'dialog' }, ...(hasData ? parts.map((part) => part()) : [sheetLooks()]),
    el('div', { class: 'sheet-foot' }, button(`Show ${plural(now.sessions, 'visit')}`, () => sheet.close(), { class: 'primary', id: 'sheet-done' }))));
  if (focused && byId(focused)) byId(focused).focus();
};
const openSheet = (of) => {
  sheetOf = of;
  picked = null;
  calendarAt = null;
  fillSheet();
  byId('sheet').dataset.of = of;
  byId('sheet').showModal();
};
