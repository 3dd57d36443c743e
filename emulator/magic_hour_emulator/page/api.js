// The emulator's controls: every request that the page sends, and its event stream.
// Rule: the page can do nothing that a program cannot; docs/emulator.md describes each of these.

const ROOT = "/_emulator/";
const place = (path) => path.split("/").map(encodeURIComponent).join("/");

/** Send a request to a control; its JSON, or null if there is none. Throws with the emulator's own message. */
async function call(method, path, body) {
  const options = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(ROOT + path, { method, cache: "no-store", ...options });
  const content = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(content.message);
  return content;
}

export const api = {
  jobs: (before) => call("GET", `jobs?limit=100&before=${before}`),
  job: (id) => call("GET", `jobs/${place(id)}`),
  force: (id, status) => call("POST", `jobs/${place(id)}`, { status }),
  request: (number) => call("GET", `requests/${number}`),
  ledger: () => call("GET", "ledger"),
  storage: () => call("GET", "storage"),
  webhooks: () => call("GET", "webhooks"),
  kinds: () => call("GET", "kinds"),
  setClock: (change) => call("POST", "clock", change),
  addFault: (fault) => call("POST", "faults", fault),
  clearFaults: () => call("DELETE", "faults"),
  failNext: () => call("POST", "fail-next"),
  reset: () => call("POST", "reset"),
  output: (id, index) => `${ROOT}jobs/${place(id)}/outputs/${index}`,
  upload: (path) => `${ROOT}uploads/${place(path)}`,
};

/**
 * Follow the event stream: `heard[name](data)` for each event, `live(bool)` as the connection comes and goes. It closes
 * while nobody can see the page, because a browser has only six connections to an origin.
 */
export function follow(heard, live) {
  let stream = null;
  let timer = null;

  function open() {
    clearTimeout(timer);
    if (stream || document.hidden) return;
    stream = new EventSource(`${ROOT}events`);
    stream.onopen = () => live(true);
    stream.onerror = () => {
      live(false);
      close();
      timer = setTimeout(open, 1000); // a browser gives up after some errors, such as a 502
    };
    for (const [name, react] of Object.entries(heard)) stream.addEventListener(name, (event) => react(JSON.parse(event.data)));
  }

  function close() {
    stream?.close();
    stream = null;
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(close, 5000);
    else open();
  });
  open();
}
