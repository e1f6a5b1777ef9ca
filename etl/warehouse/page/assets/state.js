// What is shown, kept in the address after #: a link shows a colleague the same.
const decode = (frame) => {
  const names = Object.keys(frame.columns);
  const read = names.map((name) => {
    const column = frame.columns[name];
    return column.codes ? (index) => column.values[column.codes[index]] : (index) => column[index];
  });
  return Array.from({ length: frame.rows }, (_, index) => {
    const row = {};
    names.forEach((name, position) => { row[name] = read[position](index); });
    return row;
  });
};
const decoded = {};
const frame = (name) => (decoded[name] = decoded[name] || decode(content.frames[name]));

const PERIODS = [7, 14, 28, 56];
const hasData = meta.last_day !== null;
const firstShown = hasData ? Math.max(meta.first_day, meta.last_day - meta.window_days + 1) : 0;
const daysShown = hasData ? meta.last_day - firstShown + 1 : 0;
// The longest period that can be compared with the one before it.
const usual = PERIODS.filter((days) => 2 * days <= daysShown).pop();
const DEFAULTS = { tab: content.tabs[0].id, days: String(usual || 'all'), platform: 'all', country: 'all', channel: 'all', model: 'last_non_direct', theme: 'auto' };
const distinct = (rows, name) => [...new Set(rows.map((row) => row[name]))].filter((value) => value !== null).sort();
const kpiSlices = (dimension) => distinct(frame('kpi').filter((row) => row.dimension === dimension), 'slice');
const platforms = () => [...new Set([...kpiSlices('platform'), ...distinct(frame('causes'), 'platform')])].sort();
const CHOICES = {
  tab: content.tabs.map((tab) => tab.id),
  days: [...PERIODS.map(String), 'all'],
  platform: ['all', ...platforms()],
  country: ['all', ...kpiSlices('country')],
  channel: ['all', ...new Set([...kpiSlices('channel'), ...distinct(frame('performance'), 'channel')])],
  model: [...new Set([...distinct(frame('credits'), 'model'), DEFAULTS.model])],
  theme: ['auto', 'light', 'dark'],
};
const LABELS = { days: 'Period', platform: 'Platform', country: 'Country', channel: 'Channel', model: 'Attribution model' };
// Which filters mean something where: figures are published by one dimension at a time.
const FILTERS = {
  traffic: ['days', 'platform'],
  business: ['days', 'platform', 'country', 'channel'],
  marketing: ['days', 'channel', 'model'],
  features: ['days'],
  loss: ['days', 'platform'],
  health: ['days', 'platform'],
};
const SLICES = ['platform', 'country', 'channel'];

const readHash = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  const state = { ...DEFAULTS, choices: {} };
  for (const [name, value] of given) {
    if (name in CHOICES && CHOICES[name].includes(value)) state[name] = value;
    else if (name.startsWith('by.')) state.choices[name.slice(3)] = value;
  }
  return state;
};
const writeHash = (state) => {
  const said = new URLSearchParams();
  for (const name of Object.keys(DEFAULTS)) if (state[name] !== DEFAULTS[name]) said.set(name, state[name]);
  for (const [panel, value] of Object.entries(state.choices)) said.set(`by.${panel}`, value);
  const hash = said.toString();
  history.replaceState(null, '', hash ? `#${hash}` : location.pathname + location.search);
};

// Days that the data covers from midnight to midnight; where none is, all that there are.
const wholeDays = new Set(frame('kpi').filter((row) => row.dimension === 'all' && row.is_complete).map((row) => row.date));
const lastWhole = wholeDays.size ? Math.max(...wholeDays) : meta.last_day;
const areWhole = (start, length) => Array.from({ length }, (_, index) => start + index).every((day) => wholeDays.has(day));

// Whole days: this period and, if all of both was recorded, the one before. All days have those in part, and no before.
const period = (state) => {
  const wanted = state.days === 'all' ? daysShown : Number(state.days);
  const end = state.days === 'all' ? meta.last_day : lastWhole;
  const start = Math.max(end - wanted + 1, firstShown);
  const length = end - start + 1;
  const before = start - length >= firstShown && length === wanted && areWhole(start - length, 2 * length) ? { start: start - length, end: start - 1, length } : null;
  return { start, end, length, isShort: length < wanted, before };
};
const during = (rows, span, name = 'date') => (span && hasData ? rows.filter((row) => row[name] >= span.start && row[name] <= span.end) : []);
const inWords = (span) => (!hasData ? 'no days' : span.length === 1 ? `on ${asDay(span.end)}` : `in the ${span.length} days to ${asDay(span.end)}`);
const days = (span) => (hasData ? Array.from({ length: span.length }, (_, index) => span.start + index) : []);

const sliceOf = (state) => {
  const dimension = SLICES.find((name) => state[name] !== 'all');
  return dimension ? { dimension, slice: state[dimension] } : { dimension: 'all', slice: 'all' };
};
const kpiRows = (state) => {
  const { dimension, slice } = sliceOf(state);
  return frame('kpi').filter((row) => row.dimension === dimension && row.slice === slice);
};
const byDay = (rows) => new Map(rows.map((row) => [row.date, row]));
const grouped = (rows, ...names) => {
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify(names.map((name) => row[name]));
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups.values()];
};
// The KPIs of several days. Visitors of days do not add up: a person may come on two of them.
const totalled = (rows) => ({
  days: rows.length,
  revenue: sum(rows, 'revenue'), orders: sum(rows, 'orders'), sessions: sum(rows, 'sessions'),
  page_views: sum(rows, 'page_views'), new_visitors: sum(rows, 'new_visitors'), bounces: sum(rows, 'bounces'),
  daily_visitors: over(sum(rows, 'visitors'), rows.length),
  sessions_with_order: sum(rows, 'sessions_with_order'),
  conversion_rate: over(sum(rows, 'sessions_with_order'), sum(rows, 'sessions')),
  completeness: over(sum(rows, 'matched'), sum(rows, 'pixel_hits')),
  ...estimate(rows),
});
// Days are estimated each by itself, so their errors are independent: squares of the margins add up.
const estimate = (rows) => {
  if (!rows.length || rows.some((row) => !isKnown(row.page_views_estimated))) return { estimated: null, low: null, high: null };
  const middle = sum(rows, 'page_views_estimated');
  const margin = Math.sqrt(rows.reduce((total, row) => total + ((row.page_views_high - row.page_views_low) / 2) ** 2, 0));
  return { estimated: middle, low: middle - margin, high: middle + margin };
};
const completenessOf = (state) => totalled(during(kpiRows(state), period(state))).completeness;
const change = (now, before) => (isKnown(now) && isKnown(before) && before !== 0 ? now / before - 1 : null);
// Between which limits a change lies that chance alone may have made (95 %), as the marts say of days: what comes in
// lumps (a session's pages, an order's money) moves by as much as the lumps are large. Null where days are too small.
const LUMPS = ['revenue', 'orders', 'sessions', 'page_views'];
const lumpOf = (rows, name) => {
  const known = rows.filter((row) => isKnown(row[`${name}_deviation`]) && row[name] > 0);
  return over(known.reduce((total, row) => total + row[name] * row[`${name}_deviation`] ** 2 / 2, 0), known.length);
};
const limitsOf = (now, before, rows) => {
  const between = (name, variance) => {
    const moved = change(now[name], before[name]);
    if (!isKnown(moved) || moved <= -1 || !isKnown(variance)) return null;
    const spread = Math.exp(1.959964 * Math.sqrt(variance));
    return { low: (1 + moved) / spread - 1, high: (1 + moved) * spread - 1 };
  };
  const scattered = (lump, name) => (isKnown(lump) ? over(lump, now[name]) + over(lump, before[name]) : null);
  const share = (total) => over(1, total.sessions_with_order) - over(1, total.sessions);
  return { ...Object.fromEntries(LUMPS.map((name) => [name, between(name, scattered(lumpOf(rows, name), name))])),
    conversion_rate: between('conversion_rate', now.sessions_with_order && before.sessions_with_order ? share(now) + share(before) : null) };
};
// The KPIs of a period and of the one before it, and what chance may have done between them.
const comparedKpis = (state) => {
  const span = period(state);
  const rows = during(kpiRows(state), span);
  const past = during(kpiRows(state), span.before);
  const [now, before] = [totalled(rows), totalled(past)];
  return { span, rows, now, before: span.before ? before : {}, limits: span.before ? limitsOf(now, before, [...rows, ...past]) : {} };
};
const named = (...parts) => parts.filter((part) => part !== null && part !== undefined).join(' · ') || '(none)';
// A day is drawn around its midnight, so that the axis names the bar above it.
const spanMs = (day) => ({ day_ms: (day - 0.43) * DAY, day_end_ms: (day + 0.43) * DAY, middle_ms: day * DAY });
