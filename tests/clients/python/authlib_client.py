"""The whole flow by Authlib.

It fails if discovery, PKCE, `state`, the ID token's signature, nonce or claims, userinfo, refresh, introspection or
revocation is not as the standards have it.
"""

import os
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the server under test is on loopback

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from person import walk

ISSUER, CLIENT_ID, REDIRECT_URI = (os.environ[name] for name in ("ISSUER", "CLIENT_ID", "REDIRECT_URI"))
SUBJECT = os.environ["SUBJECT"]
SECRET = os.environ.get("CLIENT_SECRET")

server = requests.get(f"{ISSUER}/.well-known/openid-configuration").json()
assert server["issuer"] == ISSUER, server
keys = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())

session = OAuth2Session(
    CLIENT_ID,
    SECRET,
    token_endpoint_auth_method="client_secret_basic" if SECRET else "none",
    revocation_endpoint_auth_method="client_secret_basic" if SECRET else "none",
    scope="openid profile email offline_access",
    redirect_uri=REDIRECT_URI,
    code_challenge_method="S256",
)

# Authorization code with PKCE.
verifier, nonce = generate_token(48), generate_token(20)
start, state = session.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
back = walk(start, ISSUER, os.environ["LOGIN"], os.environ["PASSWORD"])
assert back.startswith(REDIRECT_URI), back
token = session.fetch_token(server["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
assert token["token_type"].lower() == "bearer" and token["refresh_token"], token

# The ID token.
algorithms = server["id_token_signing_alg_values_supported"]
decoded = jwt.decode(token["id_token"], keys, algorithms=algorithms)
params = {"nonce": nonce, "client_id": CLIENT_ID, "access_token": token["access_token"]}
claims = CodeIDToken(decoded.claims, decoded.header, {"iss": {"value": ISSUER}, "aud": {"value": CLIENT_ID}}, params)
claims.validate(now=int(time.time()), leeway=0)
assert claims["sub"] == SUBJECT, claims
assert claims["at_hash"], claims

# The access token, as an API verifies it (RFC 9068).
access = jwt.decode(token["access_token"], keys, algorithms=["ES256", "EdDSA", "RS256", "PS256"])
assert access.header["typ"] == "at+jwt", access.header
assert access.claims["iss"] == ISSUER and access.claims["client_id"] == CLIENT_ID, access.claims

# Userinfo.
person = session.get(server["userinfo_endpoint"]).json()
assert person["sub"] == SUBJECT and "@" in person["email"], person

# Introspection, by those who can authenticate.
if SECRET:
    told = session.introspect_token(server["introspection_endpoint"], token=token["access_token"]).json()
    assert told["active"] is True and told["sub"] == SUBJECT, told

# Refresh: rotated, the same person.
refreshed = session.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"])
assert refreshed["refresh_token"] != token["refresh_token"], "the refresh token is rotated"
assert session.get(server["userinfo_endpoint"]).json()["sub"] == SUBJECT

# Revocation of the refresh token: everything of this grant is dead.
answer = session.revoke_token(server["revocation_endpoint"], token=refreshed["refresh_token"])
assert answer.status_code == 200, answer.text
try:
    session.refresh_token(server["token_endpoint"], refresh_token=refreshed["refresh_token"])
    raise AssertionError("a revoked refresh token was taken")
except OAuthError as error:
    assert error.error == "invalid_grant", error
for dead in (token["access_token"], refreshed["access_token"]):
    answer = requests.get(server["userinfo_endpoint"], headers={"Authorization": f"Bearer {dead}"})
    assert answer.status_code == 401, answer.text

# A token of the app's own.
if SECRET:
    own = OAuth2Session(CLIENT_ID, SECRET, scope=os.environ["MACHINE_SCOPE"])
    token = own.fetch_token(server["token_endpoint"], grant_type="client_credentials")
    claims = jwt.decode(token["access_token"], keys, algorithms=["ES256", "EdDSA", "RS256", "PS256"]).claims
    assert claims["sub"] == CLIENT_ID and "refresh_token" not in token, token

print("Authlib is content")
