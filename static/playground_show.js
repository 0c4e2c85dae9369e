// Puts things on the page. Values from outside are only ever set as text.

export const $ = (id) => document.getElementById(id);

const WORDS = { waiting: "", ready: "", done: "done", failed: "did not work" };

const STEPS = () => [...document.querySelectorAll(".step")];

export function mark(step, state) {
  const item = $(`step-${step}`);
  item.dataset.state = state;
  item.querySelector(".state").textContent = WORDS[state];
  // One button at a time is the next thing to do: that of a finished step is none any more.
  const main = item.querySelector(".button.primary, .button[data-main]");
  if (!main) return;
  main.dataset.main = "";
  main.classList.toggle("primary", state !== "done");
}

function fold(item, folded) {
  const toggle = item.querySelector(".toggle");
  item.querySelector(".body").hidden = folded;
  toggle.hidden = item.dataset.state !== "done";
  toggle.setAttribute("aria-expanded", String(!folded));
  toggle.firstChild.textContent = folded ? "Show" : "Hide";
}

export function listenToToggles() {
  for (const item of STEPS()) {
    item.querySelector(".toggle").addEventListener("click", () => fold(item, !item.querySelector(".body").hidden));
  }
}

// Folds what is finished; `open` names the step whose answer is being read.
export function foldFinished(open) {
  for (const item of STEPS()) fold(item, item.dataset.state === "done" && item.id !== `step-${open}`);
}

// The step that waits for the person: the first that is not done.
export function currentStep() {
  return STEPS().find((item) => item.dataset.state !== "done");
}

export function show(item) {
  item.querySelector("h2").focus({ preventScroll: true });
  item.scrollIntoView({ block: "center" });
}

export function announce(words) {
  $("announcement").textContent = words;
}

export function problem(words) {
  const box = $("problem");
  box.replaceChildren(make("p", words));
  box.hidden = false;
}

export function json(id, value) {
  $(id).textContent = JSON.stringify(value, null, 2);
}

// Rows of [name, value, meaning]; value or meaning may be left out.
export function values(id, rows) {
  $(id).replaceChildren(...rows.flatMap(([name, value, meaning]) => {
    const description = document.createElement("dd");
    if (value) description.append(make("code", value));
    if (meaning) description.append(meaning);
    return [make("dt", name), description];
  }));
}

// Rows of { ok, words }. Answers whether all are well.
export function checks(id, rows) {
  $(id).replaceChildren(...rows.map(({ ok, words }) => {
    const item = make("li", "");
    item.dataset.ok = String(ok);
    const line = make("span", words);
    if (!ok) line.prepend(make("strong", "Failed: "));
    item.append(line);
    return item;
  }));
  return rows.every(({ ok }) => ok);
}

export function exchanges(id, list) {
  $(id).replaceChildren(...list.map((exchange) => {
    const article = $("exchange-template").content.cloneNode(true).firstElementChild;
    article.dataset.status = String(exchange.status);
    article.querySelector("h3").textContent = exchange.title;
    article.querySelector(".request").textContent = exchange.request;
    article.querySelector(".response").textContent = exchange.response;
    article.querySelector(".curl pre").textContent = exchange.curl;
    article.querySelector(".copy").addEventListener("click", copy);
    const help = article.querySelector(".hint");
    if (exchange.hint) {
      help.textContent = exchange.hint;
      help.classList.toggle("good", Boolean(exchange.expected));
      help.hidden = false;
    }
    return article;
  }));
}

async function copy({ currentTarget: button }) {
  const source = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
  announce(button.textContent);
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function make(tag, words) {
  const element = document.createElement(tag);
  element.textContent = words;
  return element;
}

const CLAIMS = {
  iss: "Who issued it: this server.",
  sub: "Who it is about: your id here, which never changes.",
  aud: "Who it is for. Anybody else must refuse it.",
  azp: "The app it was issued to.",
  client_id: "The app that asked for it.",
  scope: "What it allows.",
  exp: "When it ends.",
  iat: "When it was issued.",
  nbf: "Not valid before.",
  auth_time: "When you last proved who you are.",
  nonce: "The app’s own random value, so that the token fits this login.",
  at_hash: "A hash of the access token, so that nobody can swap it.",
  jti: "Its own number, by which it can be revoked.",
  sid: "The login session.",
  acr: "How strong the login was.",
  amr: "How you proved who you are.",
  name: "Your name.",
  preferred_username: "Your user name.",
  email: "Your e-mail address.",
  email_verified: "Whether the address was confirmed.",
};

const TIMES = ["exp", "iat", "nbf", "auth_time"];

export function claims(id, list) {
  values(id, Object.entries(list).map(([name, value]) => {
    const plain = typeof value === "string" ? value : JSON.stringify(value);
    const shown = TIMES.includes(name) ? `${plain}  (${new Date(value * 1000).toLocaleString()})` : plain;
    return [name, shown, CLAIMS[name] ?? "A claim of this server."];
  }));
}
