// Follows the journal: asks for what is newer and waits for it. Without this script the page is as it was loaded.

const $ = (id) => document.getElementById(id);
const toolbar = $("toolbar");
const SHOWN = 200;
const WAIT = 15;
// What came meanwhile is told at once and not more often, in milliseconds.
const QUIET = 5000;

let last = Number(toolbar?.dataset.last ?? 0);
let paused = false;
let asking = null;
let untold = 0;

function entriesOf(html) {
  return [...new DOMParser().parseFromString(`<ol>${html}</ol>`, "text/html").querySelectorAll("li.entry")];
}

function show(items) {
  const list = $("entries");
  const fresh = items.filter((item) => !$(item.id));
  for (const item of fresh.reverse()) {
    item.classList.add("new");
    list.prepend(item);
  }
  while (list.children.length > SHOWN) {
    list.lastElementChild.remove();
  }
  $("count").textContent = String(Number($("count").textContent) + fresh.length);
  $("empty").hidden = list.children.length > 0;
  untold += fresh.length;
}

function tell() {
  if (untold > 0) {
    $("news").textContent = untold === 1 ? "1 new request" : `${untold} new requests`;
    untold = 0;
  }
}

function state(words) {
  $("live-words").textContent = words;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function ask() {
  const query = new URLSearchParams(toolbar.dataset.query);
  query.set("after", String(last));
  query.set("wait", String(WAIT));
  query.set("format", "fragment");
  asking = new AbortController();
  const response = await fetch(`/mock/journal?${query}`, { signal: asking.signal, cache: "no-store" });
  if (!response.ok) {
    throw new Error(`status ${response.status}`);
  }
  const items = entriesOf(await response.text());
  const newest = Number(response.headers.get("x-journal-last"));
  if (newest < last) {
    // Another mock has begun, and its numbers with it.
    location.reload();
    return;
  }
  last = newest;
  show(items);
}

async function follow() {
  for (;;) {
    if (paused || document.hidden) {
      await pause(250);
      continue;
    }
    try {
      await ask();
      state("Follows by itself");
    } catch (error) {
      if (error.name !== "AbortError") {
        state("The mock does not answer; trying again");
        await pause(2000);
      }
    }
  }
}

function toggle() {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  toolbar.classList.toggle("paused", paused);
  state(paused ? "Paused" : "Follows by itself");
  asking?.abort();
}

async function clear() {
  const query = new URLSearchParams(toolbar.dataset.query);
  const run = query.get("run");
  await fetch("/mock/journal", { method: "DELETE", headers: run ? { "x-mock-run": run } : {} });
  $("entries").replaceChildren();
  $("count").textContent = "0";
  $("empty").hidden = false;
  $("news").textContent = "The journal is empty";
}

if (toolbar) {
  for (const id of ["live", "pause", "clear"]) {
    $(id).hidden = false;
  }
  $("reload").hidden = true;
  $("pause").addEventListener("click", toggle);
  $("clear").addEventListener("click", clear);
  setInterval(tell, QUIET);
  // A page that goes away must not keep its question open.
  addEventListener("pagehide", () => asking?.abort());
  follow();
}
