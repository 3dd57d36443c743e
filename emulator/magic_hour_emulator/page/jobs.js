// The jobs: a list of rows that change in place, and one job with its media, its body and its timeline.

import { api } from "./api.js";
import { Rows, block, by, change, counted, json, make, mediaOf, milliseconds, moment, number, offset, own, player, plain, say, show, thumbnail, throttled, time } from "./dom.js";

const UNFINISHED = ["draft", "queued", "rendering"];
const state = { selected: null, total: 0 };

const pill = (status) => make("span", { className: `pill ${status}` }, make("i", { "aria-hidden": "true" }), plain(status));
const title = (job) => job.prompt || job.name || job.resource;

// --- the list ------------------------------------------------------------------------------------------------------

function row(id) {
  const parts = Object.fromEntries(["thumb", "title", "about", "status", "credits"].map((name) => [name, make("span", { className: name })]));
  const button = make("button", { type: "button", className: "row job", "aria-current": "false" }, parts.thumb, parts.title, parts.status, parts.about, parts.credits);
  button.addEventListener("click", () => { location.hash = `jobs/${id}`; });
  return {
    element: make("li", {}, button),
    text: (job) => [job.prompt, job.name ?? "", job.id, job.resource, job.status].join(" "),
    update(job) {
      const done = job.status === "complete";
      show(parts.thumb, [done, job.media], () => (done ? thumbnail(api.output(id, 0), job.media) : make("span", { className: "thumb waiting", "aria-hidden": "true" })));
      show(parts.title, title(job), (text) => own(text));
      show(parts.about, [time(job.created_at), job.resource, job.outputs], ([at, resource, outputs]) => [make("time", { textContent: at }), " ", own(resource), outputs > 1 ? ` × ${outputs}` : ""]);
      show(parts.status, job.status, pill);
      show(parts.credits, job.credits, (credits) => make("span", { textContent: counted(credits, "credit") }));
    },
  };
}

export const jobs = new Rows(by("job-list"), 200, row);
jobs.onchange = () => {
  by("jobs-count").textContent = counted(state.total, "job");
  by("tab-jobs").querySelector("b").textContent = number(state.total);
  by("no-jobs").hidden = state.total > 0;
  by("older").hidden = jobs.rows.size >= state.total;
  jobs.select(state.selected);
};

by("find-job").addEventListener("input", (event) => jobs.filter(event.target.value));
by("older").addEventListener("click", async () => {
  const { jobs: older } = await api.jobs(by("job-list").lastElementChild.dataset.id);
  for (const job of older) jobs.append(job.id, job);
  jobs.onchange();
  by("older").focus();
});

/** An event of the stream: jobs that are new, changed or deleted. */
export function heardJobs({ changed, deleted, total }) {
  state.total = total;
  for (const job of changed) jobs.put(job.id, job);
  for (const id of deleted) jobs.remove(id);
  jobs.onchange();
  if (changed.some((job) => job.id === state.selected) || deleted.includes(state.selected)) refresh();
}

/** An event of the stream: deliveries, some of which may be about the job in view. */
export function heardOfJobs({ added }) {
  if (added.some((attempt) => attempt.job_id === state.selected)) refresh();
}

/** An event of the stream: requests, some of which may be about the job in view. */
export function heardRequests({ changed }) {
  if (state.selected && changed.some((request) => request.path.includes(state.selected) || request.step === "upload-urls")) refresh();
}

// --- one job -------------------------------------------------------------------------------------------------------

const NAMES = ["head", "acts", "media", "facts", "timeline", "inputs", "body"];

/** Show a job, or none. */
export function openJob(id) {
  state.selected = id;
  jobs.select(id);
  by("job").hidden = id === null;
  by("job-hint").hidden = id !== null;
  if (id === null) return;
  by("job").replaceChildren(...NAMES.map((name) => make("div", { className: name })));
  load();
}

const refresh = throttled(() => load(), 300);

async function load() {
  const id = state.selected;
  if (id === null) return;
  const job = await api.job(id).catch(() => null);
  if (id !== state.selected) return;
  const parts = Object.fromEntries(NAMES.map((name) => [name, by("job").querySelector(`:scope > .${name}`)]));
  if (job === null) {
    show(parts.head, null, () => make("h2", { tabIndex: -1, textContent: "There is no such job any more." }));
    for (const name of NAMES.slice(1)) show(parts[name], null, () => []);
    return;
  }
  show(parts.head, [job.id, job.status, job.prompt, job.name, job.resource], () => head(job));
  show(parts.acts, [job.id, job.status, job.held], () => acts(job));
  show(parts.media, [job.id, job.status], () => media(job));
  show(parts.facts, [job.credits, job.polls, job.error, job.held], () => facts(job));
  show(parts.timeline, job.timeline, () => timeline(job));
  show(parts.inputs, job.inputs, () => inputs(job));
  show(parts.body, job.body, () => [make("h3", { textContent: "Body" }), block(json(job.body), "Body of the create")]);
}

function head(job) {
  const back = make("button", { type: "button", className: "back", textContent: "← Jobs" });
  back.addEventListener("click", () => { location.hash = "jobs"; });
  const kind = make("p", { className: "kind" }, back, own(job.resource), pill(job.status));
  const name = make("h2", { tabIndex: -1 }, own(job.name || job.resource));
  return [kind, name, job.prompt ? make("p", { className: "prompt" }, own(job.prompt)) : null];
}

function acts(job) {
  const act = (label, status, className = "") => {
    const button = make("button", { type: "button", className, textContent: label, "data-key": status });
    button.addEventListener("click", () => api.force(job.id, status).then(() => say(`${label}: done`), (problem) => say(problem.message, true)));
    return button;
  };
  if (!UNFINISHED.includes(job.status)) return [];
  const hold = job.held ? null : act("Hold", job.status);
  return [act("Fail this job", "error", "danger"), act("Complete now", "complete"), act("Cancel", "canceled"), hold];
}

function media(job) {
  if (job.status !== "complete") return [];
  return Array.from({ length: Math.min(job.outputs, 12) }, (_, index) => player(api.output(job.id, index), job.media, `Output ${index + 1} of ${job.outputs}`));
}

function facts(job) {
  const entry = (name, value) => make("div", {}, make("dt", { textContent: name }), make("dd", {}, value));
  const copy = make("button", { type: "button", className: "copy", textContent: "Copy", "aria-label": "Copy the id", "data-key": "copy" });
  copy.addEventListener("click", () => navigator.clipboard.writeText(job.id).then(() => say("Copied"), () => say("This browser does not allow copying", true)));
  return make("dl", {}, [
    job.error ? entry("Error", [own(job.error.code, "bad"), ": ", own(job.error.message)]) : null,
    entry("Id", [make("code", { textContent: job.id }), " ", copy]),
    entry("Credits", number(job.credits)),
    entry("Polls", number(job.polls)),
    entry("Created", moment(job.created_at)),
    job.type ? entry("Type", job.type) : null,
    job.held ? entry("Held", "stays in this state until it is moved") : null,
  ].filter(Boolean));
}

function inputs(job) {
  if (!job.inputs.length) return [];
  const item = (path) => make("li", {}, make("a", { href: api.upload(path), target: "_blank" }, thumbnail(api.upload(path), mediaOf(path)), own(path)));
  return [make("h3", { textContent: "Inputs" }), make("ul", { className: "files" }, job.inputs.map(item))];
}

// --- its timeline --------------------------------------------------------------------------------------------------

const STEPS = { "upload-urls": "Presign", put: "Upload", create: "Create", get: "Poll", delete: "Delete", download: "Download" };

/** The entries, with polls in a row that had the same answer as one. */
function grouped(entries) {
  const groups = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    const same = last && entry.step === "get" && last.step === "get" && last.status === entry.status && last.fault === entry.fault;
    if (same) groups[groups.length - 1] = { ...entry, at: last.at, times: last.times + 1 };
    else groups.push({ ...entry, times: 1 });
  }
  return groups;
}

function timeline(job) {
  const start = job.timeline.length ? job.timeline[0].at : job.created_at;
  return [make("h3", { textContent: "Timeline" }), make("ol", { className: "line" }, grouped(job.timeline).map((entry) => step(entry, entry.at - start)))];
}

function step(entry, passed) {
  const when = make("span", { className: "when", textContent: offset(Math.max(0, passed)) });
  if (entry.what === "delivery") {
    const place = make("span", { className: "place", title: plain(entry.url) }, own(`${entry.type} to ${entry.url}`));
    return make("li", { className: "still" }, when, make("b", { textContent: "Webhook" }), place, delivered(entry));
  }
  if (entry.what !== "request") {
    const credits = entry.what === "charge" ? -entry.credits : entry.credits;
    return make("li", { className: "still" }, when, make("b", { textContent: entry.what === "charge" ? "Charge" : "Refund" }), make("span", { className: "place", textContent: `${change(credits)} credits` }));
  }
  const name = `${STEPS[entry.step] ?? entry.method}${entry.times > 1 ? ` × ${entry.times}` : ""}`;
  const button = make(
    "button", { type: "button", "data-key": `request-${entry.number}` }, when, make("b", { textContent: name }),
    make("span", { className: "place", title: plain(entry.path) }, own(`${entry.method} ${entry.path}`)), outcome(entry),
  );
  button.addEventListener("click", () => { location.hash = `requests/${entry.number}`; });
  return make("li", {}, button);
}

/** Status, attempt and fault of a delivery. */
export function delivered(attempt) {
  const bad = attempt.status === null || attempt.status >= 300;
  return make("span", { className: "outcome" },
    attempt.fault ? make("span", { className: "fault" }, own(attempt.fault)) : null,
    make("span", { className: bad ? "status bad" : "status" }, own(attempt.status ?? attempt.problem)),
    make("span", { className: "took", textContent: attempt.number ? `attempt ${attempt.number}` : "" }));
}

/** Status, time and fault of a request. */
export function outcome(request) {
  const bad = request.status === null || request.status >= 400;
  return make("span", { className: "outcome" },
    request.fault ? make("span", { className: "fault" }, own(request.fault)) : null,
    make("span", { className: bad ? "status bad" : "status", textContent: request.status ?? "–" }),
    make("span", { className: "took", textContent: milliseconds(request.seconds) }));
}
