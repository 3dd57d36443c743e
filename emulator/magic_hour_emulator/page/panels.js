// The smaller views: clock, faults, ledger, storage.

import { api } from "./api.js";
import { by, bytes, change, counted, make, mediaOf, moment, number, own, say, show, thumbnail, throttled, time } from "./dom.js";
import { delivered } from "./jobs.js";

const SHOWN = 200;
const problem = (error) => say(error.message, true);

// --- clock ---------------------------------------------------------------------------------------------------------

let clock = null;

/** An event of the stream: the clock was set. Between events it is computed, because it passes evenly. */
export function heardClock(data) {
  clock = { ...data, at: performance.now() };
  const known = [...by("speed").options].some((option) => Number(option.value) === data.speed);
  if (!known) by("speed").append(make("option", { value: data.speed, textContent: `× ${number(data.speed)}` }));
  by("speed").value = String(data.speed);
  by("freeze").setAttribute("aria-pressed", String(data.frozen));
  by("freeze").textContent = data.frozen ? "Frozen" : "Freeze";
  tick();
}

function tick() {
  if (!clock) return;
  const now = clock.now + (clock.frozen ? 0 : ((performance.now() - clock.at) / 1000) * clock.speed);
  const text = `${moment(now)} UTC`;
  if (by("now").textContent !== text) by("now").textContent = text;
}
setInterval(tick, 250);

const advance = (seconds) => api.setClock({ advance: seconds }).then(() => say(`Advanced by ${counted(seconds, "second")}`), problem);

export function setUpClock() {
  by("speed").addEventListener("change", (event) => api.setClock({ speed: Number(event.target.value) }).catch(problem));
  by("freeze").addEventListener("click", () => api.setClock({ frozen: !clock?.frozen }).catch(problem));
  for (const button of document.querySelectorAll("[data-advance]")) button.addEventListener("click", () => advance(Number(button.dataset.advance)));
  by("advance").addEventListener("submit", (event) => {
    event.preventDefault();
    const seconds = Number(by("seconds").value);
    if (by("seconds").value && seconds >= 0) advance(seconds);
    else say("Give the number of seconds to advance by", true);
  });
}

// --- faults --------------------------------------------------------------------------------------------------------

const form = by("fault-form");
let kinds = new Map();
let places = { steps: [], operations: {} };

/** The form is made from the emulator's own table of kinds, so a new kind needs no change here. */
export async function setUpFaults() {
  const data = await api.kinds();
  kinds = new Map(data.kinds.map((kind) => [kind.name, kind]));
  places = data;
  const sides = [...new Set(data.kinds.map((kind) => kind.side))];
  const options = (side) => data.kinds.filter((kind) => kind.side === side).map((kind) => make("option", { textContent: kind.name }));
  by("kind").replaceChildren(...sides.map((side) => make("optgroup", { label: side }, options(side))));
  by("kind").addEventListener("change", showKind);
  form.addEventListener("submit", addFault);
  by("clear-faults").addEventListener("click", () => api.clearFaults().then(() => say("All faults are removed"), problem));
  by("fail-next").addEventListener("click", () => api.failNext().then(() => say("The next job will fail"), problem));
  by("lose-reply").addEventListener("click", () => api.addFault({ kind: "close", on: "create", phase: "after" }).then(() => say("The next create will be carried out, and its reply lost"), problem));
  showKind();
}

function showKind() {
  const kind = kinds.get(by("kind").value);
  by("summary").replaceChildren(...kind.summary.split("`").map((text, at) => (at % 2 ? make("code", { textContent: text }) : text)));
  const operations = Object.entries(places.operations).filter(([, step]) => kind.steps.includes(step)).map(([name]) => name);
  by("on").replaceChildren(
    make("option", { value: "*", textContent: "any step" }),
    make("optgroup", { label: "Steps" }, kind.steps.map((step) => make("option", { textContent: step }))),
    make("optgroup", { label: "Operations" }, operations.map((name) => make("option", { textContent: name }))),
  );
  by("phase").replaceChildren(...kind.phases.map((phase) => make("option", { value: phase, textContent: `${phase} the request is carried out` })));
  by("parameters").replaceChildren(...kind.parameters.map(field));
  by("fault-problem").textContent = "";
}

function field(parameter) {
  const choices = parameter.choices ?? (typeof parameter.default === "boolean" ? [false, true] : null);
  const name = `parameter ${parameter.name}`;
  const hint = parameter.required ? "required" : JSON.stringify(parameter.default);
  if (!choices) return make("label", {}, parameter.name, make("input", { name, placeholder: parameter.default === null ? "" : hint, autocomplete: "off", required: parameter.required }));
  const option = (value) => make("option", { value: JSON.stringify(value), textContent: String(value), selected: value === parameter.default });
  const none = parameter.default === null ? [make("option", { value: "", textContent: "none" })] : [];
  return make("label", {}, parameter.name, make("select", { name }, ...none, choices.map(option)));
}

/** What was typed, as JSON if it is some, else as text. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function addFault(event) {
  event.preventDefault();
  const fault = {};
  for (const [name, text] of new FormData(form)) {
    if (text === "") continue;
    fault[name.replace("parameter ", "")] = ["kind", "on", "phase"].includes(name) ? text : parsed(text);
  }
  try {
    await api.addFault(fault);
    by("fault-problem").textContent = "";
    say(`Added: ${fault.kind}`);
  } catch (error) {
    by("fault-problem").textContent = error.message;
  }
}

/** An event of the stream: the faults to come, and those that happened. */
export function heardFaults({ pending, fired, fired_total: total }) {
  by("tab-faults").querySelector("b").textContent = pending.length ? number(pending.length) : "";
  by("clear-faults").hidden = !pending.length;
  const item = (fault, rest) => make("li", {}, own(fault.kind, "fault"), " ", own(`on ${fault.on === "*" ? "any step" : fault.on}, ${fault.phase}`), make("span", { className: "soft" }, own(rest)));
  const limits = (fault) => [fault.times === null ? "no limit" : fault.times > 1 ? `${fault.times} times` : "once", fault.nth > 1 ? `from match ${fault.nth}` : "", fault.probability < 1 ? `probability ${fault.probability}` : "", given(fault)].filter(Boolean).join(", ");
  show(by("pending"), pending, () => (pending.length ? pending.map((fault) => item(fault, limits(fault))) : make("li", { className: "soft", textContent: "No faults: every request gets its normal response." })));
  show(by("fired"), [fired, total], () => (total ? fired.toReversed().map(({ fault, operation, number: nth }) => item({ ...fault, on: operation }, `match ${nth}`)) : make("li", { className: "soft", textContent: "None so far." })));
}

function given(fault) {
  const names = kinds.get(fault.kind)?.parameters.map((parameter) => parameter.name) ?? [];
  return names.filter((name) => fault[name] !== null).map((name) => `${name} ${JSON.stringify(fault[name])}`).join(", ");
}

// --- webhooks ------------------------------------------------------------------------------------------------------

const attempts = [];

/** An event of the stream: attempts to deliver an event to a webhook. */
export function heardDeliveries({ added, total }) {
  attempts.push(...added);
  attempts.splice(0, attempts.length - SHOWN);
  by("tab-webhooks").querySelector("b").textContent = total ? number(total) : "";
  by("no-attempts").hidden = total > 0;
  showWebhooks();
}

export const forgetDeliveries = () => { attempts.length = 0; };

export const showWebhooks = throttled(async () => {
  if (by("webhooks").hidden) return;
  const { webhooks } = await api.webhooks().catch(() => ({ webhooks: [] }));
  show(by("targets"), webhooks, () => (webhooks.length ? webhooks.map((url) => make("li", {}, own(url.split("?")[0]))) : make("li", { className: "soft", textContent: "No targets." })));
  show(by("attempts"), attempts, () => attempts.toReversed().map((attempt) => make("li", {}, make("a", { className: "still", href: `#jobs/${attempt.job_id}` },
    make("span", { className: "when", textContent: time(attempt.at) }), make("b", {}, own(attempt.type)), make("span", { className: "place" }, own(attempt.url)), delivered(attempt)))));
}, 500);

// --- ledger --------------------------------------------------------------------------------------------------------

/** An event of the stream: the sums. The entries are read only while somebody looks at them. */
export function heardLedger(sums) {
  by("tab-ledger").querySelector("b").textContent = number(sums.balance);
  const parts = [["Opening balance", sums.opening_balance, ""], ["Bought", sums.bought, "+"], ["Charged", sums.charged, "\u2212"], ["Refunded", sums.refunded, "+"], ["Balance", sums.balance, "="], ["Jobs accepted", sums.accepted, ""]];
  show(by("sums"), sums, () => parts.filter(([, value, sign]) => value || sign !== "+").map(([name, value, sign]) => make("div", { "data-sign": sign }, make("dt", { textContent: name }), make("dd", { textContent: number(value) }))));
  showLedger();
}

export const showLedger = throttled(async () => {
  if (by("ledger").hidden) return;
  const ledger = await api.ledger().catch(() => null);
  if (!ledger) return;
  const resources = new Map(ledger.creates.map((create) => [create.id, create.operation]));
  const entries = [...ledger.charges.map((move) => ["Charge", -move.credits, move]), ...ledger.refunds.map((move) => ["Refund", move.credits, move])];
  entries.sort(([, , first], [, , second]) => second.at - first.at);
  const charged = new Set();
  const twice = new Set(ledger.charges.map((move) => move.id).filter((id) => charged.has(id) || !charged.add(id)));
  by("verdict").textContent = twice.size ? `${counted(twice.size, "job")} charged more than once` : `No job was charged twice. ${entries.length > SHOWN ? `The last ${SHOWN} of ${number(entries.length)} entries:` : ""}`;
  by("verdict").classList.toggle("bad", twice.size > 0);
  show(by("entries"), entries.slice(0, SHOWN), (shown) => shown.map(([name, credits, move]) => make("tr", {},
    make("td", { textContent: time(move.at) }), make("td", { textContent: name }), make("td", { className: "number", textContent: change(credits) }),
    make("td", {}, make("a", { href: `#jobs/${move.id}`, textContent: move.id })), make("td", {}, own(resources.get(move.id) ?? "")))));
}, 1000);

// --- storage -------------------------------------------------------------------------------------------------------

export const showStorage = throttled(async () => {
  if (by("storage").hidden) return;
  const { uploads, outputs, sums } = await api.storage().catch(() => ({}));
  if (!sums) return;
  by("upload-sum").textContent = `${counted(sums.uploads, "file")}, ${bytes(sums.upload_bytes)}`;
  by("output-sum").textContent = `${counted(sums.outputs, "file")}, ${bytes(sums.output_bytes)}; an output is made when somebody asks for it`;
  const file = (url, path, about) => make("li", {}, make("a", { href: url, target: "_blank" }, thumbnail(url, mediaOf(path)), own(path)), make("span", { className: "soft", textContent: about }));
  show(by("uploads"), uploads, () => uploads.map((each) => file(api.upload(each.file_path), each.file_path, `${bytes(each.bytes)}, ${each.expires_at === null ? "does not expire" : `expires ${moment(each.expires_at)}`}`)));
  show(by("outputs"), outputs, () => outputs.map((each) => file(api.output(each.job, each.index), each.path, bytes(each.bytes))));
}, 1000);
