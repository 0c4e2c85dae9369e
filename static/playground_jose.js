// Base64url, PKCE and the checking of signed tokens, with nothing but WebCrypto.

const text = new TextEncoder();

export function encode(bytes) {
  const binary = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decode(value) {
  const binary = atob(value.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function random(length = 32) {
  return encode(crypto.getRandomValues(new Uint8Array(length)));
}

export async function challenge(verifier) {
  return encode(await crypto.subtle.digest("SHA-256", text.encode(verifier)));
}

// The three parts of a compact JWS. Throws when it is none.
export function parse(token) {
  const parts = token.split(".");
  if (parts.length !== 3) throw new Error("not a signed JWT: it should have three parts");
  const json = (part) => JSON.parse(new TextDecoder().decode(decode(part)));
  return {
    header: json(parts[0]),
    claims: json(parts[1]),
    signed: text.encode(`${parts[0]}.${parts[1]}`),
    signature: decode(parts[2]),
  };
}

const ALGORITHMS = {
  ES256: { import: { name: "ECDSA", namedCurve: "P-256" }, verify: { name: "ECDSA", hash: "SHA-256" }, hash: "SHA-256" },
  RS256: { import: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, verify: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  PS256: { import: { name: "RSA-PSS", hash: "SHA-256" }, verify: { name: "RSA-PSS", saltLength: 32 }, hash: "SHA-256" },
  EdDSA: { import: { name: "Ed25519" }, verify: "Ed25519", hash: "SHA-512" },
};

// Finds the key by its id and checks the signature. Says what happened in words.
export async function verify(token, keys) {
  const algorithm = ALGORITHMS[token.header.alg];
  if (!algorithm) return { ok: false, words: `This page cannot check ${token.header.alg} signatures.` };
  const jwk = keys.find((key) => key.kid === token.header.kid);
  if (!jwk) return { ok: false, words: `The server publishes no key with the id ${token.header.kid}.` };
  const { kty, crv, x, y, n, e } = jwk;
  try {
    const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y, n, e }, algorithm.import, false, ["verify"]);
    const ok = await crypto.subtle.verify(algorithm.verify, key, token.signature, token.signed);
    const words = ok ? "The signature is valid" : "The signature is NOT valid";
    return { ok, words: `${words}: ${token.header.alg}, key ${token.header.kid}.` };
  } catch (error) {
    return { ok: false, words: `Your browser could not check this ${token.header.alg} signature: ${error.message}` };
  }
}

// OpenID Connect Core §3.1.3.6: the left half of the hash of the access token.
export async function accessTokenHash(accessToken, alg) {
  const hash = await crypto.subtle.digest(ALGORITHMS[alg]?.hash ?? "SHA-256", text.encode(accessToken));
  return encode(hash.slice(0, hash.byteLength / 2));
}
