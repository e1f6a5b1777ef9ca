// Numbers and days in words. Nothing is known: `unknown`, never 0 and never an empty cell.
const DAY = 86400000;
const UNKNOWN = 'unknown';
const content = JSON.parse(document.getElementById('content').textContent);
const meta = content.meta;

const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const over = (part, whole) => (isKnown(part) && isKnown(whole) && whole !== 0 ? part / whole : null);
const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] || 0), 0);

const numbers = (options) => new Intl.NumberFormat('en', options);
const WHOLE = numbers({ maximumFractionDigits: 0 });
const TENTH = numbers({ maximumFractionDigits: 1 });
const FINE = numbers({ maximumSignificantDigits: 4 });
const SHORT = numbers({ notation: 'compact', maximumSignificantDigits: 4 });
const money = (options) => numbers({ style: 'currency', currency: meta.currency, currencyDisplay: 'narrowSymbol', ...options });
const MONEY = money({ maximumFractionDigits: 0 });
const CENTS = money({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SHORT_MONEY = money({ notation: 'compact', maximumSignificantDigits: 4 });

const percent = (value, digits) => `${(value * 100).toFixed(digits)} %`;
// 99.97 % is not 100 %, and 0.02 % is not nothing.
const asRate = (value) => {
  const shown = percent(value, 1);
  return (shown === '100.0 %' && value < 1) || (shown === '0.0 %' && value > 0) ? percent(value, 2) : shown;
};
const signed = (value, text) => (value > 0 ? '+' : value < 0 ? '−' : '±') + text;
const asMoney = (value) => (Math.abs(value) >= 1e6 ? SHORT_MONEY : Math.abs(value) < 1000 ? CENTS : MONEY).format(value);
const asDay = (day, withYear) =>
  new Date(day * DAY).toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', ...(withYear ? { year: 'numeric' } : {}) });
const asIso = (day) => new Date(day * DAY).toISOString().slice(0, 10);

const FORMATS = {
  text: (value) => String(value),
  status: (value) => String(value),
  count: (value) => (Math.abs(value) >= 1e7 ? SHORT : WHOLE).format(value),
  number: (value) => (Math.abs(value) >= 1000 ? TENTH : FINE).format(value),
  money: asMoney,
  rate: asRate,
  change: (value) => signed(value, percent(Math.abs(value), 1)),
  limits: ({ low, high }) => `${signed(low, percent(Math.abs(low), 0))} to ${signed(high, percent(Math.abs(high), 0))}`,
  points: (value) => signed(value, `${(Math.abs(value) * 100).toFixed(1)} points`),
  times: (value) => `${value.toFixed(2)}×`,
  day: (value) => asDay(value, true),
};
// `undefined` is what cannot be asked, as the cost per order of no order; null is what nobody knows.
const NONE = undefined;
const show = (value, format) => (value === NONE ? '–' : isKnown(value) ? (FORMATS[format] || FORMATS.text)(value) : UNKNOWN);
const plural = (count, one, many = `${one}s`) => `${WHOLE.format(count)} ${count === 1 ? one : many}`;
const isNumeric = (format) => !['text', 'prose', 'status', 'day'].includes(format);
