// Numbers and days in words, in one locale. Nothing is known: `unknown`, never 0 and never an empty cell.
const DAY = 86400000;
const UNKNOWN = 'unknown';
const THIN = '\u202f';
const content = JSON.parse(document.getElementById('content').textContent);
const meta = content.meta;
const LOCALE = meta.locale;

const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const over = (part, whole) => (isKnown(part) && isKnown(whole) && whole !== 0 ? part / whole : null);
const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] || 0), 0);

const numbers = (options) => new Intl.NumberFormat(LOCALE, options);
const money = (options) => numbers({ style: 'currency', currency: meta.currency, currencyDisplay: 'narrowSymbol', ...options });
const WHOLE = numbers({ maximumFractionDigits: 0 });
const FINE = numbers({ maximumSignificantDigits: 3 });
const SHORT = numbers({ notation: 'compact', maximumSignificantDigits: 3 });
const MONEY = money({ maximumFractionDigits: 0 });
const CENTS = money({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SHORT_MONEY = money({ notation: 'compact', minimumFractionDigits: 0, maximumFractionDigits: 1 });
const fixed = (digits) => numbers({ minimumFractionDigits: digits, maximumFractionDigits: digits });
const FIXED = [0, 1, 2].map(fixed);

const percent = (value, digits) => `${FIXED[digits].format(value * 100)}${THIN}%`;
// 99.97 % is not 100 %, and 0.02 % is not nothing.
const asRate = (value) => {
  const digits = Math.abs(value) >= 0.0995 ? 0 : 1;
  const rounded = Number((value * 100).toFixed(digits));
  if ((rounded === 100 && value < 1) || (rounded === 0 && value > 0)) return percent(value, value > 0.5 ? 1 : 2);
  return percent(value, digits);
};
const signed = (value, text) => (value > 0 ? '+' : value < 0 ? '−' : '±') + text;
const asMoney = (value) => (Math.abs(value) >= 1e7 ? SHORT_MONEY : value !== 0 && Math.abs(value) < 100 ? CENTS : MONEY).format(value).replace('-', '−');
const days_ = (options) => new Intl.DateTimeFormat(LOCALE === 'en-US' ? 'en-GB' : LOCALE, { timeZone: 'UTC', ...options });
const SHORT_DAY = days_({ day: 'numeric', month: 'short' });
const LONG_DAY = days_({ day: 'numeric', month: 'short', year: 'numeric' });
const WEEK_DAY = days_({ weekday: 'short', day: 'numeric' });
const MONTH = days_({ month: 'short', year: 'numeric' });
const LONG_MONTH = days_({ month: 'long', year: 'numeric' });
const asDay = (day, withYear) => (withYear ? LONG_DAY : SHORT_DAY).format(new Date(day * DAY));
const asIso = (day) => new Date(day * DAY).toISOString().slice(0, 10);
const ofIso = (text) => (/^\d{4}-\d\d-\d\d$/.test(text || '') ? Math.round(Date.parse(`${text}T00:00:00Z`) / DAY) : NaN);
const asSpan = ({ start, end }) => {
  if (start === end) return asDay(start, true);
  const [one, other] = [new Date(start * DAY), new Date(end * DAY)];
  if (one.getUTCFullYear() !== other.getUTCFullYear()) return `${asDay(start, true)} – ${asDay(end, true)}`;
  return one.getUTCMonth() === other.getUTCMonth() && LOCALE.startsWith('en') ? `${one.getUTCDate()} – ${asDay(end, true)}` : `${asDay(start)} – ${asDay(end, true)}`;
};
const asHours = (hours) => (hours < 1 ? 'under an hour' : hours < 48 ? plural(Math.round(hours), 'hour') : plural(Math.round(hours / 24), 'day'));

const FORMATS = {
  text: String, name: String, prose: String, status: String,
  count: (value) => (Math.abs(value) >= 1e8 ? SHORT : WHOLE).format(value),
  number: (value) => (Math.abs(value) >= 100 ? WHOLE : FINE).format(value),
  mean: (value) => (value === 0 ? '0' : FIXED[2].format(value)),
  money: asMoney,
  rate: asRate,
  change: (value) => signed(value, asRate(Math.abs(value))),
  points: (value) => signed(value, `${FIXED[1].format(Math.abs(value) * 100)} points`),
  times: (value) => `${FIXED[2].format(value)}×`,
  seconds: (value) => (value < 120 ? `${WHOLE.format(value)} s` : `${WHOLE.format(value / 60)} min`),
  day: (value) => asDay(value, true),
};
FORMATS.bar = (value) => (value > 0 && value < 1 ? asRate(value) : FORMATS.count(value));
// `undefined` is what cannot be asked, as the cost per order of no order; null is what nobody knows.
const NONE = undefined;
const show = (value, format) => (value === NONE ? '–' : isKnown(value) ? (FORMATS[format] || FORMATS.text)(value) : UNKNOWN);
const asRange = ({ low, high }, format = 'rate') => (format === 'rate' ? `${signed(low, asRate(Math.abs(low)).replace(`${THIN}%`, ''))} to ${signed(high, asRate(Math.abs(high)))}` : `${show(low, format)} – ${show(high, format)}`);
const plural = (count, one, many = `${one}s`) => `${WHOLE.format(count)} ${count === 1 ? one : many}`;
const isNumeric = (format) => !['text', 'name', 'prose', 'status', 'day', 'range', 'moved', 'trend'].includes(format);

const COUNTRIES = new Intl.DisplayNames(LOCALE, { type: 'region', fallback: 'code' });
const countryName = (code) => { try { return /^[A-Z]{2}$/.test(code) ? COUNTRIES.of(code) : code; } catch { return code; } };
const named = (...parts) => parts.filter((part) => part !== null && part !== undefined).join(' · ') || '(none)';
const sliceName = (dimension, value) => (value === '(unknown)' ? UNKNOWN : dimension === 'country' ? countryName(value) : dimension === 'platform' || dimension === 'visitor_kind' ? value.replaceAll('_', ' ') : value);
