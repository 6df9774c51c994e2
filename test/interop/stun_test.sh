#!/bin/bash
# `jsp stun` and `jsp nat` against coturn: the mapped address over UDP, TCP and TLS, the round trip and the server's name; and, from its two
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
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=coturn -keyout "$scratch/key" \
  -out "$scratch/cert" -addext subjectAltName=DNS:localhost 2>/dev/null
turnserver -n --listening-ip=127.0.0.1 --listening-ip=127.0.0.2 --listening-port="$port" --tls-listening-port=$((port + 2)) \
  --stun-only --cert="$scratch/cert" --pkey="$scratch/key" --no-dtls --no-cli \
  --pidfile="$scratch/pid" --log-file=stdout --simple-log >"$scratch/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT

# Until the server listens, the system refuses at once; afterwards the first request is answered.
until json="$("$jsp" stun "stun:127.0.0.1:$port" --json - --timeout 5)"; do
  [[ $SECONDS -lt 30 ]] || { cat "$scratch/log" && exit 1; }
done 2>/dev/null
echo "$json"
[[ "$json" == *'"ok":true'* && "$json" == *'"address":"127.0.0.1"'* && "$json" == *'"software":"Coturn'* ]]

# The same over TCP and TLS; and a server that is not to be trusted.
json="$("$jsp" stun "stun:127.0.0.1:$port" --tcp --json -)"
[[ "$json" == *'"ok":true'* && "$json" == *'"address":"127.0.0.1"'* ]] || { echo "over TCP: $json" && exit 1; }
json="$("$jsp" stun "stuns:localhost:$((port + 2))" --ca-file "$scratch/cert" --json -)"
[[ "$json" == *'"ok":true'* && "$json" == *'"address":"127.0.0.1"'* ]] || { echo "over TLS: $json" && exit 1; }
said="$("$jsp" stun "stuns:localhost:$((port + 2))" 2>&1)" && { echo "an unknown CA was believed" && exit 1; }
echo "$said"
[[ "$said" == *"which is not trusted here"* ]]

json="$("$jsp" nat "stun:127.0.0.1:$port" --json -)"
echo "$json"
for expected in '"ok":true' '"mapping":"endpoint-independent"' '"filtering":"endpoint-independent"' '"translated":false'; do
  [[ "$json" == *"$expected"* ]] || { echo "not in the report: $expected" && exit 1; }
done
