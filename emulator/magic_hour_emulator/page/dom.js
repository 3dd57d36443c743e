// What all views share: elements, formats, thumbnails, and lists that stay short.
// Rule: texts become text nodes and attributes, never markup. A list never has more than its limit of rows.

export const by = (id) => document.getElementById(id);

/** An element; its texts are never parsed as markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name in element && name !== "role" && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** A text in which control characters and direction marks are seen. */
export const plain = (text) => String(text).replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
/** A text of a user or program, isolated from the text around it. */
export const own = (text, className) => make("bdi", { className, textContent: plain(text) });

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const signed = new Intl.NumberFormat("en", { signDisplay: "exceptZero" });
export const number = (value) => numbers.format(value);
export const change = (value) => signed.format(value).replace("-", "\u2212");
export const counted = (count, noun) => `${numbers.format(count)} ${noun}${count === 1 ? "" : "s"}`;
export const time = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);
export const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
export const milliseconds = (seconds) => (seconds === null ? "…" : seconds < 10 ? `${Math.round(seconds * 1000)} ms` : `${number(seconds)} s`);
export function bytes(count) {
  const step = count < 1000 ? 0 : count < 1e6 ? 1 : 2;
  return `${(count / 1000 ** step).toFixed(step && count / 1000 ** step < 10 ? 1 : 0)} ${["B", "kB", "MB"][step]}`;
}
export function offset(seconds) {
  if (seconds < 60) return `+${seconds.toFixed(2)} s`;
  return seconds < 3600 ? `+${(seconds / 60).toFixed(1)} min` : `+${(seconds / 3600).toFixed(1)} h`;
}
export const json = (value) => plain(JSON.stringify(value, null, 2));

/** A block of text that can be scrolled, also by keyboard. */
export const block = (text, label) => make("pre", { tabIndex: 0, role: "group", "aria-label": label }, make("code", { textContent: text }));

let silence;
/** Say something to everybody: below the page, and to screen readers. */
export function say(text, isProblem = false) {
  by("said").textContent = plain(text);
  by("said").classList.toggle("problem", isProblem);
  clearTimeout(silence);
  silence = setTimeout(() => { by("said").textContent = ""; }, isProblem ? 8000 : 3000);
}

/** Call `work` soon, and not more often than every so many milliseconds. */
export function throttled(work, pause) {
  let timer = null;
  let again = false;
  return function call() {
    if (timer) { again = true; return; }
    timer = setTimeout(() => { timer = null; if (again) { again = false; call(); } }, pause);
    work();
  };
}

/** Replace the content of a part if its value is another one, and keep the focus. */
export function show(part, value, build) {
  const key = JSON.stringify(value);
  if (part.shown === key) return;
  part.shown = key;
  const focused = part.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  part.replaceChildren(...[build(value)].flat().filter(Boolean));
  if (focused === null) return;
  const next = focused && part.querySelector(`[data-key="${CSS.escape(focused)}"]`);
  (next || part.closest(".detail")?.querySelector("h2"))?.focus();
}

// --- lists ---------------------------------------------------------------------------------------------------------

/** Rows with ids, newest first. `row()` makes { element, update(item), text(item) }; the element has one button. */
export class Rows {
  constructor(list, limit, row) {
    Object.assign(this, { list, limit, row, rows: new Map(), pending: new Map(), wanted: "", frame: null });
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Show items at the next frame: known ones change in place, others come first. */
  put(id, item) {
    this.pending.delete(id);
    this.pending.set(id, item);
    this.frame ??= requestAnimationFrame(() => this.flush());
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    let fresh = [...this.pending].filter(([id]) => !this.rows.has(id));
    for (const [id, item] of this.pending) if (this.rows.has(id)) this.#update(this.rows.get(id), item);
    this.pending.clear();
    for (const [id, item] of fresh.slice(-this.limit)) this.list.prepend(this.#create(id, item));
    while (this.rows.size > this.limit) this.remove(this.list.lastElementChild.dataset.id);
    this.onchange?.();
  }

  /** Add an older item at the end; the limit grows with it. */
  append(id, item) {
    if (this.rows.has(id)) return;
    this.limit += 1;
    this.list.append(this.#create(id, item));
  }

  remove(id) {
    this.pending.delete(id);
    this.rows.get(id)?.element.remove();
    this.rows.delete(id);
  }

  clear() {
    this.pending.clear();
    this.rows.clear();
    this.list.replaceChildren();
    this.onchange?.();
  }

  filter(text) {
    this.wanted = text.toLowerCase();
    for (const row of this.rows.values()) this.#hide(row);
  }

  select(id) {
    for (const [each, row] of this.rows) row.element.firstChild.setAttribute("aria-current", each === id ? "true" : "false");
  }

  #create(id, item) {
    const row = this.row(id);
    row.element.dataset.id = id;
    this.rows.set(id, row);
    this.#update(row, item);
    return row.element;
  }

  #update(row, item) {
    row.found = row.text(item).toLowerCase();
    row.update(item);
    this.#hide(row);
  }

  #hide(row) {
    row.element.hidden = !row.found.includes(this.wanted);
  }

  #move(event) {
    const steps = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling", Home: "first", End: "last" };
    const step = steps[event.key];
    if (!step) return;
    let next = step === "first" ? this.list.firstElementChild : step === "last" ? this.list.lastElementChild : event.target.closest("li")[step];
    while (next?.hidden) next = next[step === "first" ? "nextElementSibling" : step === "last" ? "previousElementSibling" : step];
    event.preventDefault();
    next?.firstElementChild.focus();
    next?.firstElementChild.click();
  }
}

// --- media ---------------------------------------------------------------------------------------------------------

const nearby = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    nearby.unobserve(target);
    queue.push(target);
    draw();
  }
}, { rootMargin: "200px" });

// One at a time: a browser has six connections to an origin, and the emulator renders on demand.
const queue = [];
let drawing = false;

async function draw() {
  if (drawing || !queue.length) return;
  drawing = true;
  const canvas = queue.shift();
  if (canvas.isConnected) await paint(canvas).catch(() => canvas.classList.add("gone"));
  drawing = false;
  draw();
}

async function paint(canvas) {
  const { url, media } = canvas.dataset;
  let source;
  if (media.startsWith("image/")) {
    source = make("img", { src: url });
    await source.decode();
  } else {
    source = make("video", { muted: true, preload: "auto", src: `${url}#t=0.1` });
    await new Promise((done, fail) => {
      source.addEventListener("loadeddata", done, { once: true });
      source.addEventListener("error", fail, { once: true });
      setTimeout(fail, 10_000);
    });
  }
  const [width, height] = [source.naturalWidth ?? source.videoWidth, source.naturalHeight ?? source.videoHeight];
  const scale = Math.max(canvas.width / width, canvas.height / height);
  const [w, h] = [width * scale, height * scale];
  canvas.getContext("2d").drawImage(source, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  canvas.classList.add("drawn");
  source.removeAttribute("src");
  if (source.load) source.load(); // lets go of the connection
}

/** The first frame of a picture or a video, drawn once it is in sight; animations do not move in a list. */
export function thumbnail(url, media) {
  if (media.startsWith("audio/")) return make("span", { className: "thumb sound", textContent: "♪", "aria-hidden": "true" });
  if (!/^(image|video)\//.test(media)) return make("span", { className: "thumb", "aria-hidden": "true" });
  const canvas = make("canvas", { className: "thumb", width: 112, height: 84, "aria-hidden": "true" });
  Object.assign(canvas.dataset, { url, media });
  nearby.observe(canvas);
  return canvas;
}

/** A player for an output, or the picture; an animated one moves only where people have not asked for less motion. */
export function player(url, media, label) {
  const still = media === "image/gif" && matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (still) return make("a", { href: url, target: "_blank" }, thumbnail(url, media), `${label}, animated`);
  if (media.startsWith("video/")) return make("video", { src: url, controls: true, loop: true, preload: "metadata", "aria-label": label });
  if (media.startsWith("audio/")) return make("audio", { src: url, controls: true, preload: "metadata", "aria-label": label });
  return make("a", { href: url, target: "_blank" }, make("img", { src: url, alt: label, loading: "lazy" }));
}

/** What a file is, by its extension. */
export function mediaOf(path) {
  const extension = path.split(".").pop().toLowerCase();
  if (/^(png|jpe?g|webp|avif|gif|bmp)$/.test(extension)) return "image/*";
  if (/^(mp4|m4v|mov|webm)$/.test(extension)) return "video/*";
  return /^(mp3|wav|m4a|aac|ogg|flac)$/.test(extension) ? "audio/*" : "";
}
