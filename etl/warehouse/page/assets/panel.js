// A panel: heading, drawing, table, CSV; all of the same rows.
const ROWS = {};
const HEADLINES = {};
const STRIPS = {};
const CHOICES_OF = {};

const nameCell = (panel, row, column, chosen) => {
  const text = show(row[column.name], 'name');
  const dimension = panel.sets && (panel.choice[panel.sets] || !Object.keys(panel.choice).length ? (chosen && Object.keys(panel.choice).length ? chosen : panel.sets) : null);
  const value = row.filter;
  if (!dimension || !DIMENSIONS.includes(dimension) || !FILTERED[state.tab].includes(dimension) || !isKnown(value) || value === '(other)') return [el('bdi', {}, broken(text)), row.under ? el('span', { class: 'under' }, el('bdi', {}, broken(row.under))) : null];
  const isOn = (state.filters[dimension] || []).includes(value);
  return button(el('bdi', {}, broken(text)), () => toggleFilter(dimension, value), { class: 'row-name', 'aria-pressed': String(isOn), id: `row-${panel.id}-${value}`, title: isOn ? 'Take this filter away' : `Only ${text}` });
};
const cell = (panel, row, column, chosen, most) => {
  const value = row[column.name];
  const kind = [column.on_phone ? '' : 'more-column'];
  if (column.format === 'status') return el('td', { class: kind.join(' ') }, isKnown(value) ? el('span', { class: `pill ${row.tone || value}` }, show(value, 'text')) : '');
  if (column.format === 'moved') return el('td', { class: `ranges ${kind}` }, value ? changeNode(value) : '');
  if (column.format === 'range') return el('td', { class: `ranges ${kind}` }, value ? [glyph(value), value.words ? el('span', { class: `quiet ${value.tone || ''}` }, value.words) : null] : el('span', { class: 'quiet' }, row.without || ''));
  if (column.format === 'name') {
    const bar = panel.columns.find((one) => one.format === 'bar');
    const share = bar && most && !row.isOut ? Math.max(0, Math.min(1, (row[bar.name] || 0) / most)) : 0;
    return el('th', { scope: 'row', class: bar ? 'name barred' : 'name', style: bar ? { '--share': `${(share * 100).toFixed(1)}%` } : {} }, nameCell(panel, row, column, chosen));
  }
  const text = row.said && row.said[column.name] !== undefined ? row.said[column.name] : show(value, column.format);
  kind.push(isNumeric(column.format) ? 'number' : column.format === 'prose' ? 'prose' : 'words');
  if (column.format === 'day') kind.push('day');
  if (value === null) kind.push('unknown');
  if (row.faint && row.faint.includes(column.name)) kind.push('faint');
  if (row.tones && row.tones[column.name]) kind.push(row.tones[column.name]);
  return el('td', { class: kind.join(' ').trim() }, ['text', 'prose'].includes(column.format) ? el('bdi', {}, broken(text)) : text);
};
const sorting = {};
const sortedBy = (panel, rows) => {
  const by = sorting[panel.id];
  if (!by) return rows;
  const read = (row) => { const value = row[by.column]; return value && typeof value === 'object' ? value.value : value; };
  const order = (one, other) => { const [a, b] = [read(one), read(other)]; return !isKnown(a) ? 1 : !isKnown(b) ? -1 : typeof a === 'string' ? a.localeCompare(b) : a - b; };
  return [...rows].sort((one, other) => (isKnown(read(one)) && isKnown(read(other)) ? by.direction : 1) * order(one, other));
};
const headCell = (panel, column, again) => {
  const by = sorting[panel.id];
  const isBy = by && by.column === column.name;
  const turn = () => { sorting[panel.id] = { column: column.name, direction: isBy ? -by.direction : column.format === 'name' || column.format === 'text' ? 1 : -1 }; again(); byId(`sort-${panel.id}-${column.name}`).focus(); };
  return el('th', { scope: 'col', class: [isNumeric(column.format) ? 'number' : 'words', column.on_phone ? '' : 'more-column'].join(' '), 'aria-sort': isBy ? (by.direction > 0 ? 'ascending' : 'descending') : panel.sortable ? 'none' : null },
    meaning(column.title, column.definition), panel.sortable ? button(isBy ? (by.direction > 0 ? '▴' : '▾') : '⇅', turn, { class: 'sort', id: `sort-${panel.id}-${column.name}`, 'aria-label': `Sort by ${column.title}` }) : null);
};
const table = (panel, made, chosen) => {
  const box = el('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `Table: ${panel.title}` });
  const bar = panel.columns.find((one) => one.format === 'bar');
  let shown = ASKED && made.table.findIndex((row) => row.check_name === ASKED) >= panel.rows ? Infinity : panel.rows;
  const fill = () => {
    const rows = sortedBy(panel, made.table);
    const most = bar ? Math.max(...rows.map((row) => row[bar.name] || 0), 0) : 0;
    const line = (row, kind) => el('tr', { class: kind || (row.isOut ? 'out' : null), 'data-check': row.check_name }, panel.columns.map((column) => cell(panel, row, column, chosen, most)));
    box.replaceChildren(el('table', {}, el('caption', { class: 'hidden' }, panel.title), el('thead', {}, el('tr', {}, panel.columns.map((column) => headCell(panel, column, fill)))),
      el('tbody', {}, rows.slice(0, shown).map((row) => line(row))), made.total ? el('tfoot', {}, line(made.total, 'total')) : null));
    more.hidden = rows.length <= shown;
    fit();
  };
  const cellsOf = (head) => [...box.querySelectorAll('tr')].map((line) => line.cells[head.cellIndex]);
  // What does not fit is not cut: columns that a phone does without go, the last first, and are one button away.
  const fit = () => {
    const heads = [...box.querySelectorAll('thead .more-column')].reverse();
    heads.forEach((head) => cellsOf(head).forEach((one) => one.classList.remove('dropped')));
    const isAll = box.classList.contains('all-columns');
    if (!isAll) for (const head of heads) { if (box.scrollWidth <= box.clientWidth) break; cellsOf(head).forEach((one) => one.classList.add('dropped')); }
    wider.hidden = !isAll && !heads.some((head) => box.clientWidth && !head.offsetWidth);
    wider.textContent = isAll ? 'Fewer columns' : 'More columns';
  };
  const wider = button('More columns', () => { box.classList.toggle('all-columns'); fit(); }, { class: 'more' });
  const more = button(`All ${WHOLE.format(made.table.length)} rows`, () => { shown = Infinity; fill(); }, { class: 'more' });
  fill();
  return { nodes: [box, more, wider], fit };
};
const csv = (panel, rows) => {
  const read = panel.columns.flatMap((column) => {
    if (column.format === 'moved') return Object.keys(csvOf({ change: {} })).map((name) => [`${column.name}_${name}`, (row) => (row[column.name] ? csvOf(row[column.name])[name] : null)]);
    if (column.format === 'range') return ['low', 'value', 'high'].map((name) => [`${column.name}_${name}`, (row) => (row[column.name] ? row[column.name][name] : null)]);
    return [[column.name, (row) => (column.format === 'day' && isKnown(row[column.name]) ? asIso(row[column.name]) : row[column.name])]];
  });
  return `${[read.map(([name]) => csvCell(name)).join(','), ...rows.map((row) => read.map(([, value]) => csvCell(value(row))).join(','))].join('\r\n')}\r\n`;
};
const DRAWN = {
  days: (box, made) => drawBars(box, made.chart, made.options),
  weeks: (box, made) => drawBars(box, made.chart, made.options),
  hours: (box, made) => drawHours(box, made.table, made.options),
  scatter: (box, made) => drawScatter(box, made.chart, made.options),
  fall: (box, made) => drawFall(box, made.chart, made.options),
  bounds: (box, made) => drawBounds(box, made.options),
};
const choiceOf = (panel) => {
  const choices = CHOICES_OF[panel.id] ? CHOICES_OF[panel.id]() : panel.choice;
  if (!Object.keys(choices).length) return { choices: null, chosen: null };
  const wanted = state.choices[panel.id];
  return { choices, chosen: wanted in choices ? wanted : Object.keys(choices)[0] };
};
const segments = (id, label, choices, chosen, choose) => (Object.keys(choices).length > 4
  ? el('select', { 'aria-label': label, id: `choice-${id}`, on: { change: (event) => choose(event.target.value) } }, Object.entries(choices).map(([value, words]) => el('option', { value, selected: value === chosen }, words)))
  : el('div', { class: 'segments', role: 'group', 'aria-label': label }, Object.entries(choices).map(([value, words]) => button(words, () => choose(value), { 'aria-pressed': String(value === chosen), id: `choice-${id}-${value}` }))));
const showPanel = (panel) => {
  const { choices, chosen } = choiceOf(panel);
  const made = ROWS[panel.id](state, chosen);
  const title = made.title || panel.title;
  const section = el('section', { class: `panel size-${panel.size}`, 'aria-labelledby': `title-${panel.id}`, id: `panel-${panel.id}` },
    el('div', { class: 'panel-head' }, el('h2', { id: `title-${panel.id}` }, title),
      choices && Object.keys(choices).length > 1 ? segments(panel.id, `${title}: which`, choices, chosen, (value) => goFor(panel.id, value)) : null),
    el('p', { class: 'note' }, panel.note));
  const notes = made.notes || [];
  if (!made.table.length) { section.append(el('p', { class: 'empty' }, made.empty || panel.empty)); return { section }; }
  const box = panel.drawn ? el('div', { class: 'drawing' }) : null;
  const isDrawn = box && DRAWN[panel.drawn] && (made.chart || made.table).length > 0;
  // What nothing is known of has no column: it is said once, at the top of the page.
  const columns = panel.columns.filter((column) => !(made.optional || []).includes(column.name) || made.table.some((row) => isKnown(row[column.name])));
  const inner = table({ ...panel, title, columns }, made, chosen);
  if (isDrawn) section.append(...(made.legend ? [el('ul', { class: 'legend' }, made.legend.map(([kind, words]) => el('li', {}, el('span', { class: `sign ${kind}` }), words)))] : []), box);
  if (made.marks && made.marks.length) section.append(el('ol', { class: 'marks' }, made.marks.map((text) => el('li', {}, el('bdi', {}, text)))));
  const isFolded = isDrawn && panel.drawn !== 'bounds';
  const save = button('CSV', () => download(`bloodhound-${panel.id}.csv`, csv(panel, made.total ? [...made.table, made.total] : made.table)), { class: 'csv', 'aria-label': `Download ${title} as CSV` });
  section.append(el('div', { class: 'under-it' }, isFolded ? el('details', { class: 'behind', on: { toggle: inner.fit } }, el('summary', {}, 'Table'), inner.nodes) : el('div', { class: 'shown' }, inner.nodes),
    notes.length ? el('span', { class: 'said' }, notes.join(' ')) : null, save));
  return { section, start: () => { if (isDrawn) DRAWN[panel.drawn](box, made); inner.fit(); } };
};
