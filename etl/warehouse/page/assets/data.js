// The frames as rows, and the cube added up for any days and filters.
const summed = (steps) => { let at = 0; return steps.map((step) => (at += step)); };
const unrolled = (column) => (column.steps ? summed(unrolled(column.steps)) : column.runs ? column.runs.flatMap(([value, times]) => Array(times).fill(value)) : column);
const decode = (frame) => {
  const names = Object.keys(frame.columns);
  const read = names.map((name) => {
    const column = frame.columns[name];
    const codes = unrolled(column.codes || column);
    return column.codes ? (index) => column.values[codes[index]] : (index) => codes[index];
  });
  return Array.from({ length: frame.rows }, (_, index) => {
    const row = {};
    names.forEach((name, position) => { row[name] = read[position](index); });
    return row;
  });
};
const decoded = {};
const frame = (name) => (decoded[name] = decoded[name] || (content.frames[name] ? decode(content.frames[name]) : []));
const during = (rows, span, name = 'date') => (span ? rows.filter((row) => row[name] >= span.start && row[name] <= span.end) : []);
const distinct = (rows, name) => [...new Set(rows.map((row) => row[name]))].filter((value) => value !== null).sort();
const byDay = (rows) => new Map(rows.map((row) => [row.date, row]));
const grouped = (rows, ...names) => {
  const groups = new Map();
  for (const row of rows) {
    const key = names.length === 1 ? row[names[0]] : JSON.stringify(names.map((name) => row[name]));
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups.values()];
};
const lists = (rows, names, ...sums) => grouped(rows, ...names).map((same) => {
  const row = Object.fromEntries(names.map((name) => [name, same[0][name]]));
  sums.forEach((name) => { row[name] = sum(same, name); });
  return row;
});
// Of many names a frame has as many of the newest days as fit; on those before, all names stand together.
const firstOf = (name) => frame(name).reduce((first, row) => Math.min(first, row.date), Infinity);
const isCut = (name, span) => (content.frames[name] || {}).since > span.start;
const sinceWords = (name, span) => (!isCut(name, span) ? [] : [content.frames[name].is_folded ? `Before ${asDay(content.frames[name].since, true)} all names stand together, as (other).` : `Listed since ${asDay(content.frames[name].since, true)}.`]);

const DIMENSIONS = meta.dimensions;
const DIMENSION_WORDS = { platform: 'Platform', channel: 'Channel', country: 'Country', browser: 'Browser', visitor_kind: 'Visitor' };
const COUNTS = ['sessions', 'bounces', 'new_visitors', 'sessions_with_order', 'page_views', 'orders', 'unrated_orders', 'squared_session_pages', 'revenue', 'squared_revenue'];
const isIn = (row, filters) => DIMENSIONS.every((name) => !filters[name] || filters[name].includes(row[name]));
const filtersOn = (filters) => DIMENSIONS.filter((name) => filters[name]);
let cellsKept = { key: null, rows: [] };
const cells = (filters) => {
  const key = JSON.stringify(filters);
  if (cellsKept.key !== key) cellsKept = { key, rows: filtersOn(filters).length ? frame('cube').filter((row) => isIn(row, filters)) : frame('cube') };
  return cellsKept.rows;
};
// One dimension with some of its values, or all; undefined where filters of two cannot be told apart.
const sliceOf = (filters) => {
  const on = filtersOn(filters);
  if (!on.length) return { dimension: 'all', values: ['all'] };
  return on.length === 1 && meta.slices.includes(on[0]) ? { dimension: on[0], values: filters[on[0]] } : undefined;
};
const gapsByDay = new Map();
const cameOf = (filters) => {
  const slice = sliceOf(filters);
  if (!slice || slice.values.length > 1) return null;
  if (!gapsByDay.size) grouped(frame('came'), 'dimension', 'slice').forEach((same) => gapsByDay.set(`${same[0].dimension} ${same[0].slice}`, same));
  return gapsByDay.get(`${slice.dimension} ${slice.values[0]}`) || (frame('came').some((row) => row.dimension === slice.dimension) ? [] : null);
};
const isCameCut = (span) => firstOf('came') > firstShown && span.start < firstOf('came');
const visitorsOf = (filters, span) => {
  const rows = cameOf(filters);
  return !rows || (rows.length && isCameCut(span)) ? null : sum(during(rows, span).filter((row) => !isKnown(row.gap) || row.date - row.gap < span.start), 'visitors');
};
// Of a day alone everybody is new in it.
const visitorsByDay = (filters, span) => {
  const rows = cameOf(filters);
  const since = rows && rows.length && isCameCut(span) ? firstOf('came') : -Infinity;
  const found = new Map(days(span).map((day) => [day, !rows || day < since ? null : 0]));
  for (const row of during(rows || [], span)) found.set(row.date, (found.get(row.date) || 0) + row.visitors);
  return found;
};
// Days are estimated each by itself, so their errors are independent: squares of the margins add up. What no pixel saw
// is in both limits as it was counted, and `blind` says of how many days that is so.
const witnessed = (filters, span, page_views) => {
  const slice = sliceOf(filters);
  if (!slice || (slice.dimension !== 'all' && isCut('witness', span))) return {};
  const rows = during(frame('witness'), span).filter((row) => row.dimension === slice.dimension && slice.values.includes(row.slice));
  const hits = sum(rows, 'pixel_hits');
  const seen = rows.filter((row) => isKnown(row.page_views_estimated) && row.pixel_hits > 0);
  const margin = (name) => Math.sqrt(seen.reduce((total, row) => total + (row[name] - row.page_views_estimated) ** 2, 0));
  const middle = sum(seen, 'page_views_estimated');
  const high = middle + margin('page_views_high');
  const rest = page_views - sum(seen, 'page_views');
  const whole = new Set(rows.filter((row) => row.is_witnessed).map((row) => row.date));
  const blind = [...dayTotals(filters, span)].filter(([day, of]) => of.page_views && !whole.has(day)).length;
  const dependent = over(sum(seen, 'page_views_dependent_high'), sum(seen, 'page_views_high'));
  return { blind, pixel_hits: hits, matched: sum(rows, 'matched'), completeness: over(sum(rows, 'matched'), hits),
    low: seen.length ? Math.max(middle - margin('page_views_low'), sum(seen, 'page_views')) + rest : null,
    high: seen.length ? high * (dependent ?? 1) + rest : null };
};
const added = (rows) => Object.fromEntries(COUNTS.map((name) => [name, sum(rows, name)]));
// Everything that is known of some days under some filters.
const totals = (filters, span) => {
  if (!span) return null;
  const made = added(during(cells(filters), span));
  return { ...made, ...witnessed(filters, span, made.page_views), visitors: visitorsOf(filters, span), days: span.end - span.start + 1 };
};
let daysKept = { key: null, found: new Map() };
const dayTotals = (filters, span) => {
  const key = JSON.stringify([filters, span.start, span.end]);
  if (daysKept.key !== key) {
    const found = new Map();
    for (const same of grouped(during(cells(filters), span), 'date')) found.set(same[0].date, added(same));
    daysKept = { key, found };
  }
  return daysKept.found;
};
const days = (span) => Array.from({ length: span.end - span.start + 1 }, (_, index) => span.start + index);
