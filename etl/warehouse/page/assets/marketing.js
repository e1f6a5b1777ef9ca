// Marketing.
HEADLINES.marketing = () => {
  const span = period();
  const [now, before] = [spendOf(span), spendOf(span.before)];
  const share = maturityOf(span);
  const unseen = now.paid.filter((row) => row.clicks > 20 && !row.sessions);
  const aside = [`By the model “${MODELS[state.model].toLowerCase()}”; revenue counts on the day of the visit that earned it. `,
    isKnown(share) ? (share < 0.995 ? `About ${asRate(share)} of what these visits will earn has usually come by now. ` : '') : 'Visits of the last days may still earn; how much is unknown. ',
    unseen.length ? [tone(unseen.map((row) => row.name).slice(0, 3).join(', '), 'warn'), ` cost ${asMoney(sum(unseen, 'cost'))} and no visit carries ${unseen.length === 1 ? 'its name' : 'their names'}. `] : ''];
  if (!now.cost && !now.paid.length) return { main: ['No spend is known', filterWords(filtersOf()), ` ${inWords(span)}: `, strong(`${asMoney(sum(now.rows, 'revenue'))} of orders`), ' came from what was not paid for.'], aside };
  const moved = movedWords(paidFigure('roas', now, before, span), beforeWords(span));
  return { main: [strong(show(now.cost, 'money')), ' of ads', filterWords(filtersOf()), ' brought ', strong(asMoney(now.revenue)), ` ${inWords(span)}: `, strong(show(now.roas, 'times')), ...(moved ? [', ', ...moved] : []), '.',
    now.conversions < FEW ? ` ${now.conversions < 0.5 ? 'No order' : plural(Math.round(now.conversions), 'order')}: too few to decide by.` : ''], aside };
};
// What was spent of each day, and what paid campaigns earned of it; unknown where a cost has no rate.
const paidDays = (span, paid) => {
  const keys = new Set(paid.map((row) => row.key));
  const spent = new Map(grouped(during(inChannel(frame('performance')), span), 'date').map((same) => [same[0].date, same.every((row) => row.is_cost_complete) ? sum(same, 'cost') : null]));
  const earned = new Map(grouped(credited(span).filter((row) => keys.has(keyOf(row))), 'date').map((same) => [same[0].date, { revenue: sum(same, 'revenue'), conversions: sum(same, 'conversions') }]));
  return { cost: smallDays(span, (day) => (spent.has(day) ? spent.get(day) : 0)), revenue: smallDays(span, (day) => (earned.get(day) || { revenue: 0 }).revenue), conversions: smallDays(span, (day) => (earned.get(day) || { conversions: 0 }).conversions) };
};
STRIPS.marketing = () => {
  const span = period();
  const [now, before] = [spendOf(span), spendOf(span.before)];
  const daily = paidDays(span, now.paid);
  const share = maturityOf(span);
  const limits = returnLimits(now.revenue, now.conversions, now.cost);
  const maturing = isKnown(share) && share < 0.995 ? { state: 'maturing', below: `about ${asRate(share)} has arrived` } : { below: limits ? `${show(limits.low, 'times')} – ${show(limits.high, 'times')} by chance` : '' };
  const roas = paidFigure('roas', now, before, span);
  const spend = plainFigure('Spend', now.paid.length ? now.cost : NONE, 'money', { days: now.paid.length ? daily.cost : null, place: 'marketing.channel_performance.cost', reason: now.paid.length ? (before && before.cost ? `${asMoney(before.cost)} before, ${show(now.cost / before.cost - 1, 'change')}` : isKnown(now.cost) ? '' : 'a currency has no rate') : 'no ad spend was sent' });
  const new_ = newOf(span);
  const customer = plainFigure('Cost per new customer', new_.persons >= FEW && new_.cost ? over(new_.cost, new_.persons) : NONE, 'money', { place: 'marketing.new_customers.cost_per_customer', reason: !new_.cost ? 'no ad spend was sent' : new_.persons < FEW ? `${plural(new_.persons, 'new customer')}: too few` : '', below: new_.words });
  return strip([{ ...roas, ...(roas.state === 'known' ? maturing : { below: maturing.below }) }, spend, { ...paidFigure('revenue', now, before, span), days: daily.revenue }, { ...paidFigure('conversions', now, before, span), days: daily.conversions }, paidFigure('cpa', now, before, span), customer]);
};
const monthsOf = (span) => { const made = []; for (let at = monthStart(span.start); at <= span.end; at = monthStart(at, -1)) made.push(at); return made; };
const inMonths = (name, span = period()) => { const months = new Set(monthsOf(span)); return inChannel(frame(name)).filter((row) => months.has(row.month)); };
const monthWords = (span = period()) => { const months = monthsOf(span).map((at) => MONTH.format(new Date(at * DAY))); return months.length > 1 ? `${months[0]} to ${months[months.length - 1]}, whole months` : `${months[0]}, the whole month`; };
const newOf = (span) => { const paid = inMonths('new_customers', span).filter((row) => row.cost > 0 || !row.is_cost_complete); return { persons: sum(paid, 'persons'), cost: paid.every((row) => row.is_cost_complete) ? sum(paid, 'cost') : null, words: monthWords(span) }; };

ROWS.campaigns = () => {
  const span = period();
  const by = new Map(Object.keys(MODELS).map((model) => [model, new Map(campaignsOf(span, model).map((row) => [row.key, row]))]));
  const rows = campaignsOf(span).filter((row) => row.isPaid || (row.campaign !== null && (row.revenue || row.sessions)));
  const paid = rows.filter((row) => row.isPaid);
  const judged = paid.filter((row) => row.conversions >= FEW).length;
  const z = jointZ(judged);
  const range = (row, width = z) => {
    const limits = returnLimits(row.revenue, row.conversions, row.cost, width);
    const kind = !limits ? 'few' : row.conversions < ENOUGH || (limits.low <= 1 && limits.high >= 1) ? 'plain' : limits.low > 1 ? 'good' : 'bad';
    return { ...(limits || {}), value: row.roas || null, min: 1 / 8, max: 16, tick: 1, isLog: true, tone: kind, words: limits ? `${FIXED[1].format(limits.low)} – ${FIXED[1].format(limits.high)}×` : row.conversions >= 0.5 ? 'too few orders' : 'no order' };
  };
  const told = (row) => {
    const all = [...by.values()].map((one) => over((one.get(row.key) || { revenue: 0 }).revenue, row.cost)).filter(isKnown);
    const arrived = row.clicks ? over(row.sessions, row.clicks) : NONE;
    return { ...row, cost: row.cost, range: row.isPaid && isKnown(row.cost) ? range(row) : null, models: row.isPaid && all.length ? `${FIXED[1].format(Math.min(...all))} – ${FIXED[1].format(Math.max(...all))}×` : '–', clicks: row.clicks ?? NONE, arrived, faint: row.conversions < FEW ? ['roas', 'cpa', 'revenue'] : [], tones: row.clicks >= 20 && row.sessions === 0 ? { arrived: 'warn' } : {}, said: row.clicks >= 20 && row.sessions === 0 ? { arrived: 'no visit seen' } : {} };
  };
  const now = spendOf(span);
  const total = { name: `All paid, ${plural(paid.length, 'campaign')}`, cost: paid.length ? now.cost : NONE, conversions: now.conversions, revenue: now.revenue, roas: paid.length ? now.roas : NONE, range: now.cost ? range(now, Z) : null, cpa: now.cpa ?? NONE, clicks: sum(paid, 'clicks') || NONE, sessions: sum(paid, 'sessions'), arrived: now.arrival ?? NONE, channel: '', models: '' };
  return { table: rows.map(told), total: paid.length ? total : null, notes: [judged > 1 ? `Ranges of ${judged} campaigns hold jointly, 19 times of 20.` : '', 'Arrived: visits for each click that the platform bills. Grey: under five orders.', ...sinceWords('performance', span)].filter(Boolean) };
};
ROWS.weeks = () => {
  const span = period();
  const start = span.length < 14 ? Math.max(firstShown, span.end - 27) : span.start;
  const weeks_ = [];
  for (let end = span.end; end - 6 >= start && weeks_.length < 26; end -= 7) weeks_.unshift({ start: end - 6, end });
  const rows = weeks_.map((week) => {
    const paid = spendOf(week);
    const share = maturityOf(week);
    const limits = returnLimits(paid.revenue, paid.conversions, paid.cost);
    return { ...week, week: asSpan(week), cost: paid.cost, revenue: paid.revenue, conversions: paid.conversions, roas: paid.cost ? paid.roas : NONE, maturity: share, limits };
  });
  const known = rows.filter((row) => row.cost);
  const shownMost = 1.6 * Math.max(0, ...known.map((row) => over(row.roas, row.maturity) ?? row.roas));
  const chart = known.map((row) => ({ label: asDay(row.start), value: row.roas, cap: over(row.roas, row.maturity), low: row.limits ? row.limits.low : null, high: row.limits ? Math.min(row.limits.high, shownMost) : null, isWhole: true, start: row.start, end: row.end, words: `${row.week}: ${show(row.roas, 'times')}, ${isKnown(row.maturity) ? `${asRate(row.maturity)} arrived` : 'how much is still to come is unknown'}${row.limits ? `, ${show(row.limits.low, 'times')} – ${show(row.limits.high, 'times')} by chance` : ', too few orders for a range'}` }));
  return { table: known, chart, legend: [['counted', 'arrived'], ['part', 'still to come'], ['whisker', 'range by chance'], ['even', 'break-even']], options: { format: 'times', compared: 1, said: `Return by week of the visit, ${known.length} weeks. The table below has each.`, onPick: (row) => go({ from: row.start, to: row.end }) } };
};
ROWS.scatter = () => {
  const rows = campaignsOf(period()).filter((row) => row.cost > 0 && row.revenue > 0);
  return { table: rows, chart: rows.slice(0, 60).map((row) => ({ ...row, words: `${named(row.name, row.source)}: ${asMoney(row.cost)} → ${asMoney(row.revenue)}, ${show(row.roas, 'times')}` })), options: { said: `${rows.length} campaigns by spend and revenue. The table below has each.`, lines: [1, 3, 10] }, notes: ['Pale: under five orders.'] };
};
ROWS.models = () => {
  const rows = lists(during(inChannel(frame('credits')), period()), ['channel', 'model'], 'revenue', 'conversions');
  const made = grouped(rows, 'channel').map((same) => {
    const of = Object.fromEntries(Object.keys(MODELS).map((model) => [model, (same.find((row) => row.model === model) || { revenue: 0 }).revenue]));
    const all = Object.values(of);
    return { channel: same[0].channel, filter: same[0].channel, ...of, low: Math.min(...all), high: Math.max(...all) };
  }).sort((one, other) => other.high - one.high);
  const most = Math.max(...made.map((row) => row.high), 1);
  return { table: made.map((row) => ({ ...row, tones: { [state.model]: 'strong' }, span: { low: row.low, high: row.high, value: row[state.model], max: most } })), notes: [`The dot is “${MODELS[state.model].toLowerCase()}”, the model chosen.`] };
};
ROWS.blind = () => {
  const span = period();
  const seen = new Map(grouped(during(inChannel(frame('blind')), span), ...KEY).map((same) => [keyOf(same[0]), { lost_visits: sum(same, 'lost_visits'), pixel_hits: sum(same, 'pixel_hits'), only_pixel: sum(same, 'only_pixel') }]));
  const rows = campaignsOf(span).filter((row) => row.clicks >= 20 || (seen.has(row.key) && seen.get(row.key).pixel_hits >= 20));
  const z = jointZ(rows.filter((row) => row.clicks).length);
  const all = rows.filter((row) => row.clicks);
  const mean = over(all.reduce((total, row) => total + Math.max(0, row.clicks - row.sessions), 0), sum(all, 'clicks'));
  return { table: rows.map((row) => {
    const missing = row.clicks ? Math.max(0, row.clicks - row.sessions) : null;
    const limits = row.clicks ? wilson(missing, row.clicks, z) : {};
    const one = seen.get(row.key);
    return { ...row, missing: row.clicks ? { ...limits, value: over(missing, row.clicks), max: 1, tick: mean, tone: limits.low > mean ? 'warn' : 'plain', words: asRate(over(missing, row.clicks)) } : null, without: 'no clicks sent', wasted: row.clicks && row.cost ? (row.cost * missing) / row.clicks : NONE, lost_visits: one ? one.lost_visits : null, loss_rate: one ? over(one.only_pixel, one.pixel_hits) : null };
  }).sort((one, other) => (other.wasted || 0) - (one.wasted || 0)), notes: isKnown(mean) ? [`The tick is all campaigns together, ${asRate(mean)}; amber lies wholly above it. What both witnesses missed is in none of it.`] : [] };
};
ROWS.assists = () => ({ table: lists(inMonths('assists'), ['channel'], 'last', 'assisted').sort((one, other) => other.last - one.last || other.assisted - one.assisted).map((row) => ({ ...row, filter: row.channel })), notes: [monthWords()] });
ROWS.journeys = (_state, by) => {
  const bins = by === 'days' ? [[0, 0, 'the same day'], [1, 2, '1 – 2 days'], [3, 6, '3 – 6 days'], [7, 13, '7 – 13 days'], [14, Infinity, '14 days or more']] : [[1, 1, '1 visit'], [2, 2, '2'], [3, 3, '3'], [4, 4, '4'], [5, Infinity, '5 or more']];
  const months = new Set(monthsOf(period()));
  const rows = frame('journeys').filter((row) => months.has(row.month) && row.measure === (by === 'days' ? 'days' : 'touches'));
  const total = sum(rows, 'conversions');
  return { table: total ? bins.map(([low, high, length]) => { const conversions = sum(rows.filter((row) => row.length >= low && row.length <= high), 'conversions'); return { length, conversions, share: over(conversions, total) }; }) : [], notes: [monthWords(), ...(state.filters.channel ? ['All channels.'] : [])] };
};
ROWS.new_customers = () => {
  const rows = grouped(inMonths('new_customers'), 'channel', 'campaign').map((same) => {
    const persons = sum(same, 'persons');
    const cost = same.every((row) => row.is_cost_complete) ? sum(same, 'cost') : null;
    return { name: same[0].campaign ?? same[0].channel, under: same[0].campaign === null ? null : same[0].channel, persons, cost, cost_each: cost === 0 || !persons ? NONE : over(cost, persons), faint: persons < FEW ? ['cost_each'] : [] };
  }).sort((one, other) => other.persons - one.persons || (other.cost || 0) - (one.cost || 0));
  return { table: rows, notes: [`${monthWords()}. Grey: under five new customers.`] };
};
ROWS.cohorts = () => ({ table: grouped(frame('cohorts'), 'first_month').map((same) => {
  const at = new Map(same.map((row) => [row.months_since, row]));
  const persons = same[0].persons;
  const each = (n) => (at.has(n) ? over(100 * at.get(n).orders, persons) : NONE);
  return { month: MONTH.format(new Date(same[0].first_month * DAY)), at: same[0].first_month, persons, ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6].map((n) => [`m${n}`, each(n)])), revenue_each: over(sum(same, 'revenue'), persons), faint: persons < 100 ? ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'] : [] };
}).sort((one, other) => other.at - one.at), notes: ['Orders of 100 persons. The newest months are not over. Grey: under 100 persons.'] });
