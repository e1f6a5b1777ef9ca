// Data loss.
const onPlatform = (state, rows) => (state.platform === 'all' ? rows : rows.filter((row) => row.platform === state.platform));
const witnessed = (rows) => {
  const hits = sum(rows, 'pixel_hits');
  const events = sum(rows, 'events');
  const matched = sum(rows, 'matched');
  return { pixel_hits: hits, events, matched, only_pixel: sum(rows, 'only_pixel'), only_event: sum(rows, 'only_event'),
    loss_rate: over(sum(rows, 'only_pixel'), hits), pixel_loss_rate: hits ? over(sum(rows, 'only_event'), events) : null,
    estimated: hits ? ((hits + 1) * (events + 1)) / (matched + 1) - 1 : null };
};
const witnesses = (state, span) => witnessed(during(onPlatform(state, frame('witnesses')), span));
const causeTotals = (state, span) => Object.fromEntries(grouped(during(onPlatform(state, frame('causes')), span), 'cause').map((same) => [same[0].cause, sum(same, 'messages')]));
const CAUSES = {
  sent: ['sent', 'total', 'What clients sent, as far as it is known'],
  lost_before_collector: ['lost on the way', 'lost', 'Missing from the count that each client keeps'],
  rejected: ['refused', 'lost', 'In quarantine: unknown, incomplete or unreadable'],
  late: ['too late', 'lost', 'In quarantine: older than allowed when it came'],
  unexplained: ['seen by the pixel only', 'lost', 'The pixel saw the page, nothing else tells of it: blockers, mostly'],
  duplicate: ['second copies', 'removed', 'Came before: nothing is lost'],
  bot: ["bots'", 'removed', 'Left out on purpose: nothing is lost'],
  counted: ['counted', 'counted', 'What the figures are made of'],
};
ROWS.waterfall = (state) => {
  const totals = causeTotals(state, period(state));
  const sent = totals.sent;
  if (!sent) return { table: [] };
  let level = sent;
  const table = Object.entries(CAUSES).filter(([cause]) => isKnown(totals[cause])).map(([cause, [label, kind, words]]) => {
    const messages = Math.abs(totals[cause]);
    const isWhole = cause === 'sent' || cause === 'counted';
    const high = isWhole ? messages : level;
    const low = isWhole ? null : level - messages;
    if (!isWhole) level -= messages;
    return { cause: label, kind, words, messages, share: messages / sent, high: high / sent, low: low === null ? null : low / sent };
  });
  const floor = Math.max(0, Math.min(...table.map((row) => row.low ?? row.high)) - 0.01);
  return { table, chart: table.map((row) => ({ ...row, low: row.low ?? Math.min(floor, row.high), label: show(row.share, 'rate'), tip: `${row.cause}: ${show(row.messages, 'count')} messages, ${show(row.share, 'rate')}. ${row.words}` })) };
};
// Wilson's 95 % interval: honest for few cases, where a share alone is not.
const wilson = (bad, all) => {
  if (!all) return [null, null];
  const z = 1.959964;
  const share = bad / all;
  const middle = (share + (z * z) / (2 * all)) / (1 + (z * z) / all);
  const margin = (z / (1 + (z * z) / all)) * Math.sqrt((share * (1 - share)) / all + (z * z) / (4 * all * all));
  return [bad ? middle - margin : 0, Math.min(1, middle + margin)];
};
ROWS.loss_by = (state, by) => {
  const rows = during(onPlatform(state, frame('dimensions')), period(state)).filter((row) => row.dimension === by);
  const table = grouped(rows, 'value').map((same) => {
    const hits = sum(same, 'pixel_hits');
    const lost = sum(same, 'only_pixel');
    const [low, high] = wilson(lost, hits);
    return { value: same[0].value, pixel_hits: hits, only_pixel: lost, loss_rate: over(lost, hits), low, high };
  }).sort((one, other) => other.pixel_hits - one.pixel_hits);
  return { table, chart: table.filter((row) => isKnown(row.loss_rate)).map((row) => ({ ...row, tip: `${row.value}: ${show(row.only_pixel, 'count')} of ${show(row.pixel_hits, 'count')} lost, likely ${show(row.low, 'rate')} to ${show(row.high, 'rate')}` })) };
};
ROWS.loss_heat = (state) => {
  const rows = during(onPlatform(state, frame('witnesses')), period(state)).map((row) => ({ ...row, ...witnessed([row]), day: row.date, ...spanMs(row.date) }));
  const darkest = Math.max(2 * (meta.target || 0.02), ...rows.map((row) => row.loss_rate || 0));
  const chart = rows.map((row) => ({ ...row, darkest, tip: `${row.platform}, ${asDay(row.day, true)}: ${show(row.loss_rate, 'rate')} lost (${row.only_pixel} of ${row.pixel_hits})` }));
  return { table: rows, chart: rows.some((row) => isKnown(row.loss_rate)) ? chart : [], notes: rows.length ? [`From nothing lost to ${asRate(darkest)}, the darkest.`] : [] };
};
ROWS.loss_trend = (state) => {
  const rows = grouped(during(onPlatform(state, frame('witnesses')), period(state)), 'date').map((same) => ({ ...witnessed(same), day: same[0].date, day_ms: same[0].date * DAY, target: meta.target }))
    .sort((one, other) => one.day - other.day);
  const chart = rows.flatMap((row) => [['tracker lost', row.loss_rate], ['pixel lost', row.pixel_loss_rate]].filter(([, value]) => isKnown(value))
    .map(([who, value]) => ({ who, day_ms: row.day_ms, loss_rate: value, tip: `${asDay(row.day, true)}: ${who} ${asRate(value)}` })));
  if (chart.length && isKnown(meta.target)) chart.push({ is_first: true, target: meta.target, day_ms: chart[0].day_ms });
  return { table: rows, chart: rows.some((row) => isKnown(row.loss_rate)) ? chart : [] };
};
ROWS.meaning = (state) => {
  const span = period(state);
  const kpi = totalled(during(kpiRows({ ...state, country: 'all', channel: 'all' }), span));
  const now = witnesses(state, span);
  const isMeasured = isKnown(kpi.completeness);
  const lost = isMeasured ? `at least ${asRate(1 - kpi.completeness)} of page views did not arrive` : 'no pixel log: nobody knows';
  return { table: [
    { figure: 'Page views', measured: show(kpi.page_views, 'count'), likely: isKnown(kpi.estimated) ? `${show(kpi.estimated, 'count')} (${show(kpi.low, 'count')} to ${show(kpi.high, 'count')})` : UNKNOWN, why: 'Two witnesses: what neither saw is estimated from what each missed. A blocker that stops both hides from this.' },
    { figure: 'Page views on the web, by trackers', measured: show(now.events, 'count'), likely: show(now.estimated, 'count'), why: lost },
    { figure: 'Sessions, visitors', measured: show(kpi.sessions, 'count'), likely: isMeasured ? 'a little more' : UNKNOWN, why: 'A session is lost only when all its messages are; the share of lost page views is an upper bound if loss hits messages, and about right if it hits people.' },
    { figure: 'Orders, revenue', measured: `${show(kpi.orders, 'count')}, ${show(kpi.revenue, 'money')}`, likely: UNKNOWN, why: "Where the backend reports orders, loss in browsers does not touch them; nothing here witnesses the backend." },
    { figure: 'Conversion rate', measured: show(kpi.conversion_rate, 'rate'), likely: isMeasured && isKnown(kpi.conversion_rate) ? `${percent(kpi.conversion_rate * kpi.completeness, 2)} to ${percent(kpi.conversion_rate, 2)}` : UNKNOWN, why: 'Orders are complete where sessions are not: the true rate is lower, at most by the share that was lost.' },
    { figure: 'Attribution, new visitors', measured: '–', likely: UNKNOWN, why: 'A lost first visit hands its credit to a later one, direct more often than not.' },
  ] };
};
const scopeOf = (row) => named(row.app_id, row.platform);
ROWS.incidents = (state) => {
  const span = period(state);
  const table = onPlatform(state, frame('incidents')).filter((row) => hasData && row.last_date >= span.start && row.first_date <= span.end)
    .map((row) => ({ ...row, scope: scopeOf(row), days: `${asDay(row.first_date)}${row.first_date === row.last_date ? '' : ` to ${asDay(row.last_date)}`}${row.is_ongoing ? ', ongoing' : ''}` }));
  return { table };
};
HEADLINES.loss = (state) => {
  const span = period(state);
  const now = witnesses(state, span);
  const causes = causeTotals(state, span);
  const heaviest = ['lost_before_collector', 'rejected', 'late', 'unexplained'].map((cause) => [cause, Math.abs(causes[cause] || 0)]).sort((one, other) => other[1] - one[1])[0];
  const where = state.platform === 'all' ? '' : ` on ${state.platform}`;
  return [
    isKnown(now.loss_rate)
      ? ['The tracker missed ', tone(asRate(now.loss_rate), now.loss_rate > (meta.target ?? 0.02) ? 'bad' : 'plain'), ` of the page views that the pixel saw${where} ${inWords(span)}; the pixel missed `, strong(show(now.pixel_loss_rate, 'rate')), ' of the tracker’s.']
      : ['What was lost', where, ' ', inWords(span), ' is ', strong(UNKNOWN), ': no pixel saw these pages.'],
    heaviest[1] ? [' Most of what is known to be missing: ', strong(CAUSES[heaviest[0]][0]), ` (${plural(heaviest[1], 'message')}).`] : '',
  ].flat();
};
CARDS.loss = (state) => {
  const span = period(state);
  const now = witnesses(state, span);
  const before = span.before ? witnesses(state, span.before) : {};
  const gaps = (part) => over(sum(during(onPlatform(state, frame('gaps')), part), 'lost'), sum(during(onPlatform(state, frame('gaps')), part), 'expected'));
  const line = (name) => { const at = new Map(ROWS.loss_trend(state).table.map((row) => [row.day, row])); return days(span).map((day) => (at.has(day) ? at.get(day)[name] : null)); };
  return [
    { title: 'Page views lost', value: now.loss_rate, before: before.loss_rate, format: 'rate', better: -1, isPoints: true, sparks: line('loss_rate'), place: 'quality.loss_daily.event_loss_rate', below: `${show(now.only_pixel, 'count')} of ${show(now.pixel_hits, 'count')} that the pixel saw` },
    { title: 'Likely true page views, web', value: now.estimated, before: before.estimated, format: 'count', sparks: line('estimated'), place: 'quality.loss_daily.estimated_page_views', below: `measured ${show(now.events, 'count')}` },
    { title: 'Messages missing', value: gaps(span), before: span.before ? gaps(span.before) : null, format: 'rate', better: -1, isPoints: true, place: 'quality.message_gaps.loss_rate', below: "holes in the clients' own count, all platforms" },
  ].map((one) => ({ ...one, span }));
};
