// Demo Notes, a third-party app in the browser: authorization code with PKCE, step by step.
// What must survive the way to the login page and back lies in this tab's sessionStorage.

import { accessTokenHash, challenge, parse, random, verify } from "./playground_jose.js";
import { basic, hint, send } from "./playground_http.js";
import { $, announce, checks, claims, currentStep, exchanges, foldFinished, json, listenToToggles, mark, problem, show, values } from "./playground_show.js";

const app = { ...$("main").dataset };
const STORE = "latchway-playground";
let memory = JSON.parse(sessionStorage.getItem(STORE) ?? "{}");
let metadata;

function remember(changes) {
  memory = { ...memory, ...changes };
  sessionStorage.setItem(STORE, JSON.stringify(memory));
}

// 1: random values

async function prepare() {
  const verifier = random();
  remember({ verifier, challenge: await challenge(verifier), state: random(16), nonce: random(16) });
}

function showPrepared() {
  values("prepared", [
    ["code_verifier", memory.verifier, "The app’s secret for this one login."],
    ["code_challenge", memory.challenge, "Its SHA-256 hash, which may be seen by anyone."],
    ["state", memory.state, "Comes back unchanged, so the app knows that it asked."],
    ["nonce", memory.nonce, "Comes back inside the ID token."],
  ]);
  mark("prepare", "done");
}

// 2: the authorization request

function authorizationParameters() {
  const rows = [
    ["response_type", "code", "Please answer with a code."],
    ["client_id", app.clientId, "The app’s public name at this server."],
    ["redirect_uri", app.redirectUri, "Where to answer. It must be registered, letter by letter."],
    ["scope", app.scope, "What the app asks for. “openid” adds an ID token, “offline_access” a refresh token."],
    ["state", memory.state, "From step 1."],
    ["nonce", memory.nonce, "From step 1."],
    ["code_challenge", memory.challenge, "From step 1."],
    ["code_challenge_method", "S256", "The challenge is a SHA-256 hash. Nothing weaker is accepted."],
    ["prompt", "consent", "Ask me again, also if I allowed this before."],
  ];
  if (app.resource) rows.push(["resource", app.resource, "The API that the access token is for."]);
  return rows;
}

function showAuthorization() {
  const rows = authorizationParameters();
  const url = new URL(metadata.authorization_endpoint);
  for (const [name, value] of rows) url.searchParams.set(name, value);
  $("authorization-url").textContent = url.href.replace("?", "\n?").replaceAll("&", "\n&");
  values("authorization-parameters", rows);
  $("start").disabled = false;
  $("start").onclick = () => location.assign(url);
  mark("authorize", memory.callback ? "done" : "ready");
}

// 3: the answer

// Answers whether the person has just come back.
function takeCallback() {
  if (!location.pathname.endsWith("/callback") || !location.search) return false;
  // A code belongs to one attempt. What an older attempt left behind goes.
  const { verifier, challenge, state, nonce } = memory;
  memory = { verifier, challenge, state, nonce };
  remember({ callback: location.search });
  history.replaceState(null, "", location.pathname);
  return true;
}

function showCallback() {
  if (!memory.callback) return;
  const answer = new URLSearchParams(memory.callback);
  $("callback-url").textContent = `${app.redirectUri}${memory.callback}`.replace("?", "\n?").replaceAll("&", "\n&");
  $("callback-url").hidden = false;
  const error = answer.get("error");
  const rows = [
    { ok: answer.get("state") === memory.state, words: "The state is the one from step 1: this tab began the login." },
    { ok: answer.get("iss") === metadata.issuer, words: `The issuer is ${metadata.issuer}: no other server mixed in (RFC 9207).` },
    error
      ? { ok: false, words: `${error}: ${answer.get("error_description") ?? "no description"} – ${hint(error, 400)}` }
      : { ok: answer.has("code"), words: "There is a code." },
  ];
  const ok = checks("callback-checks", rows);
  mark("callback", ok ? "done" : "failed");
  $("exchange").disabled = !ok || Boolean(memory.tokens);
  mark("exchange", ok ? (memory.tokens ? "done" : "ready") : "waiting");
  if (!error && !ok) problem("The answer does not fit this tab’s request. A real app stops here. Start again with step 1.");
}

// 4 and 5: tokens

async function exchange() {
  const form = {
    grant_type: "authorization_code",
    code: new URLSearchParams(memory.callback).get("code"),
    redirect_uri: app.redirectUri,
    client_id: app.clientId,
    code_verifier: memory.verifier,
  };
  const result = await send("Code for tokens", metadata.token_endpoint, { form: withResource(form) });
  exchanges("token-response", [result]);
  if (result.status !== 200) return false;
  remember({ tokens: result.json, first: result.json, shown: result });
  $("exchange").disabled = true;
  await showTokens();
  return true;
}

async function showTokens() {
  if (!memory.tokens) return;
  exchanges("token-response", [memory.shown]);
  const { keys } = await (await fetch(metadata.jwks_uri)).json();
  const now = Date.now() / 1000;
  const common = (claims) => [
    { ok: claims.iss === metadata.issuer, words: "It was issued by this server." },
    { ok: claims.exp > now, words: `It is valid until ${new Date(claims.exp * 1000).toLocaleTimeString()}.` },
  ];
  const { id_token: idToken, access_token: accessToken } = memory.first;
  const results = [await showToken("access-token", accessToken, keys, ({ header, claims }) => [
    { ok: header.typ === "at+jwt", words: "Its type is at+jwt, so nobody takes it for an ID token (RFC 9068)." },
    { ok: claims.client_id === app.clientId, words: "It names this app." },
    ...common(claims),
  ])];
  if (idToken) {
    const expected = await accessTokenHash(accessToken, parse(idToken).header.alg);
    results.push(await showToken("id-token", idToken, keys, ({ claims }) => [
      { ok: [claims.aud].flat().includes(app.clientId), words: "It is meant for this app." },
      { ok: claims.nonce === memory.nonce, words: "The nonce is the one from step 1." },
      { ok: claims.at_hash === expected, words: "at_hash fits the access token." },
      ...common(claims),
    ]));
  }
  mark("tokens", results.every(Boolean) ? "done" : "failed");
  for (const step of ["userinfo", "introspect"]) ready(step);
  if (memory.tokens.refresh_token) for (const step of memory.replayed ? ["revoke"] : ["refresh", "revoke"]) ready(step);
}

async function showToken(id, raw, keys, more) {
  $(id).hidden = false;
  let token;
  try {
    token = parse(raw);
  } catch (error) {
    return checks(`${id}-checks`, [{ ok: false, words: error.message }]);
  }
  json(`${id}-header`, token.header);
  json(`${id}-claims`, token.claims);
  claims(`${id}-meaning`, token.claims);
  return checks(`${id}-checks`, [await verify(token, keys), ...more(token)]);
}

// 6 to 10: what one does with tokens

async function userinfo() {
  const headers = { Authorization: `Bearer ${memory.tokens.access_token}` };
  const result = await send("The user’s profile", metadata.userinfo_endpoint, { headers });
  exchanges("userinfo-response", [result]);
  return result.status === 200;
}

async function introspect() {
  const result = await askAbout(memory.tokens.access_token, "Is this token good?");
  exchanges("introspection", [result]);
  return result.status === 200;
}

async function refresh() {
  const before = memory.tokens;
  const result = await refreshWith(before.refresh_token, "A new access token");
  exchanges("refresh-response", [result]);
  if (result.status !== 200) return false;
  remember({ tokens: { ...before, ...result.json }, old: before.refresh_token });
  ready("replay");
  return checks("refresh-checks", [
    { ok: result.json.access_token !== before.access_token, words: "There is a new access token." },
    { ok: result.json.refresh_token !== before.refresh_token, words: "The refresh token was replaced by its successor." },
  ]);
}

async function replay() {
  const app1 = await refreshWith(memory.tokens.refresh_token, "The app uses the successor");
  const newest = app1.json ?? {};
  const thief = await refreshWith(memory.old, "The thief uses the old one");
  const app2 = await refreshWith(newest.refresh_token ?? memory.tokens.refresh_token, "The app tries its newest token");
  const token = await askAbout(newest.access_token ?? memory.tokens.access_token, "And the newest access token?");
  expect(thief, "As it should be: the old token is refused, and the server now knows that something is wrong.");
  expect(app2, "As it should be: the family is dead for the thief and for the app. A real app asks you to log in again.");
  exchanges("replay-response", [app1, thief, app2, token]);
  remember({ replayed: true });
  $("refresh").disabled = true;
  return checks("replay-checks", [
    { ok: app1.status === 200, words: "The app gets new tokens with the successor." },
    { ok: refused(thief), words: "The thief gets invalid_grant." },
    { ok: refused(app2), words: "The family is dead: the newest refresh token is refused too." },
    { ok: token.json?.active === false, words: "The newest access token is no longer active." },
  ]);
}

function refused(result) {
  return result.status === 400 && result.json?.error === "invalid_grant";
}

function expect(result, words) {
  if (refused(result)) Object.assign(result, { hint: words, expected: true });
}

async function revoke() {
  const form = { token: memory.tokens.refresh_token, token_type_hint: "refresh_token", client_id: app.clientId };
  const result = await send("Revoke the refresh token", metadata.revocation_endpoint, { form });
  const token = await askAbout(memory.tokens.access_token, "And the access token?");
  exchanges("revoke-response", [result, token]);
  return checks("revoke-checks", [
    { ok: result.status === 200, words: "The server took the token back." },
    { ok: token.json?.active === false, words: "The access token is no longer active." },
  ]);
}

function refreshWith(token, title) {
  const form = { grant_type: "refresh_token", refresh_token: token, client_id: app.clientId };
  return send(title, metadata.token_endpoint, { form: withResource(form) });
}

function askAbout(token, title) {
  const headers = { Authorization: basic(app.apiClientId, app.apiClientSecret) };
  return send(title, metadata.introspection_endpoint, { form: { token }, headers });
}

function withResource(form) {
  return app.resource ? { ...form, resource: app.resource } : form;
}

// The page as a whole

const ACTIONS = { exchange, userinfo, introspect, refresh, replay, revoke };
const ONCE = ["exchange", "replay"];

function ready(step) {
  $(step).disabled = false;
  mark(step, "ready");
}

function listen(step, action) {
  $(step).addEventListener("click", async () => {
    const button = $(step);
    button.disabled = true;
    let ok = false;
    try {
      ok = await action();
    } catch (error) {
      problem(`Step “${step}” failed in this page: ${error.message}`);
    }
    mark(step, ok ? "done" : "failed");
    announce(ok ? "Done. The answer is below the button." : "That did not work. The answer is below the button.");
    button.disabled = ok && ONCE.includes(step);
    // Redeeming the code fills the step after it, too.
    foldFinished(step === "exchange" ? "tokens" : step);
    end();
  });
}

// What comes after the last step.
function end() {
  $("next").hidden = Boolean(currentStep());
}

async function begin() {
  $("restart").addEventListener("click", () => {
    sessionStorage.removeItem(STORE);
    location.assign("/playground");
  });
  const origin = new URL(app.issuer).origin;
  if (location.origin !== origin) {
    problem(`Please open this page at ${origin}/playground. A browser keeps different addresses apart.`);
    return;
  }
  for (const [step, action] of Object.entries(ACTIONS)) listen(step, action);
  metadata = await (await fetch("/.well-known/openid-configuration")).json();
  listenToToggles();
  const returned = takeCallback();
  if (!memory.verifier) await prepare();
  showPrepared();
  showAuthorization();
  showCallback();
  await showTokens();
  if (memory.old && !memory.replayed) ready("replay");
  // A new visitor reads from the top; whoever has been away goes on where the next step is.
  if (memory.callback) foldFinished("callback");
  if (returned) show(currentStep() ?? $("step-callback"));
  end();
  $("main").dataset.ready = "true";
}

begin().catch((error) => problem(`This page could not start: ${error.message}. Does the server still run?`));
