// Marketing.
const inChannel = (state, rows) => (state.channel === 'all' ? rows : rows.filter((row) => row.channel === state.channel));
const KEY = ['channel', 'source', 'medium', 'campaign'];
const credited = (state, span, model = state.model) => during(inChannel(state, frame('credits')), span).filter((row) => row.model === model);
const keyOf = (row) => JSON.stringify(KEY.map((name) => row[name]));
const UNATTRIBUTED = '(unattributed)';

const campaignRows = (state, span) => {
  const found = new Map();
  const at = (row) => {
    const key = keyOf(row);
    if (!found.has(key)) {
      found.set(key, { ...Object.fromEntries(KEY.map((name) => [name, row[name]])), sessions: 0, clicks: null, cost: null, isCostComplete: true, conversions: 0, revenue: 0, weeks: new Map() });
    }
    return found.get(key);
  };
  const week = (row, entry) => {
    const number = Math.floor((meta.last_day - row.date) / 7);
    if (!entry.weeks.has(number)) entry.weeks.set(number, { cost: 0, revenue: 0 });
    return entry.weeks.get(number);
  };
  for (const row of during(inChannel(state, frame('performance')), span)) {
    const entry = at(row);
    entry.sessions += row.sessions || 0;
    if (isKnown(row.clicks)) entry.clicks = (entry.clicks || 0) + row.clicks;
    if (isKnown(row.cost)) entry.cost = (entry.cost || 0) + row.cost;
    entry.isCostComplete = entry.isCostComplete && row.is_cost_complete;
  }
  for (const row of credited(state, span)) {
    const entry = at(row);
    entry.conversions += row.conversions;
    entry.revenue += row.revenue;
  }
  // The trend is of all days shown: a week has one point, and one point is no trend.
  const shown = { start: firstShown, end: meta.last_day };
  for (const row of during(inChannel(state, frame('performance')), shown)) if (row.cost && found.has(keyOf(row))) week(row, at(row)).cost += row.cost;
  for (const row of credited(state, shown)) if (found.has(keyOf(row))) week(row, at(row)).revenue += row.revenue;
  const lastWeek = Math.floor((daysShown - 1) / 7);
  return [...found.values()].map((row) => {
    const cost = row.cost || 0;
    const whole = row.isCostComplete ? cost : null;
    const trend = Array.from({ length: lastWeek + 1 }, (_, index) => row.weeks.get(lastWeek - index)).map((one) => (one ? over(one.revenue, one.cost) : null));
    return { ...row, cost: row.isCostComplete ? cost : null, name: named(row.source, row.campaign), cpa: !cost || !row.conversions ? NONE : over(whole, row.conversions), roas: cost ? over(row.revenue, whole) : NONE, trend };
  }).sort((one, other) => (other.cost || 0) - (one.cost || 0) || other.revenue - one.revenue || other.sessions - one.sessions);
};
const spendTotals = (state, span) => {
  if (!span) return {};
  const rows = campaignRows(state, span);
  const paid = rows.filter((row) => row.cost);
  const isWhole = rows.every((row) => row.isCostComplete);
  const cost = isWhole ? sum(rows, 'cost') : null;
  const all = sum(rows, 'revenue');
  const lost = sum(rows.filter((row) => row.channel === UNATTRIBUTED), 'revenue');
  const clicked = paid.filter((row) => isKnown(row.clicks));
  return { rows, paid, cost, revenue: sum(paid, 'revenue'), conversions: sum(paid, 'conversions'), all,
    roas: over(sum(paid, 'revenue'), cost), cpa: cost ? over(cost, sum(paid, 'conversions')) : null, unattributed: over(lost, all),
    arrival: over(sum(clicked, 'sessions'), sum(clicked, 'clicks')) };
};
// What the visits of a period earned, of what such visits usually come to earn; unknown where that of any day is.
const maturityOf = (state, span) => {
  const earned = credited(state, span).filter((row) => row.revenue && row.channel !== UNATTRIBUTED);
  if (!earned.length || !earned.every((row) => isKnown(row.maturity) && row.maturity > 0)) return null;
  return over(sum(earned, 'revenue'), earned.reduce((total, row) => total + row.revenue / row.maturity, 0));
};
const maturityWords = (state, span) => {
  const share = maturityOf(state, span);
  if (!isKnown(share)) return [' Visits of the last days may still earn; how much is ', strong(UNKNOWN), '.'];
  return share < 0.995 ? [' Of what these visits will earn ', strong(asRate(share)), ' has usually come by now.'] : [];
};
HEADLINES.marketing = (state) => {
  const span = period(state);
  const now = spendTotals(state, span);
  const before = span.before ? spendTotals(state, span.before) : {};
  const words = state.model.replaceAll('_', ' ');
  if (!now.paid.length) return ['No spend is known ', inWords(span), state.channel === 'all' ? '' : ` for ${state.channel}`, ': returns are ', strong(UNKNOWN), '. The visits are counted all the same.'];
  const moved = span.before && change(now.roas, before.roas);
  const wasted = now.paid.filter((row) => !row.sessions);
  return [
    'Ads cost ', strong(show(now.cost, 'money')), ` ${inWords(span)} and brought `, strong(show(now.revenue, 'money')), ` back by ${words}: `,
    strong(show(now.roas, 'times')), isKnown(moved) ? [', ', changeWords(moved), ' on the period before'] : '', '.',
    maturityWords(state, span),
    wasted.length ? [' ', tone(`${plural(wasted.length, 'paid campaign')} worth ${asMoney(sum(wasted, 'cost'))}`, 'bad'), ' brought no visit we could recognise.'] : '',
    measuredWords(completenessOf({ ...state, platform: 'all', country: 'all' })),
  ].flat();
};
CARDS.marketing = (state) => {
  const span = period(state);
  const now = spendTotals(state, span);
  const before = spendTotals(state, span.before);
  const known = completenessOf({ ...state, platform: 'all', country: 'all' });
  const whole = isKnown(known) ? `completeness ${asRate(known)}` : 'completeness unknown';
  const mart = 'marketing.channel_performance';
  return [
    { title: 'Spend', value: now.paid.length ? now.cost : null, before: before.cost, format: 'money', better: 0, place: `${mart}.cost`, below: 'as the ad platforms invoice it' },
    { title: 'Revenue of paid campaigns', value: now.paid.length ? now.revenue : null, before: before.revenue, format: 'money', place: `${mart}.revenue`, below: whole },
    { title: 'Return on ad spend', value: now.roas, before: before.roas, format: 'times', place: `${mart}.return_on_ad_spend`, below: whole },
    { title: 'Cost per order', value: now.cpa, before: before.cpa, format: 'money', better: -1, place: `${mart}.cost_per_acquisition`, below: whole },
    { title: 'Sessions per click', value: now.arrival, before: before.arrival, format: 'rate', isPoints: true, place: `${mart}.clicks`, below: "our sessions to the ad platforms' clicks" },
    { title: 'Unattributed revenue', value: now.unattributed, before: before.unattributed, format: 'rate', better: -1, isPoints: true, place: `${mart}.channel`, below: 'orders without a visit before them' },
  ].map((one) => ({ ...one, span }));
};
ROWS.models_disagree = (state) => {
  const rows = during(inChannel(state, frame('credits')), period(state));
  const table = grouped(rows, 'channel', 'model').map((same) => ({ channel: same[0].channel, model: same[0].model, revenue: sum(same, 'revenue'), conversions: sum(same, 'conversions') }));
  const channels = grouped(table, 'channel').map((same) => ({ channel: same[0].channel, low: Math.min(...same.map((row) => row.revenue)), high: Math.max(...same.map((row) => row.revenue)) }))
    .sort((one, other) => other.high - one.high);
  const order = new Map(channels.map((row, index) => [row.channel, index]));
  table.sort((one, other) => order.get(one.channel) - order.get(other.channel) || one.model.localeCompare(other.model));
  return { table, chart: [...channels, ...table.map((row) => ({ ...row, tip: `${row.channel}, ${row.model}: ${asMoney(row.revenue)}` }))] };
};
ROWS.campaigns = (state) => ({ table: campaignRows(state, period(state)).filter((row) => row.campaign !== null || row.cost) });
ROWS.blind_campaigns = (state) => {
  const rows = during(inChannel(state, frame('blind')), period(state));
  const table = grouped(rows, ...KEY).map((same) => {
    const [sessions, lost, hits] = ['sessions', 'lost_visits', 'pixel_hits'].map((name) => sum(same, name));
    return { ...same[0], sessions, lost_visits: lost, pixel_hits: hits, blind_share: over(lost, sessions + lost), loss_rate: over(sum(same, 'only_pixel'), hits) };
  }).filter((row) => row.pixel_hits > 0).sort((one, other) => other.lost_visits - one.lost_visits || other.pixel_hits - one.pixel_hits);
  return { table };
};
ROWS.spend_return = (state) => {
  const table = campaignRows(state, period(state)).filter((row) => row.cost > 0 && row.revenue > 0);
  if (!table.length) return { table };
  const low = Math.min(...table.map((row) => row.cost)) / 1.6;
  const high = Math.max(...table.map((row) => row.cost)) * 1.6;
  const lines = [1, 3, 10].flatMap((roas) => [
    { line_cost: low, line_revenue: low * roas, line_roas: roas },
    { line_cost: high, line_revenue: high * roas, line_roas: roas, line_words: `${roas}×` },
  ]);
  // Names where there is room for them; the others have theirs in the tooltip and the table.
  const taken = [];
  const dots = table.map((row) => {
    const place = [Math.log(row.cost / low) / Math.log(high / low), Math.log10(row.revenue)];
    const isFree = taken.length < 8 && taken.every(([x, y]) => Math.abs(x - place[0]) > 0.22 || Math.abs(y - place[1]) > 0.22);
    if (isFree) taken.push(place);
    return { ...row, trend: null, weeks: null, is_dot: true, label: isFree ? row.campaign || row.source : null, tip: `${row.name}: ${asMoney(row.cost)} → ${asMoney(row.revenue)}, ${show(row.roas, 'times')}` };
  });
  return { table, chart: [...lines, ...dots] };
};
ROWS.marginal = (state) => {
  const span = period(state);
  const half = Math.floor(span.length / 2);
  if (half < 3) return { table: [] };
  const first = { start: span.start, end: span.start + half - 1, length: half };
  const second = { start: span.end - half + 1, end: span.end, length: half };
  const before = new Map(campaignRows(state, first).map((row) => [keyOf(row), row]));
  const table = campaignRows(state, second).flatMap((row) => {
    const past = before.get(keyOf(row));
    if (!past || !past.cost || !row.cost || Math.abs(row.cost / past.cost - 1) < 0.2) return [];
    const extra = row.cost - past.cost;
    return [{ ...row, trend: null, weeks: null, cost_before: past.cost / half, cost_after: row.cost / half, revenue_before: past.revenue / half, revenue_after: row.revenue / half, marginal: (row.revenue - past.revenue) / extra }];
  }).sort((one, other) => Math.abs(other.cost_after - other.cost_before) - Math.abs(one.cost_after - one.cost_before));
  const chart = table.slice(0, 12).map((row) => ({ ...row, tip: `${row.name}: spend ${asMoney(row.cost_before)} → ${asMoney(row.cost_after)} a day, revenue ${asMoney(row.revenue_before)} → ${asMoney(row.revenue_after)}` }));
  return { table, chart, notes: table.length ? ['A bar left of one: the change of spend moved revenue by less than itself. Few orders make wild bars.'] : [] };
};
ROWS.clicks_sessions = (state) => {
  const table = campaignRows(state, period(state)).filter((row) => row.clicks).map((row) => ({ ...row, share: over(row.sessions, row.clicks) }));
  const chart = table.slice(0, 12).flatMap((row) => [['clicks (theirs)', row.clicks], ['sessions (ours)', row.sessions]].map(([who, value]) => ({ name: row.name, who, value, tip: `${row.name}: ${who} ${show(value, 'count')}` })));
  return { table, chart };
};
