// Features and experiments.
const featureWeeks = (state) => {
  const span = period(state);
  return frame('features').filter((row) => hasData && row.week_date + 6 >= span.start && row.week_date <= span.end);
};
// Weeks that the data covers whole can be compared; with fewer than two of them, parts are shown and said to be parts.
const comparedWeeks = (state) => {
  const weeks = (rows) => distinct(rows, 'week_date').sort((one, other) => one - other);
  const whole = weeks(featureWeeks(state).filter((row) => row.is_complete));
  return whole.length > 1 ? { weeks: whole, isWhole: true } : { weeks: weeks(featureWeeks(state)), isWhole: false };
};
ROWS.adoption = (state) => {
  const { weeks, isWhole } = comparedWeeks(state);
  const first = weeks[0];
  const last = weeks[weeks.length - 1];
  const table = grouped(featureWeeks(state), 'feature').map((same) => {
    const at = new Map(same.map((row) => [row.week_date, row]));
    const rate = (week) => (at.has(week) ? at.get(week).adoption_rate : null);
    const before = first === last ? null : rate(first);
    const now = rate(last);
    return { feature: same[0].feature, before, now, change: isKnown(before) && isKnown(now) ? now - before : null, users: at.has(last) ? at.get(last).user_count : null, uses_per_user: at.has(last) ? at.get(last).uses_per_user : null };
  }).sort((one, other) => (other.now || 0) - (one.now || 0));
  const chart = table.slice(0, 15).flatMap((row) => {
    const ends = [row.before, row.now].filter(isKnown);
    const dot = (when, value) => (isKnown(value) ? [{ feature: row.feature, when, value, tip: `${row.feature}, ${when}: ${asRate(value)}` }] : []);
    return [...(ends.length ? [{ feature: row.feature, low: Math.min(...ends), high: Math.max(...ends) }] : []), ...dot('first week', row.before), ...dot('last week', row.now)];
  });
  const notes = weeks.length ? [`${first === last ? `Week of ${asDay(first)}` : `Weeks of ${asDay(first)} and ${asDay(last)}`}${isWhole ? '' : '; not all of their days have data, so they compare badly'}.`] : [];
  return { table, chart, notes };
};
ROWS.retention = (state) => {
  // The users of the week before: those who came back, by the share that they are.
  const table = grouped(featureWeeks(state), 'feature').map((same) => {
    const weeks = same.filter((row) => isKnown(row.retention_rate));
    const at = new Map(frame('features').filter((row) => row.feature === same[0].feature).map((row) => [row.week_date, row]));
    const users_before = weeks.reduce((total, row) => total + (at.has(row.week_date - 7) ? at.get(row.week_date - 7).user_count : 0), 0);
    const returning = sum(weeks, 'returning_users');
    return { feature: same[0].feature, users_before, returning, retention_rate: over(returning, users_before) };
  }).sort((one, other) => (other.retention_rate || 0) - (one.retention_rate || 0));
  const chart = table.filter((row) => isKnown(row.retention_rate)).slice(0, 15).map((row) => ({ ...row, tip: `${row.feature}: ${show(row.returning, 'count')} of ${show(row.users_before, 'count')}` }));
  return { table, chart, notes: featureWeeks(state).some((row) => !row.is_complete) ? ['The weeks at the ends are not whole: people may still come back.'] : [] };
};
const PRIMARY = ['conversion_rate', 'revenue_per_visitor', 'orders_per_visitor'];
const decision = (row) => {
  if (row.verdict === 'sample ratio mismatch' || (isKnown(row.srm_p_value) && row.srm_p_value < 0.001)) return 'invalid';
  return row.verdict === 'higher' || row.verdict === 'lower' || row.verdict === 'undecided' ? row.verdict : 'unknown';
};
const DECISIONS = { higher: ['better: may be shipped', 'ok'], lower: ['worse: stop', 'error'], undecided: ['keep running', 'plain'], invalid: ['invalid: mend the assignment', 'warn'], unknown: [UNKNOWN, 'unknown'] };
const experimentRows = () => frame('experiments').map((row) => ({ ...row, decision: decision(row), name: named(row.experiment, row.variant) }));
ROWS.lift = (_state, by) => {
  const table = experimentRows().filter((row) => row.metric === by);
  return { table, chart: table.slice(0, 20).map((row) => ({ ...row, tip: `${row.name}: ${show(row.lift, 'change')} (${show(row.low, 'change')} to ${show(row.high, 'change')})` })) };
};
CHOICES_OF.lift = () => {
  const metrics = distinct(frame('experiments'), 'metric').sort((one, other) => (PRIMARY.indexOf(one) + 9) % 9 - (PRIMARY.indexOf(other) + 9) % 9);
  return Object.fromEntries(metrics.map((metric) => [metric, metric.replaceAll('_', ' ')]));
};
ROWS.decisions = () => ({
  table: experimentRows().filter((row) => PRIMARY.includes(row.metric)).map((row) => ({
    ...row,
    people: `${show(row.control_visitors, 'count')} / ${show(row.visitors, 'count')}`,
    interval: isKnown(row.lift) ? `${show(row.lift, 'change')} (${show(row.low, 'change')} to ${show(row.high, 'change')})` : UNKNOWN,
    srm: !isKnown(row.srm_p_value) ? UNKNOWN : row.srm_p_value < 0.001 ? `broken, p = ${row.srm_p_value.toPrecision(2)}${row.srm_stage ? `, since ${row.srm_stage}` : ''}`
      : row.has_multiple_exposures ? `${asRate(row.multiple_exposure_share)} saw several variants` : `ok, p = ${row.srm_p_value.toPrecision(2)}`,
    tone: DECISIONS[row.decision][1],
    decision: DECISIONS[row.decision][0],
  })),
});
HEADLINES.features = (state) => {
  const rows = ROWS.adoption(state).table;
  const { weeks, isWhole } = comparedWeeks(state);
  const experiments = new Map(experimentRows().filter((row) => PRIMARY.includes(row.metric)).map((row) => [row.experiment, []]));
  experimentRows().filter((row) => PRIMARY.includes(row.metric)).forEach((row) => experiments.get(row.experiment).push(row.decision));
  const count = (test) => [...experiments.values()].filter(test).length;
  const invalid = count((all) => all.includes('invalid'));
  const clear = count((all) => !all.includes('invalid') && (all.includes('higher') || all.includes('lower')));
  const risen = isWhole && rows.filter((row) => isKnown(row.change)).sort((one, other) => Math.abs(other.change) - Math.abs(one.change))[0];
  return [
    rows.length && isKnown(rows[0].now) ? [strong(rows[0].feature), ' is the most used feature: ', strong(asRate(rows[0].now)), ` of the people active in the week of ${asDay(weeks[weeks.length - 1])}.`] : ['No feature was used ', inWords(period(state)), '.'],
    risen ? [' ', strong(risen.feature), ' moved most: ', strong(show(risen.change, 'points')), '.'] : '',
    experiments.size ? [' Of ', strong(plural(experiments.size, 'experiment')), ', ', strong(String(clear)), clear === 1 ? ' has' : ' have', ' a clear result', invalid ? [' and ', tone(String(invalid), 'bad'), ' cannot be believed: the split is broken'] : '', '.'] : ' No experiment has been seen.',
    measuredWords(completenessOf({ ...state, platform: 'all', country: 'all', channel: 'all' })),
  ].flat(2);
};
CARDS.features = () => [];
