// Trust: may these figures be used?
const onPlatform = (rows) => (state.filters.platform ? rows.filter((row) => !row.platform || state.filters.platform.includes(row.platform)) : rows);
const lossOf = (rows) => {
  const [hits, events, lost] = [sum(rows, 'pixel_hits'), sum(rows, 'events'), sum(rows, 'only_pixel')];
  return { pixel_hits: hits, events, only_pixel: lost, loss_rate: over(lost, hits), pixel_loss_rate: hits ? over(sum(rows, 'only_event'), events) : null, ...wilson(lost, hits) };
};
const lossIn = (span) => lossOf(during(onPlatform(frame('witnesses')), span));
const causesIn = (span) => Object.fromEntries(lists(during(onPlatform(frame('causes')), span), ['cause'], 'messages').map((row) => [row.cause, Math.abs(row.messages)]));
const CAUSES = {
  bot: ['Bots', 'rest', 'Flagged, kept, left out of every figure: nothing is lost'],
  duplicate: ['Second copies', 'rest', 'Retries; one copy counts: nothing is lost'],
  lost_before_collector: ['Lost on the way', 'dark', 'Holes in the count that each client keeps'],
  unexplained: ['Only the pixel saw them', 'dark', 'Page views without a message: blockers, mostly'],
  rejected: ['Refused', 'dark', 'In quarantine: unknown, incomplete or unreadable; can be replayed'],
  late: ['Too late', 'dark', 'In quarantine: older than allowed when it came'],
};
ROWS.fall = () => {
  const found = causesIn(period());
  if (!found.sent) return { table: [] };
  const parts = Object.entries(CAUSES).map(([cause, [words, kind, why]]) => ({ cause: words, kind, words: why, messages: found[cause] || 0, share: (found[cause] || 0) / found.sent }));
  const counted = found.counted || 0;
  return { table: [{ cause: 'Sent', messages: found.sent, share: 1, words: 'What clients sent, as far as it is known' }, { cause: 'Counted', messages: counted, share: counted / found.sent, words: 'What the figures are made of' }, ...parts], chart: parts.filter((part) => part.messages), options: { sent: found.sent, counted },
    notes: [`Counted ${show(counted, 'count')}, of all that was sent.`, ...parts.filter((part) => part.messages).map((part) => `${part.cause} ${show(part.messages, 'count')}.`)] };
};
ROWS.meaning = () => {
  const { rows } = boundRows(state.filters.platform ? { platform: state.filters.platform } : {}, period());
  return { table: [...rows, { figure: 'New visitors, channel of an order', measured: '–', low: UNKNOWN, high: UNKNOWN, why: 'A lost first visit hands its credit to a later one, mostly direct' }] };
};
ROWS.loss_by_day = () => {
  const rows = grouped(during(onPlatform(frame('witnesses')), period()), 'date').map((same) => ({ day: same[0].date, ...lossOf(same) })).filter((row) => row.pixel_hits).sort((one, other) => other.day - one.day);
  const most = Math.min(1, Math.max(2 * (meta.target ?? 0.02), ...rows.map((row) => row.high)));
  return { table: rows.map((row) => ({ ...row, range: { ...row, value: row.loss_rate, max: most, tick: meta.target, tone: isKnown(meta.target) && row.low > meta.target ? 'bad' : isKnown(meta.target) && row.loss_rate > meta.target ? 'warn' : 'plain' } })), notes: isKnown(meta.target) ? [`The tick: a day above ${asRate(meta.target)} warns. The scale ends at ${asRate(most)}.`] : [] };
};
const rangesOf = (rows, part, all, name) => {
  const z = jointZ(rows.length);
  const mean = over(sum(rows, part), sum(rows, all));
  const told = rows.map((row) => ({ ...row, loss_rate: over(row[part], row[all]), ...wilson(row[part], row[all], z) }));
  const most = Math.min(1, Math.max(0.01, ...told.filter((row) => row[all] >= 20).map((row) => row.high)));
  return { table: told.map((row) => ({ ...row, range: { low: row.low, high: row.high, value: row.loss_rate, max: most, tick: mean, tone: row.low > mean ? 'warn' : 'plain' } })).sort((one, other) => other[all] - one[all]), notes: isKnown(mean) ? [`${name}: ${asRate(mean)} of all, the tick. The scale ends at ${asRate(most)}.`] : [] };
};
ROWS.loss_by = (_state, by) => {
  const rows = lists(during(onPlatform(frame('dimensions')), period()).filter((row) => row.dimension === by), ['value'], 'pixel_hits', 'only_pixel').filter((row) => row.pixel_hits);
  const made = rangesOf(rows.map((row) => ({ ...row, value: by === 'country' ? countryName(row.value) : row.value })), 'only_pixel', 'pixel_hits', 'Lost');
  return { ...made, notes: [...made.notes, ...sinceWords('dimensions', period())] };
};
ROWS.gaps = () => rangesOf(lists(during(onPlatform(frame('gaps')), period()), ['tracker'], 'expected', 'lost').filter((row) => row.expected), 'lost', 'expected', 'Lost');
ROWS.silence = () => {
  const rows = onPlatform(during(frame('silent'), period())).map((row) => ({ ...row, day: row.date, missed: row.value, scope: row.scope.replace(/^\d{4}-\d\d-\d\d /, ''), times: over(row.value, row.threshold) })).sort((one, other) => (other.times || 0) - (one.times || 0));
  const most = Math.max(2, ...rows.map((row) => row.times || 0));
  return { table: rows.map((row) => ({ ...row, range: isKnown(row.times) ? { low: 0, high: row.times, value: row.times, max: most, tick: 1, tone: row.status === 'error' ? 'bad' : 'warn', words: `${show(row.times, 'number')} × what is allowed` } : null })) };
};
ROWS.fresh = () => ({ table: frame('fresh').map((row) => ({ ...row, allowed: isKnown(row.age_hours) && row.threshold ? { low: 0, high: row.age_hours / row.threshold, value: row.age_hours / row.threshold, max: 2, tick: 1, tone: row.status === 'error' ? 'bad' : row.status === 'warn' ? 'warn' : 'plain', words: `${asHours(row.age_hours)} of ${asHours(row.threshold)}` } : null })) });

const RANK = { error: 0, warn: 1, unknown: 2, closed: 3 };
const shown = (value) => (isKnown(value) ? FINE.format(value) : UNKNOWN);
// Incidents, and what is unknown or wrong without being one: each trouble one row.
const troubles = (span) => {
  const isNear = (row) => !span || !isKnown(row.first_date) || (row.last_date >= span.start && row.first_date <= span.end);
  const incidents = onPlatform(frame('incidents')).filter(isNear);
  const made = grouped(incidents.map((row) => ({ ...row, where: named(row.app_id, row.platform), is: row.is_ongoing ? row.status : 'closed' })), 'check_name', 'where', 'is').map((same) => {
    const worst = same.reduce((most, row) => (Math.abs(row.worst_value ?? 0) > Math.abs(most.worst_value ?? 0) ? row : most));
    return { ...worst, status: worst.is, tone: worst.is === 'closed' ? 'plain' : worst.is, first_date: Math.min(...same.map((row) => row.first_date)), last_date: Math.max(...same.map((row) => row.last_date)), times: same.length, is_ongoing: worst.is_ongoing, words: `${worst.check_name.replaceAll('_', ' ')}, ${worst.where}${same.length > 1 ? `, ${same.length} times` : ''}` };
  });
  const told = new Set(incidents.map((row) => row.check_name));
  const rest = frame('not_ok').filter(isNear).filter((row) => row.status === 'unknown' || row.is_undated || !told.has(row.check_name))
    .map((row) => ({ ...row, tone: row.status, is_ongoing: row.status !== 'unknown', words: `${row.check_name.replaceAll('_', ' ')}${row.scopes > 1 ? `, ${plural(row.scopes, 'time')}` : `, ${row.scope}`}` }));
  return [...made, ...rest].sort((one, other) => RANK[one.status] - RANK[other.status] || (other.last_date ?? Infinity) - (one.last_date ?? Infinity) || one.words.localeCompare(other.words));
};
ROWS.open = (_state, by) => ({ table: troubles(by === 'all' ? null : period()).map((row) => ({ ...row, since: isKnown(row.first_date) ? (row.is_ongoing && row.status !== 'unknown' ? `since ${asDay(row.first_date)}` : asSpan({ start: row.first_date, end: row.last_date })) : 'always so far', what: `${row.words}. ${row.hint || ''}`, worst: isKnown(row.worst_value) ? `${shown(row.worst_value)}, ${shown(row.threshold)}` : '–' })) });
ROWS.quarantine = () => ({ table: asList(lists(frame('quarantine').filter((row) => !isKnown(row.date) || (row.date >= period().start && row.date <= period().end)), ['reason'], 'messages').map((row) => ({ ...row, reason: row.reason.replaceAll('_', ' ') })), 'messages', 'reason') });
ROWS.ledger = () => {
  const rows = frame('ledger');
  const total = rows.length > 1 ? { folder: 'All', ...Object.fromEntries(['files', 'messages', 'accepted', 'duplicates', 'quarantined', 'unaccounted', 'failed_files'].map((name) => [name, sum(rows, name)])) } : null;
  return { table: rows, total };
};
ROWS.bots = () => ({ table: lists(during(frame('bots'), period()).map((row) => ({ ...row, page_views: Math.abs(row.page_views_without - row.page_views_with), decided: row.sessions_decided })), ['rule', 'is_flagging'], 'decided', 'page_views').map((row) => ({ ...row, rule: row.rule.replaceAll('_', ' '), state: row.is_flagging ? 'flags' : 'only suspects' })).filter((row) => row.decided).sort((one, other) => other.decided - one.decided) });
ROWS.restated = () => ({ table: frame('restated').map((row) => ({ ...row, day: row.date })) });

HEADLINES.trust = () => {
  const span = period();
  const now = lossIn(span);
  const open = troubles(span).filter((row) => row.is_ongoing && row.status !== 'unknown' && row.status !== 'closed');
  const bad = open.filter((row) => row.status === 'error');
  const lost = sum(frame('ledger'), 'unaccounted');
  const late = frame('fresh').filter((row) => row.status === 'error' || row.status === 'warn');
  const isLossy = isKnown(now.low) && now.low > (meta.target ?? 0.02);
  const { ok = 0, warn = 0, error = 0, unknown = 0 } = meta.checks;
  const verdict = lost || bad.length ? tone('Not to be used as it is.', 'bad') : isLossy || late.length || open.length ? tone('Use with care.', 'warn') : isKnown(now.loss_rate) ? 'Good to use.' : 'Nothing speaks against it, and nothing vouches for it.';
  return { main: [verdict, isKnown(now.loss_rate) ? [' The tracker missed ', tone(asRate(now.loss_rate), isLossy ? 'bad' : 'strong'), ` of the page views that the pixel saw (${asRate(now.low)} – ${asRate(now.high)}) ${inWords(span)}.`] : [' What was lost is ', strong(UNKNOWN), ': no pixel saw these pages.'],
    open.length ? [' ', tone(plural(open.length, 'trouble'), bad.length ? 'bad' : 'warn'), ' open.'] : error ? [' No trouble goes on; ', tone(`${plural(error, 'check')} failed`, 'warn'), ' on days before.'] : ' Nothing is open.', late.length ? [' ', tone(`${plural(late.length, 'source')} late`, 'warn'), `: ${late.slice(0, 3).map((row) => row.scope).join(', ')}.`] : ''],
  aside: [frame('ledger').length ? (lost ? tone(`${plural(lost, 'message')} unaccounted for. `, 'bad') : 'The books balance: every message is accounted for. ') : 'No file has landed. ', `Of ${plural(ok + warn + error + unknown, 'check')}, ${show(ok, 'count')} hold, ${show(warn, 'count')} warned, ${show(error, 'count')} failed, ${show(unknown, 'count')} cannot be answered.`] };
};
// A rate of each day: pale below twenty cases.
const rateDays = (rows, span, part, all) => {
  const at = new Map(grouped(rows, 'date').map((same) => [same[0].date, { rate: over(sum(same, part), sum(same, all)), cases: sum(same, all) }]));
  return smallDays(span, (day) => (at.has(day) ? at.get(day).rate : null), (day) => at.has(day) && at.get(day).cases >= 20);
};
STRIPS.trust = () => {
  const span = period();
  const [now, before] = [lossIn(span), span.before ? lossIn(span.before) : null];
  const gaps = lists(during(onPlatform(frame('gaps')), span), [], 'lost', 'expected')[0] || { lost: 0, expected: 0 };
  const refused = sum(ROWS.quarantine().table, 'messages');
  const range = (of) => (isKnown(of.low) ? `${asRate(of.low)} – ${asRate(of.high)} by chance` : '');
  return strip([
    plainFigure('Page views lost', now.loss_rate, 'rate', { days: rateDays(during(onPlatform(frame('witnesses')), span), span, 'only_pixel', 'pixel_hits'), place: 'quality.loss_daily.event_loss_rate', reason: isKnown(now.loss_rate) ? range(now) : 'no pixel saw these pages', below: before && isKnown(before.loss_rate) ? `${asRate(before.loss_rate)} before (${range(before).replace(' by chance', '')})` : '' }),
    plainFigure('Messages lost on the way', over(gaps.lost, gaps.expected), 'rate', { days: rateDays(during(onPlatform(frame('gaps')), span), span, 'lost', 'expected'), place: 'quality.message_gaps.loss_rate', reason: gaps.expected ? range(wilson(gaps.lost, gaps.expected)) : 'no client counted its messages' }),
    plainFigure('Refused', refused, 'count', { place: 'quality.quarantine.reason', below: 'kept, can be replayed' }),
    plainFigure('Unaccounted for', frame('ledger').length ? sum(frame('ledger'), 'unaccounted') : null, 'count', { place: 'quality.ledger.balance', below: 'of all files' }),
  ]);
};
