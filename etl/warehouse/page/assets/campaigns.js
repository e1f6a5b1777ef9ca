// Campaigns: visits, spend and credits added up, and what may be said of a return.
const UNATTRIBUTED = '(unattributed)';
const KEY = ['channel', 'source', 'medium', 'campaign'];
const keyOf = (row) => JSON.stringify(KEY.map((name) => row[name]));
const inChannel = (rows) => (state.filters.channel ? rows.filter((row) => state.filters.channel.includes(row.channel)) : rows);
const credited = (span, model = state.model) => during(inChannel(frame('credits')), span).filter((row) => row.model === model);

// How much larger the scatter of money is than that of its orders: the mean square over the square of the mean.
const lumpsOf = (() => { let kept; return () => (kept ??= (() => { const all = added(frame('cube')); return over(all.orders * all.squared_revenue, all.revenue ** 2) ?? 1; })()); })();
const returnLimits = (revenue, orders, cost, z = Z) => {
  if (!cost || orders < FEW || !revenue) return null;
  const spread = Math.exp(z * Math.sqrt(lumpsOf() / orders));
  return { low: revenue / cost / spread, high: (revenue / cost) * spread };
};
const campaignsOf = (span, model = state.model) => {
  const found = new Map();
  const at = (row) => {
    const key = keyOf(row);
    if (!found.has(key)) found.set(key, { ...Object.fromEntries(KEY.map((name) => [name, row[name]])), key, sessions: 0, clicks: null, cost: null, isCostComplete: true, conversions: 0, revenue: 0 });
    return found.get(key);
  };
  for (const row of during(inChannel(frame('performance')), span)) {
    const entry = at(row);
    entry.sessions += row.sessions || 0;
    if (isKnown(row.clicks)) entry.clicks = (entry.clicks || 0) + row.clicks;
    if (isKnown(row.cost)) entry.cost = (entry.cost || 0) + row.cost;
    entry.isCostComplete = entry.isCostComplete && row.is_cost_complete;
  }
  for (const row of credited(span, model)) {
    const entry = at(row);
    entry.conversions += row.conversions;
    entry.revenue += row.revenue;
  }
  return [...found.values()].map((row) => {
    const isPaid = Boolean(row.cost) || !row.isCostComplete;
    const cost = row.isCostComplete ? row.cost : null;
    return { ...row, isPaid, cost: isPaid ? cost : NONE, name: row.campaign ?? row.source ?? '(none)', under: row.campaign === null ? null : row.source, short: row.campaign ?? row.source ?? '', roas: isPaid ? over(row.revenue, cost) : NONE, cpa: isPaid && row.conversions >= 0.5 ? over(cost, row.conversions) : NONE };
  }).sort((one, other) => (other.cost || 0) - (one.cost || 0) || other.revenue - one.revenue || other.sessions - one.sessions);
};
const spendOf = (span, model = state.model) => {
  if (!span) return null;
  const rows = campaignsOf(span, model);
  const paid = rows.filter((row) => row.isPaid);
  const isWhole = paid.every((row) => row.isCostComplete);
  const clicked = paid.filter((row) => row.clicks);
  const all = { revenue: sum(paid, 'revenue'), conversions: sum(paid, 'conversions'), cost: isWhole ? sum(paid, 'cost') : null };
  return { rows, paid, ...all, roas: over(all.revenue, all.cost), cpa: all.conversions >= 0.5 ? over(all.cost, all.conversions) : null,
    arrival: over(sum(clicked, 'sessions'), sum(clicked, 'clicks')), unattributed: over(sum(rows.filter((row) => row.channel === UNATTRIBUTED), 'conversions'), sum(rows, 'conversions')) };
};
// What the visits of a period earned, of what such visits usually come to earn; unknown where that of any day is.
const maturityOf = (span) => {
  const earned = credited(span).filter((row) => row.revenue && row.channel !== UNATTRIBUTED);
  if (!earned.length || !earned.every((row) => isKnown(row.maturity) && row.maturity > 0)) return null;
  return over(sum(earned, 'revenue'), earned.reduce((total, row) => total + row.revenue / row.maturity, 0));
};
// A figure of paid campaigns: orders are what chance deals in; spend is an invoice and has none.
const PAID = {
  roas: { title: 'Return on ad spend', format: 'times', good: 1, cases: 'conversions', value: (of) => of.roas ?? (of.paid.length ? null : NONE), variance: (of) => lumpsOf() / of.conversions, place: 'marketing.channel_performance.return_on_ad_spend' },
  revenue: { title: 'Revenue by paid ads', format: 'money', good: 1, cases: 'conversions', value: (of) => of.revenue, variance: (of) => lumpsOf() / of.conversions, place: 'marketing.channel_performance.revenue' },
  conversions: { title: 'Orders by paid ads', format: 'number', good: 1, cases: 'conversions', value: (of) => of.conversions, variance: (of) => 1 / of.conversions, place: 'marketing.channel_performance.conversions' },
  cpa: { title: 'Cost per order', format: 'money', good: -1, cases: 'conversions', value: (of) => of.cpa ?? NONE, variance: (of) => 1 / of.conversions, place: 'marketing.channel_performance.cost_per_acquisition' },
};
const paidFigure = (name, now, before, span, more = {}) => {
  const measure = PAID[name];
  const value = measure.value(now);
  const made = plainFigure(measure.title, value, measure.format, { place: measure.place, good: measure.good, cases: now.conversions, reason: span.reason ? 'not compared' : '', ...more });
  if (made.state === 'known' && before) { made.change = changeOf(measure, now, before); if (made.change.isMoved) made.state = 'moved'; }
  if (made.state === 'none') made.reason = now.paid.length ? 'no order yet' : 'no ad spend was sent';
  return made;
};
