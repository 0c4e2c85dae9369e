// Sends a request and keeps what a reader wants to see: the request as text, the answer as text, the same with curl.

const SHOWN_HEADERS = ["content-type", "cache-control", "www-authenticate", "retry-after"];

const HINTS = {
  invalid_grant: "The code or the refresh token was used already, is too old, or was withdrawn. Start again with step 1.",
  invalid_client: "The server does not know this client, or its secret is wrong. Restart the server in development mode.",
  invalid_token: "The access token is expired or withdrawn. Refresh it, or start again with step 1.",
  invalid_request: "A parameter is missing, doubled or malformed. The description says which.",
  invalid_scope: "The client may not have one of these scopes.",
  invalid_target: "The server does not know this API, or the client may not call it.",
  unauthorized_client: "This client may not use this grant.",
  access_denied: "You chose Deny. That is fine: nothing was given away. Start again if you want to see the rest.",
  login_required: "Nobody is logged in. Start again and log in.",
  consent_required: "The app has no permission yet. Start again and allow it.",
  server_error: "Something failed in the server. Its log has the details.",
  temporarily_unavailable: "The server is busy. Wait a few seconds and try again.",
};

export function hint(code, status) {
  if (HINTS[code]) return HINTS[code];
  if (status === 429) return "Too many requests. Wait a little and try again.";
  if (status >= 500) return "Something failed in the server. Its log has the details.";
  return "The answer says what is wrong. If it is not clear, the server’s log has more.";
}

// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
export function basic(id, secret) {
  const form = (value) => new URLSearchParams({ v: value }).toString().slice(2);
  return `Basic ${btoa(`${form(id)}:${form(secret)}`)}`;
}

// `form` makes it a POST. Resolves also when the server cannot be reached, with status 0.
export async function send(title, url, { form, headers = {} } = {}) {
  const body = form && new URLSearchParams(form).toString();
  const method = form ? "POST" : "GET";
  const all = form ? { ...headers, "Content-Type": "application/x-www-form-urlencoded" } : headers;
  const request = describe(method, new URL(url), all, body);
  const exchange = { title, request, curl: curl(method, url, headers, form), status: 0, json: null, response: "" };
  try {
    const answer = await fetch(url, { method, headers: all, body, cache: "no-store", credentials: "omit", redirect: "error" });
    const raw = await answer.text();
    exchange.status = answer.status;
    exchange.json = parseJson(raw);
    exchange.response = respond(answer, exchange.json ? JSON.stringify(exchange.json, null, 2) : raw);
  } catch (error) {
    exchange.response = `No answer: ${error.message}`;
    exchange.hint = "The server could not be reached. Does it still run?";
    return exchange;
  }
  if (exchange.status >= 400) exchange.hint = hint(exchange.json?.error, exchange.status);
  return exchange;
}

function describe(method, url, headers, body) {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `Host: ${url.host}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body) lines.push("", body.replaceAll("&", "\n&"));
  return lines.join("\n");
}

function respond(answer, body) {
  const lines = [`HTTP/1.1 ${answer.status} ${answer.statusText}`.trimEnd()];
  for (const name of SHOWN_HEADERS) {
    const value = answer.headers.get(name);
    if (value) lines.push(`${name}: ${value}`);
  }
  if (body) lines.push("", body);
  return lines.join("\n");
}

function curl(method, url, headers, form) {
  const quote = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  const parts = [`curl ${quote(url)}`];
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quote(`${name}: ${value}`)}`);
  for (const [name, value] of Object.entries(form ?? {})) parts.push(`--data-urlencode ${quote(`${name}=${value}`)}`);
  return parts.join(" \\\n  ");
}

function parseJson(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}
