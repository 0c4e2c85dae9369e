#!/bin/sh
# Admin versus user: the same request, answered by who asks.
set -eu
MOCK=${MOCK:-http://127.0.0.1:8080}
orders() { curl -s -H "Authorization: Bearer $(latchway mock token --url "$MOCK" --sub "$1" --scope orders:read)" "$MOCK/orders"; }

orders alice | grep -q '"tea"'
! orders alice | grep -q 'kettle\|margin'
orders bob | grep -q '"margin":3.*"margin":20'
echo "Alice sees her tea, Bob sees it all"
