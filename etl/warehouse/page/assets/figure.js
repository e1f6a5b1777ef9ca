// The one figure object, and the one way it is said: its state decides words, colour, CSV and what a reader hears.
// States: known, moved, part (of a day), few, unknown, maturing, bounded, none.
const Z = 1.96;
// Of k ranges that shall hold jointly each is wider (Bonferroni); by Acklam's rational approximation of the quantile.
const jointZ = (count) => {
  if (count <= 1) return Z;
  const q = Math.sqrt(-2 * Math.log(0.025 / count));
  return -(((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q + 2.938163982698783)
    / ((((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1);
};
// Wilson's interval: honest for few cases, where a share alone is not.
const wilson = (part, all, z = Z) => {
  if (!all) return { low: null, high: null };
  const share = part / all;
  const middle = (share + (z * z) / (2 * all)) / (1 + (z * z) / all);
  const margin = (z / (1 + (z * z) / all)) * Math.sqrt(Math.max(0, (share * (1 - share)) / all) + (z * z) / (4 * all * all));
  return { low: part > 0 ? Math.max(0, middle - margin) : 0, high: Math.min(1, middle + margin) };
};
const KPI = 'executive.kpi_daily.';
const FEW = content.rules.few;
const ENOUGH = content.rules.enough;
// Titles, formats, cases and good directions are the rules', which the mail has too; here is how sums of any days make the figure.
// Variance is of the logarithm, as in the marts: what comes in lumps moves by as much as the lumps are large, which few orders do not tell.
const isTold = (of) => of.orders >= ENOUGH;
const SUMMED = {
  revenue: { value: (of) => (of.orders && of.unrated_orders === of.orders ? null : of.orders ? of.revenue : NONE), variance: (of) => (isTold(of) ? over(of.squared_revenue, of.revenue ** 2) : null) },
  orders: { value: (of) => of.orders, variance: (of) => over(1, of.orders) },
  conversion_rate: { value: (of) => over(of.sessions_with_order, of.sessions), variance: (of) => over(1, of.sessions_with_order) - over(1, of.sessions) },
  average_order_value: { value: (of) => (of.unrated_orders ? null : over(of.revenue, of.orders) ?? NONE),
    variance: (of) => (isTold(of) ? Math.max(of.squared_revenue / of.revenue ** 2 - 1 / of.orders, 0) * of.orders / (of.orders - 3) : null) },
  sessions: { value: (of) => of.sessions, variance: (of) => over(2 * over(of.sessions, of.visitors || of.sessions) - 1, of.sessions) },
  visitors: { value: (of) => of.visitors, variance: (of) => over(1, of.visitors) },
  page_views: { value: (of) => of.page_views,
    variance: (of) => Math.max(over(of.squared_session_pages, of.page_views ** 2) ?? 0, over(1, of.page_views) ?? 0) + Math.max(0, over(2 * over(of.sessions, of.visitors || of.sessions) - 2, of.sessions) ?? 0) },
  bounce_rate: { value: (of) => over(of.bounces, of.sessions), variance: (of) => over(1, of.bounces) - over(1, of.sessions) },
  new_visitors: { value: (of) => over(of.new_visitors, of.sessions), variance: (of) => over(1, of.new_visitors) - over(1, of.sessions) },
};
const MEASURES = Object.fromEntries(Object.entries(content.rules.measures).map(([name, rule]) => [name, { ...rule, ...SUMMED[name] }]));
// How a value moved and between which limits chance alone may have moved it; null where it cannot be said, with why.
const changeOf = (measure, now, before, z = Z) => {
  const [value, past] = [measure.value(now), measure.value(before)];
  const cases = Math.min(now[measure.cases] ?? 0, before[measure.cases] ?? 0);
  if (cases < FEW || !isKnown(value) || !isKnown(past) || past <= 0 || value <= 0) return { value: null, reason: cases < FEW ? 'too few to compare' : 'nothing to compare with' };
  if (measure.isMoney && (now.unrated_orders || before.unrated_orders)) return { value: null, reason: 'not compared: orders without a rate are left out' };
  const variances = [measure.variance(now), measure.variance(before)];
  const spread = variances.every(isKnown) ? Math.exp(z * Math.sqrt(variances[0] + variances[1])) : NaN;
  const moved = value / past;
  if (!Number.isFinite(spread)) return { value: null, reason: 'too few to compare' };
  const low = moved / spread - 1;
  const high = moved * spread - 1;
  const isMoved = low > 0 || high < 0;
  const isColoured = isMoved && cases >= ENOUGH && measure.good !== 0;
  return { value: moved - 1, low, high, isMoved, tone: isColoured ? ((moved - 1) * measure.good > 0 ? 'good' : 'bad') : isMoved ? 'strong' : 'plain', arrow: isMoved ? (moved > 1 ? '▲ ' : '▼ ') : '' };
};
const figure = (name, now, before, span, { ranges = 1, below = '' } = {}) => {
  const measure = MEASURES[name];
  const value = measure.value(now);
  const cases = now[measure.cases];
  const made = { name, title: measure.title, place: measure.place, format: measure.format, good: measure.good, value, cases, of: measure.of && now[measure.of], low: null, high: null, since: span.before, below, change: null, reason: span.reason ? 'not compared' : '' };
  made.state = value === NONE ? 'none' : !isKnown(value) ? (measure.of && !now[measure.of] ? 'none' : 'unknown') : measure.of && cases < FEW ? 'few' : span.length === 1 && !span.isWhole ? 'part' : 'known';
  if (made.state === 'unknown') made.reason = measure.reason || (name === 'visitors' ? '' : 'no rate for its currency');
  if (made.state === 'part') made.reason = 'not compared';
  if (made.state === 'none') made.reason = before ? 'too few to compare' : span.reason ? 'not compared' : '';
  if (before && ['known', 'few'].includes(made.state)) {
    made.change = changeOf(measure, now, before, jointZ(ranges));
    if (made.change.isMoved) made.state = 'moved';
  }
  return made;
};
// A figure that no period is compared with: a value, its bounds, or why there is none.
const plainFigure = (title, value, format, more = {}) => ({ title, value, format, state: value === NONE ? 'none' : isKnown(value) ? 'known' : 'unknown', change: null, reason: '', below: '', ...more });

const valueWords = (of) => {
  if (of.state === 'few') return `${WHOLE.format(of.cases)} of ${WHOLE.format(of.of)}`;
  if (of.state === 'bounded') return `${show(of.low, of.format)} – ${show(of.high, of.format)}`;
  return of.state === 'none' ? '–' : show(of.value, of.format);
};
const changeWords = (of) => (!of.change ? of.reason : isKnown(of.change.value) ? `${of.change.arrow}${show(of.change.value, 'change')} (${asRange(of.change)})` : of.change.reason);
// In a sentence: moved, or no clear change.
const movedWords = (of, against) => {
  if (!of.change || !isKnown(of.change.value)) return '';
  const { value, tone: kind, isMoved } = of.change;
  if (!isMoved) return [strong('no clear change'), ` from ${against} (${show(value, 'change')}, ${asRange(of.change)})`];
  return [tone(`${value > 0 ? 'up' : 'down'} ${asRate(Math.abs(value))}`, kind), ` on ${against} (${asRange(of.change)})`];
};
const saidOf = (of) => [of.title, valueWords(of), changeWords(of), of.below].filter(Boolean).join(', ');
const csvOf = (of) => ({ value: of.state === 'none' || of.state === 'unknown' ? null : of.value, low: of.change ? of.change.low : of.low, high: of.change ? of.change.high : of.high, change: of.change ? of.change.value : null, cases: of.cases, state: of.state });

const changeNode = (of) => {
  if (!of.change || !isKnown(of.change.value)) return el('span', { class: 'quiet' }, changeWords(of));
  return el('span', { class: 'moved' }, glyph({ low: 1 + of.change.low, high: 1 + of.change.high, value: 1 + of.change.value, min: 0.25, max: 4, tick: 1, isLog: true, tone: of.change.tone }),
    el('span', { class: of.change.tone }, of.change.arrow + show(of.change.value, 'change')), el('span', { class: 'quiet' }, ` (${asRange(of.change)})`));
};
// A strip of figures; the one that the large chart shows is chosen by a click.
const strip = (figures, chosen, choose) => el('ul', { class: 'strip' }, figures.map((of) => {
  const isChosen = of.name && of.name === chosen;
  return el('li', { class: isChosen ? 'figure chosen' : 'figure', 'data-state': of.state, 'aria-label': saidOf(of) },
    el('div', { class: 'figure-title' }, meaning(of.title, of.place, of.explained)),
    choose && of.name && of.isDaily !== false
      ? button(valueWords(of), () => choose(of.name), { class: of.state === 'unknown' ? 'value unknown' : 'value', id: `figure-${of.name}`, 'aria-pressed': String(Boolean(isChosen)), 'aria-label': `${of.title} ${valueWords(of)}: show day by day` })
      : el('div', { class: of.state === 'unknown' ? 'value unknown' : 'value' }, valueWords(of)),
    of.days ? spark(of.days, of.format) : null,
    of.change || of.reason ? el('div', { class: 'change' }, changeNode(of)) : null,
    of.below ? el('div', { class: 'below' }, of.below) : null);
}));
