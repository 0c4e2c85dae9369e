#!/bin/sh
# An API's test in CI: what does it answer to whom? One mock, any token by one command.
set -eu
MOCK=${MOCK:-http://127.0.0.1:8080}
status() { curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" "$MOCK/orders"; }
token() { latchway mock token --url "$MOCK" "$@"; }

test "$(status "$(token --sub alice --scope orders:read)")" = 200
test "$(status "$(token --sub alice --scope profile)")" = 403
for defect in expired not_yet_valid wrong_issuer wrong_audience bad_signature unknown_key alg_none wrong_typ missing_claim; do
  test "$(status "$(token --sub alice --scope orders:read --defect $defect)")" = 401
done

# The journal tells what happened, to assert on.
curl -s "$MOCK/mock/journal?path=/orders&status=401" | grep -q '"count":9'
echo "the API keeps its doors"
