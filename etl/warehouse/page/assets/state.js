// What is shown, kept in the address after #: a link shows a colleague the same, and Back undoes the last choice.
const hasData = meta.last_day !== null;
const firstShown = hasData ? Math.max(meta.first_day, meta.last_day - meta.window_days + 1) : 0;
const daysShown = hasData ? meta.last_day - firstShown + 1 : 0;
const TABS = content.tabs.map((tab) => tab.id);
const ALIASES = { loss: 'trust', health: 'trust' };
const PRESETS = { 1: 'Last whole day', 7: '7 whole days', week: 'Last whole week', 14: '14 whole days', 28: '28 whole days', 56: '56 whole days', month: 'Month to date', last: 'Last month', all: `All ${daysShown} days` };
const VERSUS = { before: 'the days before', year: 'the year before', none: 'nothing' };
const MODELS = { first_touch: 'First', last_touch: 'Last', last_non_direct: 'Last non-direct', linear: 'Even', position_based: 'Both ends', time_decay: 'By time', markov: 'Markov' };
const CHOICES = { tab: TABS, days: Object.keys(PRESETS), vs: Object.keys(VERSUS), model: Object.keys(MODELS), theme: ['auto', 'light', 'dark'] };
const DEFAULTS = { tab: TABS[0], days: null, vs: 'before', model: 'last_non_direct', theme: 'auto' };
// Which filters mean something where.
const FILTERED = { traffic: DIMENSIONS, business: DIMENSIONS, marketing: ['channel'], features: [], trust: ['platform'] };

// A link from a failed check names it.
const ASKED = new URLSearchParams(location.hash.slice(1)).get('check');
const readHash = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  const made = { ...DEFAULTS, choices: {}, filters: {}, from: null, to: null };
  for (const [name, value] of given) {
    if (name === 'tab' && ALIASES[value]) made.tab = ALIASES[value];
    else if (name in CHOICES && CHOICES[name].includes(value)) made[name] = value;
    else if (name === 'check') made.choices.open = 'all';
    else if (name.startsWith('by.')) made.choices[name.slice(3)] = value;
    else if (DIMENSIONS.includes(name) && value) made.filters[name] = value.split('|').slice(0, 40);
  }
  const [from, to] = [ofIso(given.get('from')), ofIso(given.get('to'))];
  made.isOutside = from <= to && (to < firstShown || from > meta.last_day);
  if (from <= to && to >= firstShown && from <= meta.last_day) Object.assign(made, { from: Math.max(from, firstShown), to: Math.min(to, meta.last_day) });
  return made;
};
const writeHash = (wanted) => {
  const said = new URLSearchParams();
  for (const name of Object.keys(DEFAULTS)) if (wanted[name] !== DEFAULTS[name]) said.set(name, wanted[name]);
  if (isKnown(wanted.from)) { said.delete('days'); said.set('from', asIso(wanted.from)); said.set('to', asIso(wanted.to)); }
  for (const name of DIMENSIONS) if (wanted.filters[name]) said.set(name, wanted.filters[name].join('|'));
  for (const [panel, value] of Object.entries(wanted.choices)) said.set(`by.${panel}`, value);
  return said.toString();
};
let state = readHash();
// A choice is a step that Back takes back.
const go = (wanted) => {
  state = { ...state, isOutside: false, ...wanted };
  const hash = writeHash(state);
  if (hash !== location.hash.slice(1)) history.pushState(null, '', hash ? `#${hash}` : location.pathname + location.search);
  render();
};
const goFor = (panel, value) => go({ choices: { ...state.choices, [panel]: value } });
// A click on a row adds its value, a second one takes it away.
const toggleFilter = (dimension, value) => {
  const had = state.filters[dimension] || [];
  const kept = had.includes(value) ? had.filter((one) => one !== value) : [...had, value];
  const filters = { ...state.filters, [dimension]: kept };
  if (!kept.length) delete filters[dimension];
  go({ filters });
};
const dropFilter = (dimension) => {
  const filters = { ...state.filters };
  delete filters[dimension];
  go({ filters });
};
// The filters that the open tab obeys.
const filtersOf = (tab = state.tab) => Object.fromEntries(Object.entries(state.filters).filter(([name]) => FILTERED[tab].includes(name)));
