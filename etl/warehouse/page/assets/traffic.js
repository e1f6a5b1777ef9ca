// Traffic.
const here = (name, state, span = period(state)) =>
  during(frame(name), span).filter((row) => state.platform === 'all' || row.platform === state.platform);
const visitsOf = (state) => ({ ...state, country: 'all', channel: 'all' });
const lists = (rows, names, ...sums) => grouped(rows, ...names).map((same) => {
  const row = Object.fromEntries(names.map((name) => [name, same[0][name]]));
  sums.forEach((name) => { row[name] = sum(same, name); });
  return row;
});
const isPart = (row) => row.is_complete === false;

HEADLINES.traffic = (state) => {
  const { span, rows, now, before, limits } = comparedKpis(visitsOf(state));
  const whole = rows.filter((row) => !isPart(row));
  const moved = span.before && change(now.sessions, before.sessions);
  const left = sum(here('left_out', state), 'page_views');
  const [first] = lists(here('sources', state), ['source'], 'sessions').filter((row) => row.source !== '(direct)').sort((one, other) => other.sessions - one.sessions);
  return [
    strong(plural(now.sessions, 'visit')), `${sliceWords(visitsOf(state))} ${inWords(span)}`,
    whole.length ? [', ', strong(show(over(sum(whole, 'sessions'), whole.length), 'count')), ' on a whole day'] : '',
    isKnown(moved) ? ['; ', changeWords(moved, limits.sessions, 0), ` on the ${plural(span.length, 'day')} before.`] : '.',
    first && now.sessions ? ` ${first.source} sent ${show(over(first.sessions, now.sessions), 'rate')} of them.` : '',
    left ? ` Bots and exclusions are left out: ${show(over(left, left + now.page_views), 'rate')} of page views.` : '',
    measuredWords(now.completeness),
  ].flat(3);
};
CARDS.traffic = (state) => {
  const { span, rows, now, before, limits } = comparedKpis(visitsOf(state));
  const at = byDay(rows);
  const line = (pick) => days(span).map((day) => (at.has(day) && !isPart(at.get(day)) ? pick(at.get(day)) : null));
  const parts = rows.filter(isPart).length;
  const partly = parts ? `${plural(parts, 'day')} only in part` : 'whole days';
  return [
    { title: 'Visits', value: now.sessions, before: before.sessions, limits: limits.sessions, format: 'count', better: 0, sparks: line((row) => row.sessions), place: 'executive.kpi_daily.sessions', below: partly },
    { title: 'Visitors a day', value: now.daily_visitors, before: before.daily_visitors, format: 'count', better: 0, sparks: line((row) => row.visitors), place: 'executive.kpi_daily.visitors', below: 'mean of the days' },
    { title: 'Page views', value: now.page_views, before: before.page_views, limits: limits.page_views, format: 'count', better: 0, sparks: line((row) => row.page_views), place: 'executive.kpi_daily.page_views', below: isKnown(over(now.page_views, now.sessions)) ? `${over(now.page_views, now.sessions).toFixed(2)} a visit` : '' },
    { title: 'Bounce', value: over(now.bounces, now.sessions), before: over(before.bounces, before.sessions), format: 'rate', isPoints: true, better: 0, sparks: line((row) => over(row.bounces, row.sessions)), place: 'executive.kpi_daily.bounce_rate', below: 'visits of a single page' },
    { title: 'New visitors', value: over(now.new_visitors, now.sessions), before: over(before.new_visitors, before.sessions), format: 'rate', isPoints: true, better: 0, sparks: line((row) => over(row.new_visitors, row.sessions)), place: 'executive.kpi_daily.new_visitors', below: 'visits that are the first of their person' },
    { title: 'Measured', value: now.completeness, format: 'rate', sparks: line((row) => over(row.matched, row.pixel_hits)), place: 'executive.kpi_daily.completeness', below: isKnown(now.completeness) ? 'of the page views that the pixel saw' : 'no second witness on these pages' },
  ].map((one) => ({ ...one, span }));
};

ROWS.visits_by_day = (state) => {
  const span = period(state);
  const at = byDay(kpiRows(visitsOf(state)));
  return { table: days(span).map((day) => {
    const row = { sessions: 0, visitors: 0, page_views: 0, ...at.get(day) };
    return { ...row, day, bounce_rate: over(row.bounces, row.sessions) ?? NONE, is_complete: !isPart(row), whole: isPart(row) ? 'in part' : 'yes', ...spanMs(day),
      tip: `${asDay(day, true)}: ${plural(row.sessions, 'visit')}, ${plural(row.page_views, 'page view')}${isPart(row) ? '; only part of the day' : ''}` };
  }) };
};
const BARS = 10;
const asList = (rows, measure = 'sessions') => {
  const total = sum(rows, measure);
  const table = rows.filter((row) => row[measure]).sort((one, other) => other[measure] - one[measure] || String(one.slice).localeCompare(String(other.slice)))
    .map((row) => ({ ...row, slice: row.slice ?? '(unknown)', share: over(row[measure], total) }))
    .map((row) => ({ ...row, words: `${show(row[measure], 'count')} · ${show(row.share, 'rate')}`, tip: `${row.slice}: ${show(row[measure], 'count')}` }));
  return { table, chart: table.slice(0, BARS), notes: table.length > BARS ? [`The first ${BARS} of ${table.length}; all are in the table.`] : [] };
};
const bounced = (row) => ({ ...row, bounce_rate: over(row.bounces, row.sessions) ?? NONE });
ROWS.where_from = (state, by) => {
  if (by !== 'channel') return asList(lists(here('sources', state), [by], 'sessions').map((row) => ({ ...row, slice: row[by] })));
  // Channels are counted for the whole or for one platform by the sources' own table alone.
  const rows = during(frame('kpi').filter((row) => row.dimension === 'channel'), period(state));
  const result = asList(lists(rows, ['slice'], 'sessions'));
  return state.platform === 'all' ? result : { ...result, notes: [...result.notes, 'Channels are of all platforms.'] };
};
ROWS.technology = (state, by) => asList(lists(here('technology', state).filter((row) => row.dimension === by), ['slice'], 'sessions', 'page_views'));
ROWS.who = (state, by) => {
  const made = asList(lists(here('visitors', state).filter((row) => row.dimension === by), ['slice'], 'sessions', 'bounces'));
  return { ...made, table: made.table.map(bounced) };
};
ROWS.pages = (state) => {
  const rows = lists(here('pages', state), ['page'], 'views', 'entries', 'exits', 'bounces', 'seconds', 'pixel_hits', 'matched');
  const total = sum(rows, 'views');
  // A handful of cases says nothing: fewer than twenty entries, or than ten timed views.
  return { table: rows.filter((row) => row.views).sort((one, other) => (one.page === '(other)') - (other.page === '(other)') || other.views - one.views || one.page.localeCompare(other.page)).map((row) => ({
    ...row, share: over(row.views, total), bounce_rate: row.entries < 20 ? NONE : over(row.bounces, row.entries),
    seconds: row.views - row.exits < 10 ? NONE : Math.round(over(row.seconds, row.views - row.exits) * 10) / 10,
    measured: row.pixel_hits ? over(row.matched, row.pixel_hits) : null,
  })) };
};
const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
ROWS.hours = (state) => {
  const span = period(state);
  // 1 January 1970 was a Thursday.
  const weekday = (day) => (((day + 3) % 7) + 7) % 7;
  const times = WEEKDAYS.map((_, index) => days(span).filter((day) => weekday(day) === index).length);
  const found = new Map(lists(here('hours', state).map((row) => ({ ...row, weekday: weekday(row.date) })), ['weekday', 'hour'], 'page_views', 'sessions').map((row) => [`${row.weekday} ${row.hour}`, row]));
  const table = WEEKDAYS.flatMap((title, index) => (!times[index] ? [] : Array.from({ length: 24 }, (_, hour) => {
    const row = found.get(`${index} ${hour}`) || { page_views: 0, sessions: 0 };
    const words = String(hour).padStart(2, '0');
    const page_views = row.page_views / times[index];
    return { weekday: title, hour: words, page_views, sessions: row.sessions / times[index], tip: `${title} ${words}:00: ${show(page_views, 'number')} page views` };
  })));
  return { table: found.size ? table : [] };
};
ROWS.left_out = (state) => {
  const rows = lists(here('left_out', state), ['family', 'reason'], 'page_views', 'sessions').map((row) => ({ ...row, slice: named(row.family ?? '(unknown)', row.reason === 'declared' ? null : row.reason) }));
  const made = asList(rows, 'page_views');
  const all = sum(rows, 'page_views') + totalled(during(kpiRows(visitsOf(state)), period(state))).page_views;
  const share = (row) => ({ ...row, share: over(row.page_views, all), words: `${show(row.page_views, 'count')} · ${show(over(row.page_views, all), 'rate')} of all` });
  return { ...made, table: made.table.map(share), chart: made.chart.map(share) };
};
