// Tracking health.
const RANK = { error: 0, warn: 1, unknown: 2, ok: 3 };
// A check about no day, or no platform, concerns them all.
const ofState = (state, rows) => {
  const span = period(state);
  return rows.filter((row) => (!isKnown(row.date) || (row.date >= span.start && row.date <= span.end)) && (state.platform === 'all' || !row.platform || row.platform === state.platform));
};
const checkTotals = (state) => {
  const totals = { ok: 0, warn: 0, error: 0, unknown: 0 };
  ofState(state, frame('checks')).forEach((row) => { totals[row.status] += row.scopes; });
  return totals;
};
ROWS.checks = (state) => {
  const rows = ofState(state, frame('checks'));
  const table = grouped(rows, 'check_name').map((same) => {
    const count = (status) => sum(same.filter((row) => row.status === status), 'scopes');
    return { check_name: same[0].check_name, error: count('error'), warn: count('warn'), unknown: count('unknown'), ok: count('ok') };
  }).sort((one, other) => other.error - one.error || other.warn - one.warn || other.unknown - one.unknown || one.check_name.localeCompare(other.check_name));
  const chart = table.flatMap((row) => Object.keys(RANK).filter((status) => row[status]).map((status) => ({ check_name: row.check_name, status, scopes: row[status], rank: RANK[status], tip: `${row.check_name}: ${row[status]} ${status}` })));
  return { table, chart };
};
ROWS.not_ok = (state) => ({ table: ofState(state, frame('not_ok')) });
ROWS.silence = (state) => {
  const table = during(onPlatform(state, frame('silence')), period(state)).map((row) => ({ ...row, missed: row.is_unknown ? null : row.missed, silent_hours: row.is_unknown ? null : row.silent_hours, day: row.date, ...spanMs(row.date) }));
  return { table, chart: table.some((row) => isKnown(row.missed)) ? table.map((row) => ({ ...row, tip: `${row.platform}, ${asDay(row.day, true)}: ${show(row.missed, 'count')} missed, ${plural(row.silent_hours || 0, 'silent hour')}` })) : [] };
};
ROWS.gaps = (state) => {
  const table = grouped(during(onPlatform(state, frame('gaps')), period(state)), 'tracker').map((same) => ({ tracker: same[0].tracker, expected: sum(same, 'expected'), received: sum(same, 'received'), rejected: sum(same, 'rejected'), lost: sum(same, 'lost'), restarts: sum(same, 'restarts'), loss_rate: over(sum(same, 'lost'), sum(same, 'expected')) }))
    .sort((one, other) => other.expected - one.expected);
  return { table, chart: table.map((row) => ({ ...row, tip: `${row.tracker}: ${show(row.lost, 'count')} of ${show(row.expected, 'count')} lost` })) };
};
ROWS.quarantine = (state) => {
  const span = period(state);
  const rows = frame('quarantine').filter((row) => !isKnown(row.date) || (row.date >= span.start && row.date <= span.end));
  const table = grouped(rows, 'reason').map((same) => ({ reason: same[0].reason, messages: sum(same, 'messages') })).sort((one, other) => other.messages - one.messages);
  return { table, chart: table.map((row) => ({ ...row, tip: `${row.reason}: ${plural(row.messages, 'message')}` })) };
};
ROWS.ledger = () => ({ table: frame('ledger') });
ROWS.bots = (state) => {
  const table = grouped(during(frame('bots'), period(state)), 'rule').map((same) => {
    const state_ = same[0].is_flagging ? 'flags' : 'only suspects';
    const page_views = Math.abs(sum(same, 'page_views_without') - sum(same, 'page_views_with'));
    return { rule: same[0].rule, state: state_, decided: sum(same, 'sessions_decided'), page_views, share: over(sum(same, 'sessions_decided'), sum(same, 'sessions_with')) };
  }).sort((one, other) => other.decided - one.decided);
  return { table, chart: table.filter((row) => row.decided).map((row) => ({ ...row, tip: `${row.rule} (${row.state}): ${plural(row.decided, 'session')}, ${plural(row.page_views, 'page view')}` })) };
};
ROWS.restated = () => ({ table: frame('restated').map((row) => ({ ...row, day: row.date })) });
HEADLINES.health = (state) => {
  const totals = checkTotals(state);
  const all = totals.ok + totals.warn + totals.error + totals.unknown;
  const lost = sum(frame('ledger'), 'unaccounted');
  const hurt = grouped(ofState(state, frame('not_ok')).filter((row) => row.status === 'error'), 'check_name').map((same) => same[0].check_name);
  return [
    lost ? tone(`${plural(lost, 'message')} unaccounted for.`, 'bad') : frame('ledger').length ? 'The books balance: every message is accounted for. ' : 'No file has landed. ',
    all ? [' Of ', strong(plural(all, 'check')), ', ', tone(String(totals.error), totals.error ? 'bad' : 'plain'), ' in error', hurt.length ? ` (${hurt.join(', ')})` : '', ', ', strong(String(totals.warn)), ' warn, ', strong(String(totals.unknown)), ' unknown.'] : '',
  ].flat();
};
CARDS.health = (state) => {
  const totals = checkTotals(state);
  const span = period(state);
  const all = totals.ok + totals.warn + totals.error + totals.unknown;
  const missed = (part) => { const rows = during(onPlatform(state, frame('silence')), part).filter((row) => !row.is_unknown); return rows.length ? sum(rows, 'missed') : null; };
  const refused = sum(ROWS.quarantine(state).table, 'messages');
  return [
    { title: 'Checks that hold', value: over(totals.ok, all), format: 'rate', place: 'quality.checks.status', below: `${show(totals.ok, 'count')} of ${show(all, 'count')}; unknown is not a pass` },
    { title: 'Unaccounted messages', value: frame('ledger').length ? sum(frame('ledger'), 'unaccounted') : null, format: 'count', place: 'quality.ledger.balance', below: 'of all days; must be 0' },
    { title: 'Missed in silence', value: missed(span), before: span.before ? missed(span.before) : null, better: -1, format: 'count', place: 'quality.silence.missed', below: 'messages the baseline expected' },
    { title: 'Refused', value: refused, format: 'count', place: 'quality.quarantine.reason', below: 'in quarantine, kept whole' },
  ].map((one) => ({ ...one, span }));
};
