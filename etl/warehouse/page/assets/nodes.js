// Documents are built of nodes and text, never of markup: a campaign may be called <script>.
const apply = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === 'style') for (const [property, one] of Object.entries(value)) node.style.setProperty(property, one);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && isKnown(value)) node.setAttribute(name, value);
  }
  node.append(...children.flat(3).filter((child) => isKnown(child) && child !== false));
  return node;
};
const el = (tag, attributes = {}, ...children) => apply(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => apply(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
const byId = (id) => document.getElementById(id);
// Long names break behind a sign of their own, not in a word.
const broken = (text) => String(text).split(/(?<=[^_/.?&=][_/.?&=]+)(?![_/.?&=])/).flatMap((part, index) => (index ? [el('wbr'), part] : [part]));
const strong = (text) => el('strong', {}, text);
const tone = (text, kind) => el('strong', { class: kind }, text);
const button = (text, onClick, more = {}) => el('button', { type: 'button', ...more, on: { click: onClick, ...(more.on || {}) } }, text);

// What a figure means, beside the word; Esc or a click elsewhere closes it.
const define = (place, word, by, more = []) => {
  const box = byId('definition');
  const found = content.definitions[place];
  box.replaceChildren(
    el('h2', {}, word), el('p', {}, found.text), ...more.map((text) => el('p', {}, text)),
    el('p', { class: 'about' }, found.table), el('p', { class: 'about' }, el('code', {}, place)));
  box.showPopover();
  const at = by.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${at.bottom + box.offsetHeight + 8 < innerHeight ? at.bottom + 4 : Math.max(8, at.top - box.offsetHeight - 4)}px`;
};
const meaning = (text, place, more) => (place && content.definitions[place] ? el('button', { type: 'button', class: 'meaning', on: { click: (event) => define(place, text, event.currentTarget, more) } }, text) : text);

// A word at the pointer, for what is drawn; the same stands in the table.
const tip = (event) => {
  const box = byId('tip');
  const of = event.target.closest && event.target.closest('[data-tip]');
  box.hidden = !of;
  if (!of) return;
  box.textContent = of.dataset.tip;
  box.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${event.clientY + 18 + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 10 : event.clientY + 18}px`;
};
document.addEventListener('pointermove', tip);

// A spreadsheet runs a cell that begins like a formula; text from clients must not be one.
const csvCell = (value) => {
  if (!isKnown(value)) return '';
  const text = typeof value === 'string' && /^[\s]*[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const download = (name, text) => {
  const link = el('a', { href: URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
