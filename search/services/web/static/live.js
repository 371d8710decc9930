// Keeps a page as the service has it now. The page is asked for again, and what changed is taken over in
// place, so that focus, scrolling and open parts stay. Texts come out of the server's own escaping.
"use strict";

const script = document.currentScript, search = script.dataset.search;
const PAGE_MS = 2000, PLOTS_MS = 3000;  // between two requests

// Times, in the clock of who looks

const FORMS = {
  clock: { hour: "2-digit", minute: "2-digit" },
  moment: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
};

function tellTimes(root) {
  for (const time of root.querySelectorAll("time[data-form]"))
    time.textContent = new Date(time.dateTime).toLocaleString([], FORMS[time.dataset.form]);
  for (const left of root.querySelectorAll("[data-until]")) left.textContent = `, ${remaining(left.dataset.until)}`;
}

function remaining(until) {
  const seconds = Math.max(0, Math.round((new Date(until) - Date.now()) / 1000));
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  const pad = number => String(number).padStart(2, "0");
  if (hours) return `${hours} h ${pad(minutes % 60)} min left`;
  return minutes ? `${minutes} min ${pad(seconds % 60)} s left` : `${seconds} s left`;
}

function say(text) {  // after the sentence before, if that was said just now
  const place = document.getElementById("announce");
  place.textContent = say.last ? `${say.last} ${text}` : text;
  say.last = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => place.textContent = say.last = "", 8000);
}

// Taking over what changed

function takeOver(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType === Node.TEXT_NODE) { old.data = fresh.data; return; }
  for (const { name } of [...old.attributes])
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.matches("form, input, select, textarea")) return;  // what somebody types stays
  if (fresh.querySelector(":scope > [data-key]") || old.querySelector(":scope > [data-key]")) takeOverKeyed(old, fresh);
  else takeOverChildren(old, fresh);
}

function takeOverChildren(old, fresh) {
  const before = [...old.childNodes], after = [...fresh.childNodes];
  const alike = before.length === after.length && before.every((node, i) => node.nodeName === after[i].nodeName);
  if (alike) before.forEach((node, i) => takeOver(node, after[i]));
  else old.replaceChildren(...after.map(node => document.importNode(node, true)));
}

function takeOverKeyed(old, fresh) {
  const known = new Map([...old.children].map(child => [child.dataset.key, child]));
  const held = old.contains(document.activeElement);
  let place = old.firstElementChild;
  for (const child of fresh.children) {
    const same = known.get(child.dataset.key);
    known.delete(child.dataset.key);
    if (same) takeOver(same, child);
    if (same && same === place) place = place.nextElementSibling;
    else old.insertBefore(same ?? document.importNode(child, true), place);
  }
  for (const gone of known.values()) gone.remove();
  if (held && !old.contains(document.activeElement)) old.focus();
}

let asked = 0, waiting;

async function refresh() {
  clearTimeout(waiting);
  waiting = undefined;
  asked = Date.now();
  let answer;
  try { answer = await fetch(location.href, { headers: { Accept: "text/html" } }); } catch { return; }  // away: try later
  if (answer.redirected) location.reload();  // to the login
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  tellTimes(fresh);
  const before = stateWord();
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other) takeOver(part, other);
  }
  if (search && stateWord() !== before) say(`The search is ${stateWord()}.`);
  if (search && !isEnded()) listen(fresh.querySelector("script[data-after]").dataset.after);
}

function refreshSoon() {
  waiting ??= setTimeout(refresh, Math.max(0, asked + PAGE_MS - Date.now()));
}

// Events of a search

const stateWord = () => document.getElementById("state-word")?.textContent.trim();
const isEnded = () => ["done", "failed", "cancelled"].includes(stateWord());
let stream;

function listen(after) {
  if (document.hidden || (stream && stream.readyState !== EventSource.CLOSED)) return;
  stream = new EventSource(`/api/searches/${search}/events?after=${after}`);
  const happened = () => { refreshSoon(); plotSoon(); };
  for (const kind of ["started", "epoch", "paused", "resumed", "ended", "void", "state", "progress"])
    stream.addEventListener(kind, happened);
  stream.addEventListener("end", () => { stream.close(); happened(); });
}

// Plots

let plotted = 0, plotting;

function plotSoon() {
  plotting ??= setTimeout(plot, Math.max(0, plotted + PLOTS_MS - Date.now()));
}

async function plot() {
  plotted = Date.now();
  try {
    const answer = await fetch(`/searches/${search}/figures`, { headers: { Accept: "application/json" } });
    if (answer.ok) await draw(await answer.json());
  } catch { /* the service is away: the next event plots again */ }
  plotting = undefined;
}

async function draw(figures) {
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--text");
  for (const place of document.querySelectorAll("[data-plot]")) {
    const figure = figures[place.dataset.plot];
    if (!figure) continue;
    figure.layout.font = { ...figure.layout.font, color: ink };
    figure.layout.uirevision = "kept";  // a zoom stays
    if (matchMedia("(pointer: coarse)").matches) {  // a finger scrolls the page, and does not zoom
      figure.layout.dragmode = false;
      for (const name in figure.layout) if (/^[xy]axis/.test(name)) figure.layout[name].fixedrange = true;
    }
    if (!place.classList.contains("js-plotly-plot")) place.textContent = "";
    await Plotly.react(place, figure.data, figure.layout, { responsive: true, displayModeBar: false });
  }
}

// Start

tellTimes(document);
setInterval(() => {
  for (const left of document.querySelectorAll("[data-until]")) left.textContent = `, ${remaining(left.dataset.until)}`;
}, 1000);
setInterval(() => document.hidden || refreshSoon(), Number(script.dataset.every));
document.addEventListener("visibilitychange", () => {  // a browser keeps few connections to a site
  if (document.hidden) stream?.close();
  else { refreshSoon(); if (search) plotSoon(); }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => search && plotSoon());
if (search) {
  plotSoon();
  if (!isEnded()) listen(script.dataset.after);
}
