#!/bin/bash
# `jsp stun` and `jsp nat` against coturn: the mapped address, the round trip and the server's name; and, from its two
# addresses, that loopback neither maps nor filters.
#
# usage: stun_test.sh JSP-BINARY
set -euo pipefail

jsp="$1"
if ! command -v turnserver >/dev/null; then
  echo "JSP-SKIPPED: coturn's turnserver is not installed"
  exit 0
fi

scratch="$(mktemp -d)"
port=$((20000 + RANDOM % 20000))
turnserver -n --listening-ip=127.0.0.1 --listening-ip=127.0.0.2 --listening-port="$port" --stun-only --no-tls --no-dtls --no-cli \
  --pidfile="$scratch/pid" --log-file=stdout --simple-log >"$scratch/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT

# Until the server listens, the system refuses at once; afterwards the first request is answered.
until json="$("$jsp" stun "stun:127.0.0.1:$port" --json - --timeout 5)"; do
  [[ $SECONDS -lt 30 ]] || { cat "$scratch/log" && exit 1; }
done 2>/dev/null
echo "$json"
[[ "$json" == *'"ok":true'* && "$json" == *'"address":"127.0.0.1"'* && "$json" == *'"software":"Coturn'* ]]

json="$("$jsp" nat "stun:127.0.0.1:$port" --json -)"
echo "$json"
for expected in '"ok":true' '"mapping":"endpoint-independent"' '"filtering":"endpoint-independent"' '"translated":false'; do
  [[ "$json" == *"$expected"* ]] || { echo "not in the report: $expected" && exit 1; }
done
