// Traffic.
// What a day brought of a figure: null is unknown, undefined what there is none of, as the conversion of no visit.
const dayValues = (name, span, filters) => {
  const measure = MEASURES[name];
  if (name === 'visitors') return visitorsByDay(filters, span);
  const at = dayTotals(filters, span);
  const empty = added([]);
  const valueOf = (of) => (measure.of && !of[measure.of] ? NONE : name === 'revenue' && !of.orders ? 0 : measure.value(of));
  return new Map(days(span).map((day) => [day, valueOf(at.get(day) || empty)]));
};
const dayRows = (name, span, filters) => {
  const values = dayValues(name, span, filters);
  const back = span.before ? span.start - span.before.start : 0;
  const past = span.before ? dayValues(name, span.before, filters) : null;
  return days(span).map((day) => ({ day, value: values.get(day), before: past && day - back <= span.before.end ? past.get(day - back) ?? null : null, isWhole: wholeDays.has(day), whole: wholeDays.has(day) ? 'yes' : 'in part' }));
};
const smallDays = (span, valueOf, isFirm = () => true) => days(span).map((day) => ({ value: valueOf(day), isFirm: wholeDays.has(day) && isFirm(day) }));
// A figure with its days: those in part and those of too few are pale.
const withDays = (of, span, filters) => {
  const { cases } = MEASURES[of.name];
  const values = dayValues(of.name, span, filters);
  const at = dayTotals(filters, span);
  const isFirm = (day) => wholeDays.has(day) && (!MEASURES[of.name].of || ((at.get(day) || {})[cases] || 0) >= FEW);
  return { ...of, days: days(span).map((day) => ({ value: values.get(day), isFirm: isFirm(day) })) };
};
const GRAINS = { auto: '', day: 'Day', week: 'Week' };
const byDayRows = (panel, name, filters) => {
  const span = period();
  const measure = MEASURES[name];
  const table_ = dayRows(name, span, filters);
  const isAdded = !measure.of && !['visitors', 'average_order_value'].includes(name);
  const wanted = state.choices[panel];
  const isWeekly = isAdded && span.length > 13 && (wanted === 'week' || (span.length > 62 && wanted !== 'day'));
  const marks = [];
  const markOf = (start, end) => { const found = notesIn({ start, end }).filter((note) => Math.max(note.start, span.start) >= start); found.forEach((note) => marks.push(`${asSpan({ start: Math.max(note.start, span.start), end: Math.min(note.end, span.end) })}: ${note.text}`)); const bad = frame('incidents').filter((row) => row.status === 'error' && Math.max(row.first_date, span.start) >= start && Math.max(row.first_date, span.start) <= end && row.last_date >= span.start); bad.slice(0, 3).forEach((row) => marks.push(`${asSpan({ start: Math.max(row.first_date, span.start), end: Math.min(row.last_date, span.end) })}: ${row.check_name.replaceAll('_', ' ')}, ${named(row.app_id, row.platform)} (data)`)); return found.length + bad.length ? String(marks.length) : null; };
  const groups = isWeekly ? grouped(table_.map((row) => ({ ...row, week: row.day - weekday(row.day) })), 'week') : table_.map((row) => [row]);
  const chart = groups.map((same) => {
    const [first, last] = [same[0].day, same[same.length - 1].day];
    const isWhole = same.every((row) => row.isWhole) && (!isWeekly || same.length === 7);
    const value = isWeekly ? sum(same, 'value') : same[0].value;
    const before = isWeekly ? (same.every((row) => isKnown(row.before)) ? sum(same, 'before') : null) : same[0].before;
    return { label: isWeekly || span.length > 21 ? asDay(first) : WEEK_DAY.format(new Date(first * DAY)), value, before, isWhole, start: first, end: last, part: isWeekly ? null : partWords(first), mark: markOf(first, last),
      words: `${asSpan({ start: first, end: last })}: ${show(value, measure.format)}${isKnown(before) ? `, compared ${show(before, measure.format)}` : ''}${isWhole ? '' : isWeekly ? ', not whole' : `, only ${partWords(first)}`}` };
  });
  const legend = [['counted', measure.title.toLowerCase()], ...(span.before ? [['compared', asSpan(span.before)]] : []), ...(chart.some((row) => !row.isWhole) ? [['part', isWeekly ? 'week not whole' : 'day not whole']] : [])];
  const said = `${measure.title} ${isWeekly ? 'by week' : 'by day'}, ${asSpan(span)}: ${chart.length} bars from ${show(Math.min(...chart.map((row) => row.value ?? 0)), measure.format)} to ${show(Math.max(...chart.map((row) => row.value ?? 0)), measure.format)}. The table below has each day.`;
  return { table: table_, chart, marks, legend, title: `${measure.title} ${isWeekly ? 'by week' : 'by day'}`, options: { format: measure.format, said, onPick: (row) => go({ from: row.start, to: row.end }) } };
};
const GRAIN_CHOICES = () => (period().length > 13 ? (period().length > 62 ? { week: 'Week', day: 'Day' } : { day: 'Day', week: 'Week' }) : {});
CHOICES_OF.by_day = GRAIN_CHOICES;

const platformOnly = (name, span = period()) => during(frame(name), span).filter((row) => !state.filters.platform || state.filters.platform.includes(row.platform));
// Of what the cube has not: said where other filters are on.
const platformNotes = () => (filtersOn(filtersOf()).some((name) => name !== 'platform') ? ['Follows the platform filter alone.'] : []);
const measuredWords = ({ completeness, pixel_hits }) => (isKnown(completeness) ? ['Of the page views that the pixel saw, ', strong(asRate(completeness)), ' were measured.'] : ['How much of reality was measured is ', strong(UNKNOWN), isKnown(pixel_hits) ? ': no pixel saw these pages.' : ' under these filters together.']);
// Data that lacks something makes a fall, and a rise against it.
const faultsIn = (span) => (span ? frame('incidents').filter((row) => row.status === 'error' && row.first_date <= span.end && row.last_date >= span.start).length : 0);
const faultWords = (span) => [[span, 'of the data in error'], [span.before, 'of the data in error in what it is compared with']].flatMap(([of, words]) => { const found = faultsIn(of); return found ? [tone(plural(found, 'incident'), 'bad'), ` ${words}. `] : []; });
const filterWords = (filters) => { const on = filtersOn(filters); return on.length ? ` (${on.map((name) => filters[name].map((value) => sliceName(name, value)).join(' or ')).join(', ')})` : ''; };

HEADLINES.traffic = () => {
  const span = period();
  const filters = filtersOf();
  const now = totals(filters, span);
  const of = figure('sessions', now, totals(filters, span.before), span);
  const whole = days(span).filter((day) => wholeDays.has(day));
  const daily = dayTotals(filters, span);
  const mean = over(whole.reduce((total, day) => total + ((daily.get(day) || {}).sessions || 0), 0), whole.length);
  const [first] = lists(platformOnly('sources'), ['source'], 'sessions').filter((row) => row.source !== '(direct)').sort((one, other) => other.sessions - one.sessions);
  const all = sum(platformOnly('sources'), 'sessions');
  const moved = movedWords(of, beforeWords(span));
  const parts = span.length - whole.length;
  const left = sum(platformOnly('left_out'), 'page_views');
  return { main: [strong(plural(now.sessions, 'visit')), isKnown(now.visitors) ? ` by ${plural(now.visitors, 'visitor')}` : '', filterWords(filters), ` ${inWords(span)}`,
    ...(moved ? [', ', ...moved, '.'] : isKnown(mean) && span.length > 1 ? [', ', strong(show(Math.round(mean), 'count')), ' on a whole day.'] : ['.']),
    first && all && !filtersOn(filters).length ? [' ', el('bdi', {}, first.source), ` sent ${show(over(first.sessions, all), 'rate')} of them.`] : ''],
  aside: [parts ? `${plural(parts, 'day')} only in part in the data: in the totals, not in “a whole day”. ` : '', ...faultWords(span), left ? `Bots and exclusions are left out: ${show(over(left, left + totals(state.filters.platform ? { platform: state.filters.platform } : {}, span).page_views), 'rate')} of page views. ` : '', measuredWords(now)] };
};
const measuredDays = (filters, span) => {
  const slice = sliceOf(filters);
  const rows = new Map(grouped(during(frame('witness'), span).filter((row) => slice && row.dimension === slice.dimension && slice.values.includes(row.slice)), 'date').map((same) => [same[0].date, over(sum(same, 'matched'), sum(same, 'pixel_hits'))]));
  return days(span).map((day) => ({ value: rows.get(day) ?? null, isFirm: wholeDays.has(day) }));
};
const measuredFigure = (now, filters, span) => plainFigure('Measured', now.completeness, 'rate', { days: measuredDays(filters, span), name: 'measured', isDaily: false, place: `${KPI}completeness`, reason: isKnown(now.completeness) ? '' : !isKnown(now.pixel_hits) ? 'not known under these filters together' : 'no second witness on these pages', below: isKnown(now.completeness) ? 'of what the pixel saw' : '' });
STRIPS.traffic = () => {
  const span = period();
  const filters = filtersOf();
  const [now, before] = [totals(filters, span), totals(filters, span.before)];
  const make = (name, more) => withDays(figure(name, now, before, span, more), span, filters);
  const chosen = state.choices.traffic || 'sessions';
  return strip([make('visitors', { below: 'distinct in the period' }), make('sessions'), make('page_views', { below: isKnown(over(now.page_views, now.sessions)) ? `${FIXED[2].format(over(now.page_views, now.sessions))} a visit` : '' }),
    make('bounce_rate', { below: 'visits of a single page' }), make('new_visitors', { below: 'first visit of their person' }), measuredFigure(now, filters, span)], chosen, (name) => goFor('traffic', name));
};
ROWS.by_day = () => byDayRows('by_day', MEASURES[state.choices.traffic] ? state.choices.traffic : 'sessions', filtersOf());

const asList = (rows, measure = 'sessions', name = 'slice') => {
  const total = sum(rows, measure);
  return rows.filter((row) => row[measure]).sort((one, other) => (one[name] === '(other)') - (other[name] === '(other)') || other[measure] - one[measure] || String(one[name]).localeCompare(String(other[name])))
    .map((row) => ({ ...row, share: over(row[measure], total) }));
};
// A list obeys all filters but its own, so that a click may widen it; what is filtered out stands pale.
const othersOf = (dimension) => Object.fromEntries(Object.entries(filtersOf()).filter(([name]) => name !== dimension));
const isOut = (dimension, value) => Boolean(filtersOf()[dimension]) && !filtersOf()[dimension].includes(value);
const sliced = (dimension, ...sums) => lists(during(cells(othersOf(dimension)), period()), [dimension], 'sessions', ...sums).map((row) => ({ ...row, filter: row[dimension], slice: sliceName(dimension, row[dimension]), isOut: isOut(dimension, row[dimension]) }));
// What the cube does without is counted alone: where filters are on, nothing is known of both together.
const countedBy = (dimension, mart) => {
  if (DIMENSIONS.includes(dimension)) return { table: asList(sliced(dimension, 'bounces')) };
  if (filtersOn(filtersOf()).length) return { table: [], empty: `Filters and ${DIMENSION_WORDS[dimension].toLowerCase()} together are too many cells for this page: ${mart} has them.` };
  const rows = during(frame('alone'), period()).filter((row) => row.dimension === dimension);
  return { table: asList(lists(rows, ['slice'], 'sessions', 'bounces').map((row) => ({ ...row, filter: row.slice, slice: sliceName(dimension, row.slice) }))), notes: [...sinceWords('alone', period())] };
};
ROWS.where_from = (_state, by) => {
  if (by === 'channel') return countedBy('channel', 'traffic.landings_daily');
  return { table: asList(lists(platformOnly('sources'), [by], 'sessions').map((row) => ({ ...row, slice: row[by] }))), notes: [...platformNotes(), ...sinceWords('sources', period())] };
};
ROWS.technology = (_state, by) => {
  if (by === 'browser') return countedBy('browser', 'traffic.technology_daily');
  return { table: asList(lists(platformOnly('technology').filter((row) => row.dimension === by), ['slice'], 'sessions')), notes: [...platformNotes(), ...sinceWords('technology', period())] };
};
ROWS.who = (_state, by) => {
  const made = countedBy(by, 'traffic.visitors_daily');
  const rows = made.table.map((row) => ({ ...row, bounce_rate: row.sessions < 20 ? NONE : over(row.bounces, row.sessions) }));
  return by === 'country' && rows.length && rows.every((row) => row.filter === '(unknown)') ? { table: [], empty: 'Countries are unknown: trackers may send them; access logs have addresses only.' } : { ...made, table: rows };
};
ROWS.pages = () => {
  const rows = lists(platformOnly('pages'), ['page'], 'views', 'entries', 'exits', 'bounces', 'seconds', 'pixel_hits', 'matched');
  const hosts = new Set(rows.filter((row) => row.page !== '(other)').map((row) => row.page.split('/')[0]));
  const shown = (page) => (hosts.size === 1 && page !== '(other)' && page.includes('/') ? page.slice(page.indexOf('/')) : page);
  const table_ = asList(rows, 'views', 'page').map((row) => ({ ...row, page: shown(row.page), bounce_rate: row.entries < 20 ? NONE : over(row.bounces, row.entries), seconds: row.views - row.exits < 10 ? NONE : over(row.seconds, row.views - row.exits), measured: row.pixel_hits ? over(row.matched, row.pixel_hits) : null }));
  return { table: table_, optional: ['measured'], notes: [...platformNotes(), ...sinceWords('pages', period())] };
};
const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
ROWS.hours = () => {
  const span = period();
  const times = WEEKDAYS.map((_, index) => days(span).filter((day) => weekday(day) === index).length);
  const found = new Map(lists(platformOnly('hours').map((row) => ({ ...row, weekday: weekday(row.date) })), ['weekday', 'hour'], 'page_views', 'sessions').map((row) => [`${row.weekday} ${row.hour}`, row]));
  const table_ = WEEKDAYS.flatMap((title, index) => (!times[index] ? [] : Array.from({ length: 24 }, (_, hour) => {
    const row = found.get(`${index} ${hour}`) || { page_views: 0, sessions: 0 };
    const page_views = row.page_views / times[index];
    return { weekday: title, hour: String(hour).padStart(2, '0'), page_views, sessions: row.sessions / times[index], words: `${title} ${hour}:00: ${show(page_views, 'number')} page views` };
  })));
  const most = table_.reduce((best, row) => (row.page_views > best.page_views ? row : best), { page_views: -1 });
  return { table: found.size ? table_ : [], options: { said: found.size ? `Page views by hour and weekday, most on ${most.weekday} at ${most.hour}:00 (${show(most.page_views, 'number')}). The table below has each hour.` : '' }, notes: [meta.time_zone === 'UTC' ? 'Hours are UTC.' : `Hours of ${meta.time_zone}.`, ...platformNotes(), ...sinceWords('hours', span)] };
};
ROWS.left_out = () => {
  const rows = lists(platformOnly('left_out'), ['family', 'reason'], 'page_views', 'sessions').map((row) => ({ ...row, slice: named(!row.family || row.family === '(unknown)' ? UNKNOWN : row.family, row.reason === 'declared' ? null : row.reason.replaceAll('_', ' ')) }));
  const all = sum(rows, 'page_views') + totals(state.filters.platform ? { platform: state.filters.platform } : {}, period()).page_views;
  return { table: asList(rows, 'page_views').map((row) => ({ ...row, share: over(row.page_views, all) })) };
};
