// Periods are of whole days; a day of which only a part is in the data ends none and is compared with none.
const wholeDays = new Set(frame('witness').filter((row) => row.dimension === 'all' && row.is_complete).map((row) => row.date));
const lastWhole = wholeDays.size ? Math.max(...wholeDays) : meta.last_day;
const isWholeSpan = (span) => days(span).every((day) => wholeDays.has(day));
// 1 January 1970 was a Thursday.
const weekday = (day) => (((day + 3) % 7) + 7) % 7;
const monthStart = (day, back = 0) => { const at = new Date(day * DAY); return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() - back, 1) / DAY; };
const sameDayOf = (day, yearsBack, monthsBack) => {
  const at = new Date(day * DAY);
  const start = Date.UTC(at.getUTCFullYear() - yearsBack, at.getUTCMonth() - monthsBack, 1) / DAY;
  const next = Date.UTC(at.getUTCFullYear() - yearsBack, at.getUTCMonth() - monthsBack + 1, 1) / DAY;
  return Math.min(start + at.getUTCDate() - 1, next - 1);
};
const spanOf = (preset) => {
  if (preset === 'all') return { start: firstShown, end: meta.last_day };
  if (preset === 'month') return { start: monthStart(lastWhole), end: lastWhole };
  if (preset === 'last') return { start: monthStart(lastWhole, 1), end: monthStart(lastWhole) - 1 };
  if (preset === 'week') { const end = lastWhole - ((weekday(lastWhole) + 1) % 7); return { start: end - 6, end }; }
  return { start: lastWhole - Number(preset) + 1, end: lastWhole };
};
const beforeOf = (span, preset, versus) => {
  const length = span.end - span.start + 1;
  if (versus === 'none') return null;
  if (preset === 'month' || preset === 'last') {
    const [years, months] = versus === 'year' ? [1, 0] : [0, 1];
    const end = preset === 'last' ? (versus === 'year' ? sameDayOf(span.end, 1, 0) : span.start - 1) : sameDayOf(span.end, years, months);
    return { start: sameDayOf(span.start, years, months), end };
  }
  // 52 weeks back, so that a Sunday is beside a Sunday.
  const back = versus === 'year' ? 364 * Math.ceil(length / 364) : length;
  return { start: span.start - back, end: span.end - back };
};
// The longest period that can be compared with the one before it.
const usual = hasData ? ['28', '14', '7'].find((preset) => {
  const span = spanOf(preset);
  const before = beforeOf(span, preset, 'before');
  return before.start >= firstShown && isWholeSpan(span) && isWholeSpan(before);
}) || 'all' : 'all';
DEFAULTS.days = usual;
if (state.days === null) state.days = usual;
const period = (of = state) => {
  const preset = isKnown(of.from) ? 'own' : of.days ?? usual;
  const wanted = preset === 'own' ? { start: of.from, end: of.to } : spanOf(preset);
  const span = { start: Math.max(wanted.start, firstShown), end: Math.max(wanted.end, firstShown) };
  const length = span.end - span.start + 1;
  const isCut = span.start > wanted.start;
  const isWhole = hasData && isWholeSpan(span);
  const other = hasData ? beforeOf(span, preset, of.vs) : null;
  const reason = of.vs === 'none' ? '' : !isWhole ? 'not compared: a day of it is not whole' : isCut || other.start < firstShown ? 'nothing whole before it' : isWholeSpan(other) ? null : 'nothing whole before it';
  return { ...span, length, preset, isCut, isWhole, before: reason === null ? other : null, reason: reason ?? '' };
};
const inWords = (span) => (span.length === 1 ? `on ${asDay(span.end)}` : span.preset === 'last' || span.preset === 'month' ? `in ${LONG_MONTH.format(new Date(span.start * DAY))}${span.preset === 'month' ? ` up to ${asDay(span.end)}` : ''}` : `in the ${span.length} days to ${asDay(span.end)}`);
const beforeWords = (span) => (!span.before ? '' : state.vs === 'year' ? 'a year before' : span.length === 1 ? 'the day before' : span.preset === 'month' || span.preset === 'last' ? 'the month before' : `the ${span.length} before`);
const partWords = (day) => (day === meta.last_day && meta.data_to && meta.data_to.slice(0, 10) === asIso(day) ? `to ${meta.data_to.slice(11)}` : 'in part');
const notesIn = (span) => meta.notes.filter((note) => note.start <= span.end && note.end >= span.start);
