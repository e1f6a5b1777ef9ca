/* The first witness: Snowplow's browser tracker under the page's own id. `window.bh` is made by the lines in the page
   (templates/page.html.jinja), which count the view and fire the pixel without any of this. */
import {
  addGlobalContexts, disableAnonymousTracking, enableActivityTracking, newTracker, setUserId, trackPageView,
  trackSelfDescribingEvent,
} from "@snowplow/browser-tracker";
import { ClientHintsPlugin } from "@snowplow/browser-plugin-client-hints";
import { FormTrackingPlugin, enableFormTracking } from "@snowplow/browser-plugin-form-tracking";
import { LinkClickTrackingPlugin, enableLinkClickTracking } from "@snowplow/browser-plugin-link-click-tracking";
import { PerformanceNavigationTimingPlugin } from "@snowplow/browser-plugin-performance-navigation-timing";
import { SnowplowEcommercePlugin, trackTransaction } from "@snowplow/browser-plugin-snowplow-ecommerce";
import { onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";

const QUEUE = "snowplowOutQueue_bh";
const DROPPED = "bh_dropped";
const LATENESS_MS = 30 * 86400e3; // max_lateness_days: an older event would be refused as too_late.
const HEALTH = "iglu:dev.bloodhound/tracker_health/jsonschema/1-0-0";
const VITALS = "iglu:com.snowplowanalytics.snowplow/web_vitals/jsonschema/1-0-0";
const WEB_PAGE = "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0";

const bh = window.bh;
let page = bh.page;

/* What an earlier page left in the queue, and what was given up since: null when all is well. */
function inspectQueue() {
  try {
    const queue = JSON.parse(localStorage.getItem(QUEUE) || "[]");
    const dropped = Number(localStorage.getItem(DROPPED) || 0);
    const made = (entry) => Number((entry.payload || entry.evt || entry).dtm) || Date.now();
    const young = queue.filter((entry) => Date.now() - made(entry) < LATENESS_MS);
    if (young.length < queue.length) localStorage.setItem(QUEUE, JSON.stringify(young));
    localStorage.removeItem(DROPPED);
    if (!queue.length && !dropped) return null;
    const oldest = Math.min(...queue.map(made), Date.now());
    return {
      queued: young.length, oldest_seconds: Math.round((Date.now() - oldest) / 1000),
      purged: queue.length - young.length, dropped,
    };
  } catch (error) {
    return null; // No storage, no queue.
  }
}

function countDropped(failure) {
  if (failure.willRetry) return;
  try {
    localStorage.setItem(DROPPED, Number(localStorage.getItem(DROPPED) || 0) + failure.events.length);
  } catch (error) { /* Nowhere to note it. */ }
}

const mayKeep = bh.consent === "given";
const health = mayKeep ? inspectQueue() : null;

newTracker("bh", bh.trackers, {
  appId: bh.app,
  platform: "web",
  postPath: bh.postPath || undefined,
  contexts: { webPage: false, session: true },
  plugins: [
    PerformanceNavigationTimingPlugin(), ClientHintsPlugin(), LinkClickTrackingPlugin(), FormTrackingPlugin(),
    SnowplowEcommercePlugin(),
  ],
  // Written later, two events of two pages are given one index.
  synchronousCookieWrite: true,
  stateStorageStrategy: mayKeep ? "cookieAndLocalStorage" : "none",
  anonymousTracking: mayKeep ? false : { withServerAnonymisation: true },
  keepalive: true,
  encodeBase64: false,
  onRequestFailure: countDropped,
});
addGlobalContexts([() => ({ schema: WEB_PAGE, data: { id: page } })]);
enableActivityTracking({ minimumVisitLength: 5, heartbeatDelay: 10 });

const orders = {
  view(id) {
    page = id;
    if (bh.user) setUserId(bh.user);
    trackPageView();
  },
  user(id) {
    setUserId(id);
  },
  allow() {
    disableAnonymousTracking({ stateStorageStrategy: "cookieAndLocalStorage" });
  },
  order(transaction) {
    trackTransaction(transaction);
  },
  event(name, data) {
    trackSelfDescribingEvent({ event: { schema: `iglu:dev.bloodhound/${name}/jsonschema/1-0-0`, data: data || {} } });
  },
};

bh.flush = () => {
  while (bh.waiting.length) {
    const [name, ...values] = bh.waiting.shift();
    orders[name](...values);
  }
};
bh.flush();

enableLinkClickTracking({ pseudoClicks: true });
// What people write into a form is theirs: that a field was used is told, its value never.
enableFormTracking({ options: { fields: { transform: () => null } } });
if (health) trackSelfDescribingEvent({ event: { schema: HEALTH, data: health } });

const vitals = {};
const note = (metric) => { vitals[metric.name.toLowerCase()] = Math.round(metric.value * 1000) / 1000; };
[onCLS, onFCP, onINP, onLCP, onTTFB].forEach((watch) => watch(note));
addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "hidden" || !Object.keys(vitals).length || bh.vitals) return;
  bh.vitals = true;
  trackSelfDescribingEvent({ event: { schema: VITALS, data: vitals } });
});
