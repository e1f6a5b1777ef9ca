// Business.
HEADLINES.business = () => {
  const span = period();
  const filters = filtersOf();
  const [now, before] = [totals(filters, span), totals(filters, span.before)];
  const revenue = figure('revenue', now, before, span);
  const moved = movedWords(revenue, beforeWords(span));
  const movers = DIMENSIONS.includes('channel') && !filters.channel && span.before ? moversOf('channel').filter((row) => row.change && row.change.state === 'moved') : [];
  const part = days({ start: lastWhole + 1, end: Math.max(meta.last_day, lastWhole + 1) }).filter((day) => day <= meta.last_day && day > span.end);
  return { main: ['Revenue', filterWords(filters), ' was ', strong(valueWords(revenue) === '–' ? asMoney(0) : valueWords(revenue)), ` ${inWords(span)}`, ...(moved ? [', ', ...moved, '.'] : [` from ${now.unrated_orders ? `${show(now.orders - now.unrated_orders, 'count')} of ` : ''}${plural(now.orders, 'order')}${now.unrated_orders ? `, the others without a rate to ${meta.currency}` : ''}${span.before && changeWords(revenue) ? `: ${changeWords(revenue)}` : ''}.`]),
    movers.length ? [movers.length === 1 ? ' One channel did move: ' : ` ${movers.length} channels did move, most of all `, el('bdi', {}, movers[0].slice), ', ', tone(`${movers[0].change.change.value > 0 ? 'up' : 'down'} ${asRate(Math.abs(movers[0].change.change.value))}`, movers[0].change.change.tone), '.'] : ''],
  aside: [span.before || !span.reason ? '' : `${span.reason[0].toUpperCase()}${span.reason.slice(1)}. `, part.length ? `${asDay(part[0])} is still open: ${asMoney(totals(filters, { start: part[0], end: part[0] }).revenue)} ${partWords(part[0])}, in no sum and no comparison. ` : '', ...faultWords(span), measuredWords(now)] };
};
STRIPS.business = () => {
  const span = period();
  const filters = filtersOf();
  const [now, before] = [totals(filters, span), totals(filters, span.before)];
  return strip(['revenue', 'orders', 'conversion_rate', 'average_order_value', 'sessions', 'visitors'].map((name) => ({ ...withDays(figure(name, now, before, span), span, filters), explained: name === 'conversion_rate' && isKnown(now.high) && now.sessions ? [`Orders are whole where visits are not: the true share lies between ${asRate(over(now.sessions_with_order, now.sessions * (now.high / now.page_views)) ?? 0)} and ${asRate(over(now.sessions_with_order, now.sessions) ?? 0)}.`] : [] })), state.choices.business || 'revenue', (name) => goFor('business', name));
};
ROWS.figures_by_day = () => byDayRows('figures_by_day', MEASURES[state.choices.business] ? state.choices.business : 'revenue', filtersOf());
CHOICES_OF.figures_by_day = GRAIN_CHOICES;
// The same bounds stand here and under Trust.
const boundRows = (filters, span) => {
  const now = totals(filters, span);
  const factor = isKnown(now.high) ? over(now.high, now.page_views) : null;
  const unknown = { low: UNKNOWN, high: UNKNOWN };
  const pages = isKnown(now.low) ? { low: show(Math.floor(now.low), 'count'), high: show(Math.ceil(now.high), 'count') } : unknown;
  const visits = isKnown(factor) ? { low: show(now.sessions, 'count'), high: show(Math.ceil(now.sessions * factor), 'count') } : unknown;
  const rate = over(now.sessions_with_order, now.sessions);
  return { now, rows: [
    { figure: 'Page views', measured: show(now.page_views, 'count'), ...pages, why: isKnown(now.low) ? 'At least: with what the pixel alone saw. At most: if a blocker hid the supposed share from both witnesses' : 'No second witness: put the pixel on the pages' },
    { figure: 'Visits', measured: show(now.sessions, 'count'), ...visits, why: 'A visit is lost only when all its messages are' },
    ...(sum(frame('cube'), 'orders') ? [
      { figure: 'Conversion', measured: now.sessions ? show(rate, 'rate') : '–', low: isKnown(factor) && isKnown(rate) ? asRate(rate / factor) : UNKNOWN, high: now.sessions ? show(rate, 'rate') : '–', why: 'Orders are whole where visits are not, if the backend reports them' },
      { figure: 'Orders', measured: show(now.orders, 'count'), low: show(now.orders, 'count'), high: UNKNOWN, why: 'Whole where the backend reports them; nothing checks the backend itself' },
    ] : [])] };
};
const blindNotes = (now) => (now.blind ? [`On ${now.blind} of ${plural(now.days, 'day')} no pixel saw some of these pages: what was counted of them stands in both bounds.`] : []);
ROWS.really = () => {
  const { now, rows } = boundRows(filtersOf(), period());
  return { table: rows, chart: isKnown(now.low) ? rows : [], options: { measured: now.page_views, low: Math.floor(now.low), high: Math.ceil(now.high) }, notes: isKnown(now.low) ? blindNotes(now) : [isKnown(now.pixel_hits) ? 'No pixel saw these pages.' : 'What the pixel saw is known under one of platform, channel or country.'] };
};
const moversOf = (dimension) => {
  const span = period();
  const filters = othersOf(dimension);
  const now = new Map(lists(during(cells(filters), span), [dimension], ...COUNTS).map((row) => [row[dimension], row]));
  const before = new Map(span.before ? lists(during(cells(filters), span.before), [dimension], ...COUNTS).map((row) => [row[dimension], row]) : []);
  const judged = [...now.values()].filter((row) => before.has(row[dimension]) && Math.min(row.orders, before.get(row[dimension]).orders) >= ENOUGH).length;
  return [...new Set([...now.keys(), ...before.keys()])].map((value) => {
    const one = now.get(value) || added([]);
    const other = span.before ? before.get(value) || added([]) : null;
    const conversion = figure('conversion_rate', one, null, span);
    return { slice: sliceName(dimension, value), filter: value, isOut: isOut(dimension, value), sessions: one.sessions, orders: one.orders, conversion: valueWords(conversion), revenue: one.unrated_orders && one.unrated_orders === one.orders ? null : one.revenue, change: figure('revenue', one, other, span, { ranges: judged }), faint: one.sessions_with_order < FEW ? ['conversion'] : [] };
  }).sort((one, other) => (one.filter === '(other)') - (other.filter === '(other)') || other.revenue - one.revenue || other.sessions - one.sessions);
};
CHOICES_OF.moved = () => Object.fromEntries([...DIMENSIONS].sort((one, other) => (other === 'channel') - (one === 'channel')).map((name) => [name, name === 'visitor_kind' ? 'New or returning' : DIMENSION_WORDS[name]]));
ROWS.moved = (_state, by) => {
  const span = period();
  const rows = by ? moversOf(by) : [];
  const [now, before] = [totals(filtersOf(), span), totals(filtersOf(), span.before)];
  return { table: rows, total: { slice: 'All', sessions: now.sessions, orders: now.orders, conversion: valueWords(figure('conversion_rate', now, null, span)), revenue: now.revenue, change: figure('revenue', now, before, span) }, notes: span.before ? [`Against ${asSpan(span.before)}; too few: under ten orders on a side.`] : [] };
};
ROWS.funnel = (_state, by) => {
  const rows = during(frame('funnel'), period()).filter((row) => row.funnel === by);
  const steps = lists(rows, ['step_number', 'step'], 'sessions').sort((one, other) => one.step_number - other.step_number);
  return { table: steps.map((row, index) => ({ ...row, step_rate: index ? over(row.sessions, steps[index - 1].sessions) ?? NONE : NONE })), notes: filtersOn(filtersOf()).length ? ['Not filtered: of all visits.'] : [] };
};
CHOICES_OF.funnel = () => Object.fromEntries(distinct(frame('funnel'), 'funnel').map((name) => [name, name.replaceAll('_', ' ')]));
