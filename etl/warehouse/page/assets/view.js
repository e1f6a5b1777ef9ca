// Documents are built of nodes and text, never of markup: a campaign may be called <script>.
const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && isKnown(value)) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => isKnown(child)));
  return node;
};
const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const strong = (text) => el('strong', {}, text);
const tone = (text, kind) => el('strong', { class: kind }, text);
const byId = (id) => document.getElementById(id);

const sparkline = (values) => {
  const known = values.filter(isKnown);
  if (known.length < 2) return el('div', { class: 'spark' });
  const low = Math.min(...known);
  const spread = Math.max(...known) - low || 1;
  const place = (value, index) => `${((index / (values.length - 1)) * 96 + 2).toFixed(1)},${(26 - ((value - low) / spread) * 22).toFixed(1)}`;
  const runs = [[]];
  values.forEach((value, index) => (isKnown(value) ? runs[runs.length - 1].push(place(value, index)) : runs.push([])));
  return svg('svg', { class: 'spark', viewBox: '0 0 100 30', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    ...runs.filter((run) => run.length > 1).map((run) => svg('polyline', { points: run.join(' ') })));
};

// Links to what a figure means.
const openDefinition = (place) => {
  byId('definitions-box').open = true;
  const target = document.querySelector(`[data-place="${CSS.escape(place)}"]`);
  target.scrollIntoView({ block: 'center' });
  target.focus();
};
const meaning = (text, place) =>
  place && content.definitions[place]
    ? el('button', { type: 'button', class: 'meaning', title: content.definitions[place].text, on: { click: () => openDefinition(place) } }, text)
    : text;

const card = ({ title, value, format, before, better, limits, sparks, below, place, isPoints, span }) => {
  const change_ = isPoints ? (isKnown(value) && isKnown(before) ? value - before : null) : change(value, before);
  // What is shown as nought is neither good nor bad.
  const moved = isKnown(change_) && Math.abs(change_) < 0.0005 ? 0 : change_;
  const kind = !isKnown(moved) || moved === 0 || mayBeChance(limits) ? 'plain' : better === 0 ? 'plain' : moved * (better ?? 1) > 0 ? 'good' : 'bad';
  const arrow = !isKnown(moved) || moved === 0 ? '' : moved > 0 ? '▲ ' : '▼ ';
  return el('li', { class: 'card' },
    el('div', { class: 'card-title' }, meaning(title, place)),
    el('div', { class: isKnown(value) ? 'value' : 'value unknown' }, show(value, format)),
    el('div', { class: 'moved' }, isKnown(moved)
      ? [el('span', { class: kind }, arrow + show(moved, isPoints ? 'points' : 'change')), ` vs the ${plural(span.length, 'day')} before`, limits ? el('span', { class: 'limits', title: 'In 95 of 100 periods chance alone moves it no further; where this holds nought, it may be chance' }, ` (${show(limits, 'limits')})`) : limits === null ? ' (too few to judge)' : '']
      : before === undefined && (!span.before || better === undefined) ? '' : 'no whole period before'),
    sparks ? sparkline(sparks) : null,
    el('div', { class: 'below' }, below || ''));
};

const legendOf = (panel) => {
  const names = Object.keys(panel.legend);
  if (!names.length) return null;
  return el('ul', { class: 'legend', 'aria-hidden': 'true' }, names.map((name) => {
    const sign = el('span', { class: 'sign' }, panel.shapes[name] || '●');
    sign.style.color = panel.legend[name];
    return el('li', {}, sign, name.replaceAll('_', ' '));
  }));
};

// The table behind a chart.
const cell = (row, column) => {
  const value = row[column.name];
  if (column.format === 'trend') return el('td', { class: 'trend' }, sparkline(value || []));
  if (column.format === 'status') return el('td', {}, el('span', { class: `pill ${row.tone || value}` }, show(value, 'text')));
  const text = show(value, column.format);
  return el('td', { class: [isNumeric(column.format) ? 'number' : column.format === 'prose' ? 'words prose' : 'words', value === null ? 'unknown' : ''].join(' ').trim() },
    ['text', 'prose'].includes(column.format) ? el('bdi', {}, text) : text);
};
const ROWS_SHOWN = 20;
const table = (panel, rows, caption) => {
  const body = el('tbody');
  const fill = (count) => body.replaceChildren(...rows.slice(0, count).map((row) => el('tr', {}, panel.columns.map((column) => cell(row, column)))));
  fill(ROWS_SHOWN);
  const more = rows.length > ROWS_SHOWN && el('button', { type: 'button', class: 'more', on: { click: () => { fill(rows.length); more.remove(); } } },
    `Show all ${WHOLE.format(rows.length)} rows`);
  return [
    el('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `Table: ${caption}` },
      el('table', {}, el('caption', { class: 'hidden' }, caption),
        el('thead', {}, el('tr', {}, panel.columns.map((column) => el('th', { scope: 'col', class: isNumeric(column.format) ? 'number' : 'words' }, meaning(column.title, column.definition))))),
        body)),
    more || null,
  ];
};

// A spreadsheet runs a cell that begins like a formula; text from clients must not be one.
const csvCell = (value) => {
  if (!isKnown(value)) return '';
  const text = typeof value === 'string' && /^[\s]*[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csv = (panel, rows) => {
  const columns = panel.columns.filter((column) => column.format !== 'trend');
  const lines = rows.map((row) => columns.map((column) => csvCell(column.format === 'day' && isKnown(row[column.name]) ? asIso(row[column.name]) : row[column.name])).join(','));
  return [columns.map((column) => csvCell(column.name)).join(','), ...lines].join('\r\n') + '\r\n';
};
const download = (name, text) => {
  const link = el('a', { href: URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

// Charts. Views that are gone are finalised, so that no listener stays.
let views = [];
let drawing = 0;
const clearViews = () => { drawing += 1; views.forEach((view) => view.finalize()); views = []; byId('tip').hidden = true; };
const tooltip = (_handler, event, _item, value) => {
  const tip = byId('tip');
  tip.hidden = !value;
  if (!value) return;
  tip.textContent = String(value);
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const top = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${top}px`;
};
const draw = (panel, box, rows, described) => {
  box.setAttribute('role', 'img');
  box.setAttribute('aria-label', described);
  const spec = { ...content.specs[panel.id] };
  spec.data = spec.data.map((one) => (one.name === 'rows' ? { ...one, values: rows } : one));
  const refuse = () => Promise.reject(new Error('This page loads nothing'));
  // `ast`: expressions are interpreted, since the page's policy allows no eval.
  const options = { mode: 'vega', ast: true, renderer: 'svg', actions: false, defaultStyle: false, tooltip, logLevel: 1, loader: { load: refuse, sanitize: refuse } };
  const asked = drawing;
  return vegaEmbed(box, spec, options).then((made) => {
    // The box has the words; the marks inside have none.
    box.querySelectorAll('svg').forEach((drawn) => drawn.setAttribute('aria-hidden', 'true'));
    if (asked === drawing) views.push(made);
    else made.finalize();
  });
};
