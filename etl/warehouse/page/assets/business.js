// Business.
const ROWS = {};
const HEADLINES = {};
const CARDS = {};

const direction = (moved) => (moved > 0.0005 ? 'up' : moved < -0.0005 ? 'down' : 'level');
// A change whose limits hold nought may be chance, and is neither good nor bad.
const mayBeChance = (limits) => limits === null || Boolean(limits && limits.low <= 0 && limits.high >= 0);
const changeWords = (moved, limits = undefined, isGood = 1) =>
  direction(moved) === 'level' ? tone('level', 'plain') : tone(`${direction(moved)} ${percent(Math.abs(moved), 1)}${limits ? ` (${show(limits, 'limits')})` : ''}`, mayBeChance(limits) ? 'plain' : isGood === 0 ? 'plain' : moved * isGood > 0 ? 'good' : 'bad');
const sliceWords = (state) => {
  const { dimension, slice } = sliceOf(state);
  return dimension === 'all' ? '' : ` (${dimension} ${slice})`;
};
const measuredWords = (completeness) =>
  isKnown(completeness)
    ? [' Of the page views that the pixel saw we measured ', strong(asRate(completeness)), '.']
    : [' How much of reality was measured is ', strong(UNKNOWN), ': no pixel saw these pages.'];
const errorsIn = (span, platform = 'all') =>
  during(frame('incidents').map((row) => ({ ...row, date: Math.min(row.last_date, span.end) })), span)
    .filter((row) => row.status === 'error' && row.first_date <= span.end && (platform === 'all' || row.platform === platform));

HEADLINES.business = (state) => {
  const { span, now, before, limits } = comparedKpis(state);
  const moved = span.before && change(now.revenue, before.revenue);
  const orders = span.before && change(now.orders, before.orders);
  const visits = span.before && change(now.sessions, before.sessions);
  const wrong = errorsIn(span, state.platform).length;
  // A site that sells nothing is asked about its visits.
  if (!sum(frame('kpi'), 'orders')) {
    return [
      strong(plural(now.sessions, 'session')), `${sliceWords(state)} ${inWords(span)}`,
      isKnown(visits) ? [', ', changeWords(visits, limits.sessions), ` on the ${plural(span.length, 'day')} before.`] : '; there is no whole period before to compare with.',
      ' No order is known.', measuredWords(now.completeness),
    ].flat();
  }
  return [
    `Revenue${sliceWords(state)} was `, strong(asMoney(now.revenue)), ` ${inWords(span)}`,
    isKnown(moved) ? [', ', changeWords(moved, limits.revenue), ` on the ${plural(span.length, 'day')} before; orders `, changeWords(orders ?? 0, limits.orders), '.'] : [` from ${plural(now.orders, 'order')}; there is no whole period before to compare with.`],
    measuredWords(now.completeness),
    wrong ? [' ', tone(plural(wrong, 'incident'), 'bad'), ' of the data in error.'] : '',
  ].flat();
};
CARDS.business = (state) => {
  const { span, rows, now, before, limits } = comparedKpis(state);
  const at = byDay(rows);
  const line = (pick) => days(span).map((day) => (at.has(day) ? pick(at.get(day)) : null));
  const whole = isKnown(now.completeness) ? `completeness ${asRate(now.completeness)}` : 'completeness unknown';
  const likely = isKnown(now.estimated)
    ? `likely true ${show(now.estimated, 'count')}, between ${show(now.low, 'count')} and ${show(now.high, 'count')}`
    : 'likely true value unknown: no pixel log';
  return [
    { title: 'Revenue', value: now.revenue, before: before.revenue, limits: limits.revenue, format: 'money', sparks: line((row) => row.revenue), place: 'executive.kpi_daily.revenue', below: `${whole}; orders are the backend's word where it has one` },
    { title: 'Orders', value: now.orders, before: before.orders, limits: limits.orders, format: 'count', sparks: line((row) => row.orders), place: 'executive.kpi_daily.orders', below: whole },
    { title: 'Conversion', value: now.conversion_rate, before: before.conversion_rate, limits: limits.conversion_rate, format: 'rate', sparks: line((row) => over(row.sessions_with_order, row.sessions)), place: 'executive.kpi_daily.conversion_rate', below: `sessions with an order; ${whole}` },
    { title: 'Visitors a day', value: now.daily_visitors, before: before.daily_visitors, format: 'count', sparks: line((row) => row.visitors), place: 'executive.kpi_daily.visitors', below: `mean of the days; ${whole}` },
    { title: 'Page views', value: now.page_views, before: before.page_views, limits: limits.page_views, format: 'count', sparks: line((row) => row.page_views), place: 'executive.kpi_daily.page_views', below: likely },
    { title: 'Measured', value: now.completeness, before: before.completeness, format: 'rate', isPoints: true, sparks: line((row) => over(row.matched, row.pixel_hits)), place: 'executive.kpi_daily.completeness', below: 'of the page views that the pixel saw' },
  ].map((one) => ({ ...one, span }));
};

const incidentMarks = (state, span) =>
  errorsIn(span, state.platform).sort((one, other) => one.first_date - other.first_date).slice(0, 9)
    .map((row, index) => ({ ...row, label: String(index + 1), incident_ms: spanMs(Math.max(row.first_date, span.start)).middle_ms }));
ROWS.revenue_by_day = (state) => {
  const span = period(state);
  const all = kpiRows(state);
  const at = byDay(all);
  const revenue = (day) => (at.has(day) ? at.get(day).revenue : 0);
  const rows = days(span).map((day) => {
    const row = at.get(day) || {};
    const mean = day - 6 >= firstShown ? over([0, 1, 2, 3, 4, 5, 6].reduce((total, back) => total + revenue(day - back), 0), 7) : null;
    return { ...row, day, revenue: revenue(day), mean, completeness: over(row.matched, row.pixel_hits), ...spanMs(day),
      tip: `${asDay(day, true)}: ${asMoney(revenue(day))}, ${plural(row.orders || 0, 'order')}` };
  });
  // Several incidents may begin on one day: one line, all their numbers.
  const marks = grouped(incidentMarks(state, span), 'incident_ms').map((same) => ({ incident_ms: same[0].incident_ms, label: same.map((one) => one.label).join(' ') }));
  const notes = incidentMarks(state, span).map((mark) => `${mark.check_name} ${named(mark.app_id, mark.platform)}, ${mark.first_date === mark.last_date ? asDay(mark.first_date) : `${asDay(mark.first_date)} to ${asDay(mark.last_date)}`}`);
  return { table: rows, chart: sum(rows, 'revenue') ? [...rows, ...marks] : [], notes };
};
ROWS.revenue_moved = (state, by) => {
  const span = period(state);
  if (!span.before) return { table: [] };
  const now = during(frame('kpi'), span);
  const before = during(frame('kpi'), span.before);
  const total = (rows, dimension, slice) => sum(rows.filter((row) => row.dimension === dimension && row.slice === slice), 'revenue');
  const rows = kpiSlices(by).map((slice) => ({ slice, now: total(now, by, slice), before: total(before, by, slice) }));
  const rest = { slice: '(all others)', now: total(now, 'all', 'all') - sum(rows, 'now'), before: total(before, 'all', 'all') - sum(rows, 'before') };
  if (Math.abs(rest.now) > 0.005 || Math.abs(rest.before) > 0.005) rows.push(rest);
  const moved = rows.map((row) => ({ ...row, change: row.now - row.before }))
    .sort((one, other) => other.change - one.change)
    .map((row) => ({ ...row, words: signed(row.change, asMoney(Math.abs(row.change))), tip: `${row.slice}: ${asMoney(row.before)} → ${asMoney(row.now)}` }));
  const shown = moved.filter((row) => row.change).sort((one, other) => Math.abs(other.change) - Math.abs(one.change)).slice(0, 12);
  return { table: moved, chart: moved.filter((row) => shown.includes(row)) };
};
ROWS.funnel = (state, by) => {
  const rows = during(frame('funnel'), period(state)).filter((row) => row.funnel === by);
  const steps = grouped(rows, 'step_number', 'step').map((same) => ({ number: same[0].step_number, step: same[0].step, sessions: sum(same, 'sessions') }))
    .sort((one, other) => one.number - other.number);
  const table = steps.map((row, index) => {
    const share = (of) => over(row.sessions, of) ?? NONE;
    const step_rate = index ? share(steps[index - 1].sessions) : NONE;
    const funnel_rate = share(steps[0].sessions);
    const words = isKnown(step_rate) ? `${show(row.sessions, 'count')} · ${show(step_rate, 'rate')} of ${steps[index - 1].step}` : show(row.sessions, 'count');
    return { ...row, step: `${row.number}. ${row.step}`, step_rate, funnel_rate, words, tip: `${row.step}: ${words}` };
  });
  return { table };
};
const CHOICES_OF = { funnel: () => Object.fromEntries(distinct(frame('funnel'), 'funnel').map((name) => [name, name])) };
