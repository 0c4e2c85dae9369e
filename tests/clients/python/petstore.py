"""Schemathesis against the mocked pet store: every check that it has.

BASE is the mock, DOCUMENT the document; TOKEN (if any) the access token and KEY the API key of every request. What is sent is the
same every time. It fails if an answer is a 5xx, or
not as the document says (status, media type, headers, schema); if a wrong request is taken or a right one is not; if a method
that is not there is answered; if something is there after its removal, or is not after its making; or if somebody gets in
without credentials or with bad ones.
"""

import os
import sys
import tempfile

from schemathesis.cli import schemathesis

arguments = [
    "run",
    os.environ["DOCUMENT"],
    "--url",
    os.environ["BASE"] + "/api/v3",
    "--checks",
    "all",
    "--max-examples",
    os.environ.get("EXAMPLES", "12"),
    "--generation-deterministic",
    "--request-timeout",
    "5",
    "--suppress-health-check",
    "all",
    "--no-color",
]
if token := os.environ.get("TOKEN"):
    arguments += ["--header", f"Authorization: Bearer {token}"]
if key := os.environ.get("KEY"):
    arguments += ["--header", f"api_key: {key}"]
if without := os.environ.get("WITHOUT"):
    arguments += ["--exclude-checks", without]
# It leaves a cache where it stands.
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    try:
        sys.exit(schemathesis(arguments))
    finally:
        os.chdir("/")
