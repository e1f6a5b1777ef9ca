// Features and experiments.
const featureWeeks = () => {
  const span = period();
  return frame('features').filter((row) => hasData && row.week_date + 6 >= span.start && row.week_date <= span.end);
};
// Weeks that the data covers whole can be compared; with fewer than two of them, parts are shown and said to be parts.
const comparedWeeks = () => {
  const weeks = (rows) => distinct(rows, 'week_date').sort((one, other) => one - other);
  const whole = weeks(featureWeeks().filter((row) => row.is_complete));
  return whole.length > 1 ? { weeks: whole, isWhole: true } : { weeks: weeks(featureWeeks()), isWhole: false };
};
ROWS.adoption = () => {
  const { weeks, isWhole } = comparedWeeks();
  const [first, last] = [weeks[0], weeks[weeks.length - 1]];
  const made = grouped(featureWeeks(), 'feature').map((same) => {
    const at = new Map(same.map((row) => [row.week_date, row]));
    const rate = (week) => (at.has(week) ? at.get(week).adoption_rate : null);
    const before = first === last || !isWhole ? null : rate(first);
    const now = rate(last);
    return { feature: same[0].feature, before, now, change: isKnown(before) && isKnown(now) ? now - before : null, users: at.has(last) ? at.get(last).user_count : null, uses_per_user: at.has(last) ? at.get(last).uses_per_user : null };
  }).sort((one, other) => (other.now || 0) - (one.now || 0));
  const most = Math.max(...made.flatMap((row) => [row.before || 0, row.now || 0]), 0.01);
  const notes = weeks.length ? [`${first === last ? `Week of ${asDay(first)}` : `Weeks of ${asDay(first)} and ${asDay(last)}`}${isWhole ? '' : '; not all of their days have data, so they are not compared'}.`] : [];
  return { table: made.map((row) => ({ ...row, span: { low: Math.min(row.before ?? row.now, row.now ?? row.before), high: Math.max(row.before ?? row.now, row.now ?? row.before), value: row.now, tick: row.before, max: most } })), notes };
};
ROWS.retention = () => {
  // The users of the week before: those who came back, by the share that they are.
  const made = grouped(featureWeeks(), 'feature').map((same) => {
    const weeks = same.filter((row) => isKnown(row.retention_rate));
    const at = new Map(frame('features').filter((row) => row.feature === same[0].feature).map((row) => [row.week_date, row]));
    const users_before = weeks.reduce((total, row) => total + (at.has(row.week_date - 7) ? at.get(row.week_date - 7).user_count : 0), 0);
    const returning = sum(weeks, 'returning_users');
    return { feature: same[0].feature, users_before, returning, retention_rate: over(returning, users_before), said: { retention_rate: show(over(returning, users_before), 'rate') } };
  }).filter((row) => row.users_before).sort((one, other) => (other.retention_rate || 0) - (one.retention_rate || 0));
  return { table: made, notes: featureWeeks().some((row) => !row.is_complete) ? ['The weeks at the ends are not whole: people may still come back.'] : [] };
};
const PRIMARY = ['conversion_rate', 'revenue_per_visitor', 'orders_per_visitor'];
const decision = (row) => {
  if (row.verdict === 'sample ratio mismatch' || (isKnown(row.srm_p_value) && row.srm_p_value < 0.001)) return 'invalid';
  return ['higher', 'lower', 'undecided'].includes(row.verdict) ? row.verdict : 'unknown';
};
const DECISIONS = { higher: ['better: may be shipped', 'ok', 'good'], lower: ['worse: stop', 'error', 'bad'], undecided: ['keep running', 'plain', 'plain'], invalid: ['invalid: mend the assignment', 'warn', 'warn'], unknown: [UNKNOWN, 'unknown', 'few'] };
const experimentRows = () => frame('experiments').map((row) => ({ ...row, decision: decision(row), name: named(row.experiment, row.variant) }));
ROWS.lift = (_state, by) => {
  const rows = experimentRows().filter((row) => row.metric === by);
  const most = Math.min(1, Math.max(0.02, ...rows.flatMap((row) => [Math.abs(row.low || 0), Math.abs(row.high || 0)])));
  return { table: rows.map((row) => ({ ...row, span: isKnown(row.low) ? { low: row.low, high: row.high, value: row.lift, min: -most, max: most, tick: 0, tone: DECISIONS[row.decision][2] } : null, without: UNKNOWN })), notes: [`The scale ends at ±${asRate(most)}.`] };
};
CHOICES_OF.lift = () => {
  const metrics = distinct(frame('experiments'), 'metric').sort((one, other) => (PRIMARY.indexOf(one) + 9) % 9 - (PRIMARY.indexOf(other) + 9) % 9);
  return Object.fromEntries(metrics.map((metric) => [metric, metric.replaceAll('_', ' ')]));
};
const liftWords = (row) => (isKnown(row.lift) ? `${show(row.lift, 'change')} (${show(row.low, 'change')} to ${show(row.high, 'change')})` : UNKNOWN);
ROWS.decisions = () => ({
  table: experimentRows().filter((row) => PRIMARY.includes(row.metric)).map((row) => ({
    ...row,
    people: `${show(row.control_visitors, 'count')} / ${show(row.visitors, 'count')}`,
    interval: liftWords(row),
    srm: !isKnown(row.srm_p_value) ? UNKNOWN : row.srm_p_value < 0.001 ? `broken, p = ${row.srm_p_value.toPrecision(2)}${row.srm_stage ? `, since ${row.srm_stage}` : ''}`
      : row.has_multiple_exposures ? `${asRate(row.multiple_exposure_share)} saw several variants` : `ok, p = ${row.srm_p_value.toPrecision(2)}`,
    tone: DECISIONS[row.decision][1],
    decision: DECISIONS[row.decision][0],
  })),
});
const GUARDS = { safe: ['safe', 'ok'], harmed: ['harmed: stop', 'error'], undecided: ['keep running', 'plain'], unknown: [UNKNOWN, 'unknown'] };
const ofNeeded = (now, needed) => `${isKnown(now) ? show(now, 'count') : UNKNOWN}${isKnown(needed) ? ` of ${show(Math.ceil(needed), 'count')}` : ''}`;
// A broken split says nothing of a guardrail either.
const guardOf = (row) => (row.role !== 'guardrail' ? ['', 'plain'] : row.decision === 'invalid' ? DECISIONS.invalid : GUARDS[row.guardrail] || GUARDS.unknown);
ROWS.planned = () => ({
  table: experimentRows().filter((row) => PRIMARY.includes(row.metric) || isKnown(row.role)).map((row) => {
    const [guard, kind] = guardOf(row);
    return {
      ...row,
      metric: row.metric.replaceAll('_', ' '),
      role: row.role || 'not declared',
      duration: ofNeeded(isKnown(row.duration_days) ? Math.floor(row.duration_days) : null, row.days_needed),
      people: ofNeeded(isKnown(row.control_visitors) ? row.visitors + row.control_visitors : null, row.visitors_needed),
      guard,
      tone: kind,
    };
  }),
});
HEADLINES.features = () => {
  const rows = ROWS.adoption().table;
  const { weeks, isWhole } = comparedWeeks();
  const experiments = grouped(experimentRows().filter((row) => PRIMARY.includes(row.metric)), 'experiment').map((same) => same.map((row) => row.decision));
  const count = (test) => experiments.filter(test).length;
  const invalid = count((all) => all.includes('invalid'));
  const clear = count((all) => !all.includes('invalid') && (all.includes('higher') || all.includes('lower')));
  const risen = isWhole && rows.filter((row) => isKnown(row.change) && row.users >= 50).sort((one, other) => Math.abs(other.change) - Math.abs(one.change))[0];
  return { main: [
    ...(rows.length && isKnown(rows[0].now) ? [strong(rows[0].feature), ' is the most used feature: ', strong(asRate(rows[0].now)), ` of the people active in the week of ${asDay(weeks[weeks.length - 1])}.`] : ['No feature was used ', inWords(period()), '.']),
    ...(risen ? [' ', strong(risen.feature), ' moved most: ', strong(show(risen.change, 'points')), '.'] : []),
    ...(experiments.length ? [' Of ', strong(plural(experiments.length, 'experiment')), ', ', strong(clear ? String(clear) : 'none'), clear > 1 ? ' have' : ' has', ' a clear result', ...(invalid ? [' and ', tone(String(invalid), 'bad'), ' cannot be believed: the split is broken'] : []), '.'] : [' No experiment has been seen.']),
  ], aside: ['Of all visits, not filtered. ', measuredWords(totals({}, period()))] };
};
STRIPS.features = () => null;
