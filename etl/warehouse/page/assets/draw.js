// What is drawn: bars by day, ranges, hours, a scatter, a fall. Each is told in words by its label; its rows stand below.
const axisOf = (most, format) => {
  const rough = (most || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough - 1e-12);
  if (format === 'count') step = Math.max(1, Math.ceil(step));
  const count = Math.max(1, Math.ceil(most / step - 1e-9));
  const digits = step % 1 === 0 ? 0 : step * 10 % 1 < 1e-9 ? 1 : 2;
  const words = (value) => (format === 'money' ? (step >= 1000 ? SHORT_MONEY : money({ minimumFractionDigits: digits, maximumFractionDigits: digits })).format(value)
    : format === 'rate' ? `${numbers({ maximumFractionDigits: 2 }).format(value * 100)}${THIN}%` : format === 'times' ? `${numbers({ maximumFractionDigits: 2 }).format(value)}×` : (step >= 1000 ? SHORT : numbers({ maximumFractionDigits: digits })).format(value));
  return { top: step * count, ticks: Array.from({ length: count + 1 }, (_, index) => ({ value: step * index, words: words(step * index) })) };
};
const HATCH = () => svg('defs', {}, svg('pattern', { id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, svg('rect', { width: 6, height: 6, class: 'hatch-back' }), svg('rect', { width: 2.5, height: 6, class: 'hatch-line' })));
const widthOf = (box) => Math.max(260, Math.floor(box.clientWidth || 600));
const picture = (box, width, height, said, ...parts) => box.replaceChildren(svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': said }, HATCH(), ...parts));
const textAt = (x, y, words, more = {}) => svg('text', { x, y, ...more }, words);
const gridOf = (axis, place, left, right) => axis.ticks.map(({ value, words }) => [svg('line', { x1: left, x2: right, y1: place(value), y2: place(value), class: value ? 'grid' : 'base' }), textAt(left - 8, place(value) + 4, words, { class: 'axis end' })]);

// Rows: label, value, before, isWhole, words. Long periods come by the week.
const drawBars = (box, rows, { format, said, onPick, compared }) => {
  const width = widthOf(box);
  const height = 236;
  const axis = axisOf(Math.max(0, ...rows.flatMap((row) => [row.value || 0, row.before || 0, row.cap || 0, row.high || 0])), format);
  const left = 14 + Math.max(...axis.ticks.map(({ words }) => words.length)) * 6.6;
  const [top, bottom, right] = [18, height - 24, width - 6];
  const place = (value) => bottom - (Math.min(value, axis.top) / axis.top) * (bottom - top);
  const step = (right - left) / rows.length;
  const wide = Math.min(step * 0.72, 64);
  const every = Math.max(1, Math.ceil(rows.length / Math.max(1, Math.floor((right - left) / 58))));
  const bars = rows.map((row, index) => {
    const middle = left + step * (index + 0.5);
    const tall = bottom - place(row.value || 0);
    const round = Math.min(3, tall, wide / 2);
    const bar = svg('path', { d: `M${middle - wide / 2},${bottom}v${-(tall - round)}q0,${-round} ${round},${-round}h${wide - 2 * round}q${round},0 ${round},${round}v${tall - round}z`, class: row.isWhole ? 'bar' : 'bar part' });
    return svg('g', { class: onPick ? 'pick' : '', 'data-tip': row.words, on: onPick ? { click: () => onPick(row) } : {} },
      svg('rect', { x: middle - step / 2, y: top, width: step, height: bottom - top, class: 'clear' }), isKnown(row.value) ? bar : row.value === NONE ? null : textAt(middle, bottom - 4, '?', { class: 'axis middle' }),
      row.cap > row.value ? svg('rect', { x: middle - wide / 2, y: place(row.cap), width: wide, height: place(row.value) - place(row.cap), class: 'bar part' }) : null,
      isKnown(row.high) ? svg('line', { x1: middle + wide / 2 + 8, x2: middle + wide / 2 + 8, y1: place(row.low), y2: place(row.high), class: 'whisker' }) : null,
      isKnown(row.before) ? svg('line', { x1: middle - wide / 2 - 1, x2: middle + wide / 2 + 1, y1: place(row.before), y2: place(row.before), class: 'compared' }) : null,
      row.mark ? [svg('circle', { cx: middle, cy: 8, r: 7, class: 'mark' }), textAt(middle, 12, row.mark, { class: 'mark-word middle' })] : null,
      !row.isWhole && row.part && rows.length < 20 ? textAt(middle, place(Math.max(row.value || 0, row.before || 0)) - 5, row.part, { class: 'axis middle' }) : null,
      index % every === 0 ? textAt(Math.max(left, Math.min(middle, right - row.label.length * 3.3)), height - 6, row.label, { class: 'axis middle' }) : null);
  });
  picture(box, width, height, said, gridOf(axis, place, left, right), bars,
    isKnown(compared) ? svg('line', { x1: left, x2: right, y1: place(compared), y2: place(compared), class: 'even' }) : null);
};
// Days of a figure, each from nought, all of one scale; no foot where a day is unknown. The table of days has the numbers.
const spark = (rows, format) => {
  const most = Math.max(0, ...rows.map((row) => row.value || 0));
  if (rows.length < 3 || !most) return null;
  const path = (isFirm) => rows.map((row, index) => (isKnown(row.value) && row.isFirm === isFirm ? `M${index + 0.1},24v-${(0.8 + 23.2 * (row.value / most)).toFixed(1)}h${rows.length > 60 ? 1 : 0.8}V24z` : '')).join('');
  return svg('svg', { class: 'spark', viewBox: `0 0 ${rows.length} 24`, preserveAspectRatio: 'none', 'aria-hidden': 'true', 'data-tip': `By day, from nought to ${show(most, format)}; pale: in part, or too few` }, svg('path', { d: path(true) }), svg('path', { d: path(false), class: 'pale' }));
};
// A range in a list: line from low to high, dot at the value, tick at what it is held against.
const glyph = ({ low, high, value, min = 0, max, tick, isLog, tone: kind = 'plain' }) => {
  const [width, height] = [88, 12];
  const place = (at) => { const share = isLog ? Math.log(Math.max(at, 1e-9) / min) / Math.log(max / min) : (at - min) / (max - min || 1); return 2 + Math.max(0, Math.min(1, share)) * (width - 4); };
  return svg('svg', { class: `glyph ${kind}`, width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
    svg('line', { x1: 0, x2: width, y1: 6, y2: 6, class: 'rail' }),
    isKnown(low) && isKnown(high) ? svg('line', { x1: place(low), x2: Math.max(place(high), place(low) + 1), y1: 6, y2: 6, class: 'span' }) : null,
    isKnown(tick) ? svg('line', { x1: place(tick), x2: place(tick), y1: 0, y2: height, class: 'tick' }) : null,
    isKnown(value) ? svg('circle', { cx: place(value), cy: 6, r: 3, class: 'dot' }) : null);
};
const drawHours = (box, rows, { said }) => {
  const names = [...new Set(rows.map((row) => row.weekday))];
  const width = widthOf(box);
  const left = 40;
  const cell = (width - left) / 24;
  const tall = Math.min(26, Math.max(16, cell));
  const most = Math.max(...rows.map((row) => row.page_views), 1e-9);
  picture(box, width, names.length * tall + 20, said,
    rows.map((row) => svg('rect', { x: left + Number(row.hour) * cell, y: names.indexOf(row.weekday) * tall, width: cell - 1.5, height: tall - 1.5, rx: 2, class: 'heat', style: { 'fill-opacity': String(0.06 + 0.94 * (row.page_views / most)) }, 'data-tip': row.words })),
    names.map((name, index) => textAt(0, index * tall + tall / 2 + 4, name.slice(0, 3), { class: 'axis' })),
    [0, 3, 6, 9, 12, 15, 18, 21].map((hour) => textAt(left + hour * cell, names.length * tall + 14, String(hour).padStart(2, '0'), { class: 'axis' })));
};
// Names where they fit: each beside its dot, over no dot and no other name.
const drawScatter = (box, rows, { said, lines }) => {
  const width = widthOf(box);
  const height = 300;
  const [left, right, top, bottom] = [52, width - 12, 12, height - 30];
  const bounds = (name) => [Math.min(...rows.map((row) => row[name])) / 1.5, Math.max(...rows.map((row) => row[name])) * 1.5];
  const [[lowX, highX], [lowY, highY]] = [bounds('cost'), bounds('revenue')];
  const x = (value) => left + (Math.log(value / lowX) / Math.log(highX / lowX)) * (right - left);
  const y = (value) => bottom - (Math.log(value / lowY) / Math.log(highY / lowY)) * (bottom - top);
  const ticks = (low, high) => { const all = []; for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) for (const one of [1, 2, 5]) if (one * 10 ** power >= low && one * 10 ** power <= high) all.push(one * 10 ** power); return all.length > 6 ? all.filter((one) => Number.isInteger(Math.log10(one) + 1e-9) || /^10*$/.test(String(Math.round(one)))) : all; };
  const taken = rows.map((row) => ({ x: x(row.cost) - 5, y: y(row.revenue) - 5, w: 10, h: 10 }));
  const isFree = (one) => one.x >= left && one.x + one.w <= right && one.y >= top && taken.every((other) => one.x + one.w < other.x || other.x + other.w < one.x || one.y + one.h < other.y || other.y + other.h < one.y);
  const labels = rows.flatMap((row) => {
    const words = row.short.length > 18 ? `${row.short.slice(0, 17)}…` : row.short;
    const w = words.length * 6.6;
    const spot = [[8, -7], [-w - 8, -7], [-w / 2, -20], [-w / 2, 7]].map(([dx, dy]) => ({ x: x(row.cost) + dx, y: y(row.revenue) + dy, w, h: 14 })).find(isFree);
    if (!spot) return [];
    taken.push(spot);
    return [textAt(spot.x, spot.y + 11, words, { class: 'label' })];
  });
  const within = (roas) => { const from = Math.max(lowX, lowY / roas); const to = Math.min(highX, highY / roas); return from < to ? [svg('line', { x1: x(from), y1: y(from * roas), x2: x(to), y2: y(to * roas), class: 'even' }), textAt(x(to) - 4, y(to * roas) + 14, `${roas}×`, { class: 'axis end' })] : []; };
  picture(box, width, height, said, svg('line', { x1: left, x2: right, y1: bottom, y2: bottom, class: 'base' }),
    ticks(lowX, highX).map((one) => textAt(x(one), height - 14, SHORT_MONEY.format(one), { class: 'axis middle' })), ticks(lowY, highY).map((one) => [svg('line', { x1: left, x2: right, y1: y(one), y2: y(one), class: 'grid' }), textAt(left - 8, y(one) + 4, SHORT_MONEY.format(one), { class: 'axis end' })]),
    textAt(right, height - 2, 'spend →', { class: 'axis end' }), lines.map(within),
    rows.map((row) => svg('circle', { cx: x(row.cost), cy: y(row.revenue), r: 5, class: row.conversions >= FEW ? 'point' : 'point few', 'data-tip': row.words })), labels);
};
// A bar from nought in true proportion; what is not counted is drawn again below, larger, and says by how much.
const drawFall = (box, parts, { sent, counted }) => {
  const rest = sent - counted;
  const share = over(rest, sent);
  const block = (of, whole, words, kind) => el('div', { class: `block ${kind}`, style: { 'flex-grow': String(Math.max(of / whole, 0.002)) }, 'data-tip': `${words} ${show(of, 'count')}` }, of / whole > 0.14 ? `${words} ${show(of, 'count')}` : '');
  box.replaceChildren(
    el('div', { class: 'fall-ends' }, el('span', {}, strong(`Sent ${show(sent, 'count')}`)), el('span', {}, `not counted ${show(rest, 'count')} · ${show(share, 'rate')}`)),
    el('div', { class: 'blocks' }, block(counted, sent, `Counted ${show(over(counted, sent), 'rate')} ·`, 'counted'), rest > 0 ? block(rest, sent, 'Not counted', 'rest') : null),
    rest > 0 && share < 0.9 ? el('div', { class: 'fall-note' }, `the ${show(share, 'rate')} drawn ${show(over(1, share), 'number')} times larger`) : null,
    rest > 0 ? el('div', { class: 'blocks' }, parts.map((part) => block(part.messages, rest, part.cause, part.kind))) : null);
};
const drawBounds = (box, { measured, low, high }) => {
  const most = high || measured || 1;
  const share = (value) => `${(100 * value) / most}%`;
  box.replaceChildren(el('div', { class: 'bounds' }, el('div', { class: 'block counted', style: { width: share(measured) } }), el('div', { class: 'block part', style: { width: share(most - measured) } })),
    el('div', { class: 'fall-ends' }, el('span', {}, `measured ${show(measured, 'count')}`), el('span', {}, `at least ${show(low, 'count')}`), el('span', {}, `at most ${show(high, 'count')}`)));
};
