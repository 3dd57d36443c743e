// The requests: one line each, and one request with its headers and bodies. Secrets never reach this page.

import { api } from "./api.js";
import { Rows, block, by, bytes, counted, json, make, milliseconds, moment, number, own, plain, show, time } from "./dom.js";
import { outcome } from "./jobs.js";

const state = { selected: null, total: 0 };

function row(id) {
  const button = make("button", { type: "button", className: "row request", "aria-current": "false" });
  button.addEventListener("click", () => { location.hash = `requests/${id}`; });
  return {
    element: make("li", {}, button),
    text: (request) => [request.origin, request.method, request.path, request.status ?? "", request.fault ?? "", request.step ?? ""].join(" "),
    update: (request) => show(button, request, () => [
      make("time", { textContent: time(request.at) }), make("b", { textContent: plain(request.method) }),
      make("span", { className: "place" }, request.origin === "api" ? null : make("span", { className: "origin", textContent: request.origin }), own(request.path)), outcome(request),
    ]),
  };
}

export const requests = new Rows(by("request-list"), 400, row);
requests.onchange = () => {
  by("requests-count").textContent = requests.rows.size < state.total ? `last ${number(requests.rows.size)} of ${number(state.total)}` : counted(state.total, "request");
  by("tab-requests").querySelector("b").textContent = number(state.total);
  by("no-requests").hidden = state.total > 0;
  requests.select(state.selected);
};
by("find-request").addEventListener("input", (event) => requests.filter(event.target.value));

/** An event of the stream: requests that are new or have got further. */
export function heard({ changed, total }) {
  state.total = total;
  for (const request of changed) requests.put(String(request.number), request);
  requests.onchange();
  if (changed.some((request) => String(request.number) === state.selected)) load();
}

/** Show a request, or none. */
export function openRequest(id) {
  state.selected = id;
  requests.select(id);
  by("request").hidden = id === null;
  by("request-hint").hidden = id !== null;
  if (id !== null) load();
}

async function load() {
  const id = state.selected;
  const request = await api.request(id).catch(() => null);
  if (id !== state.selected) return;
  show(by("request"), request, () => (request === null ? make("h2", { tabIndex: -1, textContent: "There is no such request any more." }) : detail(request)));
}

function detail(request) {
  const back = make("button", { type: "button", className: "back", textContent: "← Requests", "data-key": "back" });
  back.addEventListener("click", () => { location.hash = "requests"; });
  const entry = (name, value) => make("div", {}, make("dt", { textContent: name }), make("dd", {}, value));
  const facts = make("dl", {}, [
    entry("Status", String(request.status ?? "no response")),
    entry("Time", moment(request.at)),
    entry("Took", milliseconds(request.seconds)),
    entry("Origin", request.origin),
    entry("Step", request.step ?? "–"),
    entry("Authorization", request.authorization),
    request.fault ? entry("Fault", own(request.fault, "fault")) : null,
  ].filter(Boolean));
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
  return [
    make("p", { className: "kind" }, back, make("span", { textContent: `Request ${request.number}` })),
    make("h2", { tabIndex: -1 }, own(`${request.method} ${request.path}`)),
    make("div", { className: "facts" }, facts, jobLink(request)),
    ...body("Request body", request.request_body),
    ...body("Response body", request.response_body),
    make("details", {}, make("summary", { textContent: "Request headers", "data-key": "headers" }), block(plain(headers), "Request headers")),
  ];
}

function jobLink(request) {
  const id = [...request.issued, ...request.path.split("/")].find((name) => /^c[a-z0-9]{24}$/.test(name));
  if (!id || request.path.includes("api-assets")) return null;
  return make("p", {}, make("a", { href: `#jobs/${id}`, textContent: "Show its job", "data-key": "job" }));
}

function body(label, content) {
  if (content === null) return [make("h3", { textContent: label }), make("p", { className: "soft", textContent: "Not kept: only the last 500 requests have bodies." })];
  const about = content.bytes ? `${bytes(content.bytes)}${content.type ? `, ${content.type}` : ""}` : "empty";
  const heading = make("h3", {}, label, make("span", { className: "soft", textContent: ` ${plain(about)}` }));
  if ("json" in content) return [heading, block(json(content.json), label)];
  return "text" in content ? [heading, block(plain(content.text), label)] : [heading];
}
