// The page as a whole: views, the address bar, the keyboard, and who hears which event.

import { api, follow } from "./api.js";
import { by, say } from "./dom.js";
import { heardJobs, heardOfJobs, heardRequests, jobs, openJob } from "./jobs.js";
import { forgetDeliveries, heardClock, heardDeliveries, heardFaults, heardLedger, setUpClock, setUpFaults, showLedger, showStorage, showWebhooks } from "./panels.js";
import { heard, openRequest, requests } from "./requests.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const viewOf = (tab) => tab.getAttribute("aria-controls");
const OPEN = { jobs: openJob, requests: openRequest };
const SHOW = { webhooks: showWebhooks, ledger: showLedger, storage: showStorage };

/** Show what the address says: `#requests/12` is a view and an item in it. */
function route() {
  const [wanted, item] = location.hash.slice(1).split("/");
  const view = tabs.some((tab) => viewOf(tab) === wanted) ? wanted : "jobs";
  for (const tab of tabs) {
    const selected = viewOf(tab) === view;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    by(viewOf(tab)).hidden = !selected;
  }
  by(view).classList.toggle("open", Boolean(item));
  OPEN[view]?.(item ? decodeURIComponent(item) : null);
  SHOW[view]?.();
}

by("tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) location.hash = viewOf(tab);
});
by("tabs").addEventListener("keydown", (event) => {
  const at = tabs.indexOf(event.target);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || next === undefined) return;
  event.preventDefault();
  const tab = tabs[(next + tabs.length) % tabs.length];
  location.hash = viewOf(tab);
  tab.focus();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || by("confirm").open) return;
  const view = tabs.find((tab) => tab.tabIndex === 0);
  if (event.key === "/" && !event.target.matches("input, select, textarea")) {
    const find = by(viewOf(view)).querySelector(".find");
    if (find) { event.preventDefault(); find.focus(); find.select(); }
  } else if (event.key === "Escape" && location.hash.includes("/")) {
    const row = by(viewOf(view)).querySelector(".row[aria-current=true]");
    location.hash = viewOf(view);
    setTimeout(() => row?.focus());
  }
});

by("reset").addEventListener("click", () => { by("confirm").returnValue = "no"; by("confirm").showModal(); });
by("confirm").addEventListener("close", () => {
  if (by("confirm").returnValue === "yes") api.reset().then(() => say("The emulator is as new"), (error) => say(error.message, true));
});

function live(connected) {
  by("live").textContent = connected ? "Live" : "Not connected";
  by("live").classList.toggle("off", !connected);
}

/** The stream starts, also after a reset or a restart: what the page knew may be gone. */
function start({ url }) {
  by("exports").textContent = `export MAGIC_HOUR_BASE_URL=${url}\nexport MAGIC_HOUR_API_KEY=…`;
  jobs.clear();
  requests.clear();
  forgetDeliveries();
  route();
}

window.addEventListener("hashchange", route);
setUpClock();
route();
await setUpFaults().catch((error) => say(error.message, true)); // first: what the stream says of faults is shown by their kinds
follow(
  {
    start,
    jobs: (data) => { heardJobs(data); showStorage(); },
    requests: (data) => { heard(data); heardRequests(data); showStorage(); },
    deliveries: (data) => { heardDeliveries(data); heardOfJobs(data); },
    ledger: heardLedger,
    clock: heardClock,
    faults: heardFaults,
  },
  live,
);
