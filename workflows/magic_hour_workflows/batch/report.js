// The contact sheet: it filters the rows, shows a page of them as cards, and one of them in a dialog.
// Rule: texts of rows become text nodes and attributes, never markup; a page has at most 48 cards.
"use strict";

const PER_PAGE = 48;
const { labels, rows } = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const state = { text: "", statuses: new Set(), endpoints: new Set(), page: 1, matching: rows, open: null };

/** An element; its texts are never parsed as markup. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A text of a row, isolated from the text around it; control characters are shown as escapes. */
const own = (text) => make("bdi", { textContent: text.replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`) });
const pretty = (endpoint) => endpoint.replace(/^ai_/, "").replaceAll("_", " ");
const counted = (count, noun) => `${numbers.format(count)} ${noun}${count === 1 ? "" : "s"}`;

// --- media ---------------------------------------------------------------------------------------------------------

const PICTURES = /\.(png|jpe?g|jfif|webp|avif|gif|bmp)$/i;
const VIDEOS = /\.(mp4|m4v|mov|webm)$/i;
const SOUNDS = /\.(mp3|wav|m4a|aac|ogg|oga|opus|flac)$/i;

// Images load lazily by themselves, videos not in every browser, and a browser limits how many it loads.
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && !target.src) target.src = target.dataset.src;
    }
  },
  { rootMargin: "300px" },
);

function gone() {
  this.replaceWith(make("span", { className: "file", textContent: "This file cannot be shown. It may have been moved." }));
}

/** The output as a small image, or its file type. */
function thumbnail(row, index) {
  const path = row.paths[index];
  let element;
  if (PICTURES.test(path)) {
    element = make("img", { loading: "lazy", decoding: "async", alt: "" });
    element.src = row.urls[index];
  } else if (VIDEOS.test(path)) {
    element = make("video", { preload: "metadata", muted: true, playsInline: true, tabIndex: -1, "aria-hidden": "true" });
    element.dataset.src = `${row.urls[index]}#t=0.1`; // the first frame is often black
    nearby.observe(element);
  } else {
    return make("span", { className: "file", textContent: path.split(".").pop().toUpperCase() });
  }
  element.addEventListener("error", gone, { once: true });
  return element;
}

/** A player for a sound. */
function player(row, index, name) {
  const sound = make("audio", { controls: true, preload: "none", "aria-label": name, src: row.urls[index] });
  sound.addEventListener("error", gone, { once: true });
  return sound;
}

function large(row, index) {
  const path = row.paths[index];
  const name = `Output ${index + 1} of ${row.paths.length} of ${row.key}`;
  if (SOUNDS.test(path)) return player(row, index, name);
  if (VIDEOS.test(path)) {
    const video = make("video", { controls: true, preload: "metadata", playsInline: true, "aria-label": name });
    video.src = `${row.urls[index]}#t=0.1`;
    video.addEventListener("error", gone, { once: true });
    return video;
  }
  if (!PICTURES.test(path)) return thumbnail(row, index);
  const picture = make("img", { alt: name, src: row.urls[index] });
  picture.addEventListener("error", gone, { once: true });
  return picture;
}

// --- cards ---------------------------------------------------------------------------------------------------------

const pill = (row) =>
  make("span", { className: "pill" }, make("span", { className: `dot ${row.status}`, "aria-hidden": "true" }), labels[row.status]);

function figures(row) {
  const credits = row.credits === undefined ? "credits unknown" : counted(row.credits, "credit");
  const seconds = row.seconds === undefined ? [] : [`${numbers.format(row.seconds)} s`];
  const parts = [pretty(row.endpoint), [credits, ...seconds].join(" · ")];
  return make("p", { className: "figures" }, pill(row), ...parts.map((part) => make("span", { textContent: part })));
}

function copyable(command) {
  return make("span", { className: "command" }, make("code", { textContent: command, dir: "ltr" }), copyButton(command, "Copy the command"));
}

function remedies(row) {
  return make("div", { className: "remedy" }, ...(row.remedy ?? []).map(([words, command]) =>
    make("p", {}, own(words), command ? copyable(command) : null)));
}

function reason(row) {
  return make("p", { className: "error" }, row.error_type ? make("b", { textContent: `${row.error_type}: ` }) : null, own(row.error));
}

function media(row) {
  if (!row.paths && row.error) return null;
  if (!row.paths) return make("div", { className: "media none" }, remedies(row));
  if (row.paths.length === 1 && SOUNDS.test(row.paths[0])) {
    return make("div", { className: "media sound" }, player(row, 0, `Output of ${row.key}`));
  }
  const shown = Math.min(row.paths.length, 4);
  const box = make("div", { className: `media of-${shown === 3 ? 4 : shown}` });
  for (let index = 0; index < shown; index += 1) box.append(thumbnail(row, index));
  if (row.paths.length > 1) box.append(make("span", { className: "badge", textContent: counted(row.paths.length, "file") }));
  else if (VIDEOS.test(row.paths[0])) box.append(make("span", { className: "badge", textContent: "▶ Video" }));
  return box;
}

/** One row: the button in its heading covers the card, except for the commands. */
function card(row) {
  const button = make("button", { type: "button", className: "open", "aria-haspopup": "dialog" }, own(row.key));
  button.addEventListener("click", () => show(row));
  return make("li", {}, make("article", { className: `card ${row.status}` }, media(row),
    make("div", { className: "text" }, make("h3", { title: row.key }, button), row.prompt ? make("p", { className: "prompt" }, own(row.prompt)) : null,
      row.inputs ? make("p", { className: "from" }, "from ", own(row.inputs.map((name) => name.split("/").pop()).join(", "))) : null, figures(row),
      row.error ? reason(row) : null, row.error && row.remedy ? remedies(row) : null)));
}

// --- which rows ----------------------------------------------------------------------------------------------------

function words(row) {
  row.words ??= [row.key, row.prompt, row.id, row.name, row.error, row.error_type, ...(row.inputs ?? []), ...(row.paths ?? [])].filter(Boolean).join("\n").toLowerCase();
  return row.words;
}

/** The matching rows, and the number of matches for each filter, in one pass. */
function select() {
  const counts = { statuses: new Map(), endpoints: new Map() };
  const add = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
  state.matching = rows.filter((row) => {
    if (state.text && !words(row).includes(state.text)) return false;
    const status = !state.statuses.size || state.statuses.has(row.status);
    const endpoint = !state.endpoints.size || state.endpoints.has(row.endpoint);
    if (endpoint) add(counts.statuses, row.status);
    if (status) add(counts.endpoints, row.endpoint);
    return status && endpoint;
  });
  for (const field of ["statuses", "endpoints"]) {
    for (const count of by(field).querySelectorAll("b")) count.textContent = numbers.format(counts[field].get(count.dataset.value) ?? 0);
  }
}

function filter() {
  select();
  turn(1);
  by("clear").hidden = !(state.text || state.statuses.size || state.endpoints.size);
}

function turn(page) {
  const all = state.matching.length;
  const last = Math.max(1, Math.ceil(all / PER_PAGE));
  state.page = Math.min(Math.max(1, Math.trunc(page) || 1), last);
  const from = (state.page - 1) * PER_PAGE;
  const shown = state.matching.slice(from, from + PER_PAGE);
  nearby.disconnect();
  by("grid").replaceChildren(...shown.map(card));
  by("shown").textContent = all > shown.length
    ? `Rows ${numbers.format(from + 1)} to ${numbers.format(from + shown.length)} of ${numbers.format(all)}`
    : counted(all, "row");
  by("nothing").hidden = all > 0;
  by("pages").hidden = last === 1;
  by("page").value = state.page;
  by("page").max = last;
  by("last-page").textContent = numbers.format(last);
  by("first").disabled = by("previous").disabled = state.page === 1;
  by("last").disabled = by("next").disabled = state.page === last;
}

/** Another page, scrolled to its top. */
function leaf(page) {
  turn(page);
  by("results").focus({ preventScroll: true });
  by("results").scrollIntoView();
}

function chips(field, values, label, chosen) {
  if (values.length < 2) by(field).hidden = true;
  for (const value of values) {
    const box = make("input", { type: "checkbox", value });
    box.addEventListener("change", () => {
      chosen[box.checked ? "add" : "delete"](value);
      filter();
    });
    const count = make("b", {});
    count.dataset.value = value;
    const dot = field === "statuses" ? make("span", { className: `dot ${value}`, "aria-hidden": "true" }) : null;
    by(field).append(make("label", { className: "chip" }, box, dot, own(label(value)), " ", count));
  }
}

// --- details -------------------------------------------------------------------------------------------------------

function copyButton(text, name) {
  const button = make("button", { type: "button", className: "copy", textContent: "Copy", "aria-label": name });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Not every browser gives a local page access to the clipboard; all of them can copy a selection.
      const area = make("textarea", { value: text, readOnly: true, className: "unseen" });
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    by("said").textContent = `Copied: ${text}`;
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

/** An input: its name, a link if it is a file on this machine, and a small picture if it is one. */
function input(name, url) {
  if (!url) return make("li", {}, own(name));
  const link = make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, own(name));
  if (!PICTURES.test(name)) return make("li", {}, link);
  const picture = make("img", { loading: "lazy", decoding: "async", alt: "", src: url });
  picture.addEventListener("error", () => picture.remove(), { once: true });
  return make("li", {}, picture, link);
}

function fields(row) {
  const list = make("dl", { className: "fields" });
  const add = (name, ...values) => list.append(make("div", {}, make("dt", { textContent: name }), make("dd", {}, ...values)));
  if (row.prompt) add("Prompt", make("p", { className: "whole" }, own(row.prompt)));
  if (row.inputs) add("Inputs", make("ul", { className: "inputs" }, ...row.inputs.map((name, index) => input(name, row.input_urls[index]))));
  add("Status", pill(row));
  if (row.error) add("What went wrong", reason(row));
  if (row.remedy) add("What to do", remedies(row));
  add("Endpoint", row.endpoint);
  if (row.id) add("Id", make("code", { textContent: row.id }), " ", copyButton(row.id, "Copy the id"));
  if (row.name) add("Name", own(row.name));
  add("Credits", row.credits === undefined ? "Unknown whether any were charged" : numbers.format(row.credits));
  if (row.seconds !== undefined) add("Seconds", numbers.format(row.seconds));
  if (row.paths) {
    add("Files", make("ul", {}, ...row.paths.map((path, index) => make("li", {},
      make("a", { href: row.urls[index], target: "_blank", rel: "noopener noreferrer" }, own(path)),
      row.sha256?.[index] ? make("code", { className: "sum", textContent: row.sha256[index], title: "SHA-256" }) : null))));
  }
  return list;
}

function gallery(row) {
  const stage = make("div", { className: "stage" }, large(row, 0));
  if (row.paths.length === 1) return make("div", { className: "gallery" }, stage);
  const strip = make("div", { className: "strip", role: "group", "aria-label": "Outputs" });
  row.paths.forEach((_, index) => {
    const button = make("button", { type: "button", "aria-label": `Output ${index + 1}`, "aria-pressed": String(index === 0) }, thumbnail(row, index));
    button.addEventListener("click", () => {
      stage.replaceChildren(large(row, index));
      for (const other of strip.children) other.setAttribute("aria-pressed", String(other === button));
    });
    strip.append(button);
  });
  return make("div", { className: "gallery" }, stage, strip);
}

function show(row) {
  state.open = row;
  const place = state.matching.indexOf(row);
  by("details-title").replaceChildren(own(row.key));
  by("inside").replaceChildren(...(row.paths ? [gallery(row)] : []), fields(row));
  by("details").classList.toggle("bare", !row.paths);
  by("inside").scrollTop = 0;
  by("before").disabled = place <= 0;
  by("after").disabled = place === state.matching.length - 1;
  if (!by("details").open) by("details").showModal();
  by("details-title").focus();
}

function step(distance) {
  const row = state.matching[state.matching.indexOf(state.open) + distance];
  if (row) show(row);
}

/** Focus the card of the last row shown, which may be on another page. */
function closed() {
  by("inside").replaceChildren(); // stops a playing video
  const place = state.matching.indexOf(state.open);
  const page = Math.floor(place / PER_PAGE) + 1;
  if (page !== state.page) turn(page);
  by("grid").children[place % PER_PAGE]?.querySelector(".open").focus();
}

// --- wiring --------------------------------------------------------------------------------------------------------

for (const part of document.querySelectorAll(".bar span")) part.style.flexGrow = part.dataset.rows;
chips("statuses", Object.keys(labels).filter((status) => rows.some((row) => row.status === status)), (status) => labels[status], state.statuses);
chips("endpoints", [...new Set(rows.map((row) => row.endpoint))].sort(), pretty, state.endpoints);
filter();

by("search").addEventListener("input", (event) => {
  state.text = event.target.value.trim().toLowerCase();
  filter();
});
by("clear").addEventListener("click", () => {
  for (const box of document.querySelectorAll(".filters input[type=checkbox]")) box.checked = false;
  by("search").value = state.text = "";
  state.statuses.clear();
  state.endpoints.clear();
  filter();
  by("search").focus();
});
by("first").addEventListener("click", () => leaf(1));
by("previous").addEventListener("click", () => leaf(state.page - 1));
by("next").addEventListener("click", () => leaf(state.page + 1));
by("last").addEventListener("click", () => leaf(Math.ceil(state.matching.length / PER_PAGE)));
by("page").addEventListener("change", (event) => leaf(event.target.valueAsNumber));
by("before").addEventListener("click", () => step(-1));
by("after").addEventListener("click", () => step(1));
by("close").addEventListener("click", () => by("details").close());
by("details").addEventListener("close", closed);
by("details").addEventListener("click", (event) => { if (event.target === by("details")) by("details").close(); });
by("details").addEventListener("keydown", (event) => {
  if (event.target.matches("audio, video, input, textarea") || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || by("details").open || event.target.matches("input")) return;
  event.preventDefault();
  by("search").focus();
});
