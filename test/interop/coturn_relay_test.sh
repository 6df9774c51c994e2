#!/bin/bash
# `jsp connect` and `jsp serve` through coturn: relayed pairs over UDP and TCP, a file both ways, and what is said when the
# server refuses.
#
# usage: coturn_relay_test.sh JSP-BINARY
set -euo pipefail

jsp="$1"
if ! command -v turnserver >/dev/null; then
  echo "JSP-SKIPPED: coturn's turnserver is not installed"
  exit 0
fi

scratch="$(mktemp -d)"
port=$((20000 + RANDOM % 20000))
turnserver -n --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port="$port" --lt-cred-mech --realm=r --user=u:p \
  --allow-loopback-peers --no-tls --no-dtls --no-cli --pidfile="$scratch/pid" --log-file=stdout --simple-log \
  >"$scratch/log" 2>&1 &
servers=($!)
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT

fail() {
  echo "$*"
  tail -20 "$scratch/log"
  exit 1
}

until "$jsp" stun "stun:127.0.0.1:$port" --timeout 5 >/dev/null 2>&1; do
  [[ $SECONDS -lt 30 ]] || fail "coturn does not listen"
done

serve() { # usage: serve NAME [OPTIONS]
  "$jsp" serve --http 127.0.0.1:0 "${@:2}" >"$scratch/$1" &
  servers+=($!)
  until grep -q 'listening on' "$scratch/$1"; do
    [[ $SECONDS -lt 60 ]] || fail "jsp serve is not ready"
  done
  url="$(sed -n 's/^listening on //p' "$scratch/$1")"
}

turn=(--username u --credential p --ice-server)
expect() { # usage: expect JSON TEXT...
  local text
  for text in "${@:2}"; do
    [[ "$1" == *"$text"* ]] || fail "not in the report: $text: $1"
  done
}

serve direct
for transport in udp tcp; do
  json="$("$jsp" connect "$url" --policy relay "${turn[@]}" "turn:127.0.0.1:$port?transport=$transport" --message x \
    --json -)" || fail "no connection over $transport: $json"
  echo "$json"
  expect "$json" '"ok":true' '"local":{"type":"relay"' "\"relay_protocol\":\"$transport\""
done

head -c 3000000 /dev/urandom >"$scratch/sent"
for transport in udp tcp; do
  json="$("$jsp" connect "$url" --policy relay "${turn[@]}" "turn:127.0.0.1:$port?transport=$transport" \
    --send "$scratch/sent" --receive "$scratch/received" --json -)" || fail "the file did not come back over $transport: $json"
  cmp "$scratch/sent" "$scratch/received"
done

# Both sides relayed. What the answer says names nothing but the relay (RFC 8828 §5).
serve relayed --policy relay "${turn[@]}" "turn:127.0.0.1:$port"
json="$("$jsp" connect "$url" --policy relay "${turn[@]}" "turn:127.0.0.1:$port" --message x --json -)" ||
  fail "no connection from relay to relay: $json"
expect "$json" '"ok":true' '"local":{"type":"relay"' '"remote":{"type":"relay"'

# With everything allowed the direct path wins.
serve both
json="$("$jsp" connect "$url" "${turn[@]}" "turn:127.0.0.1:$port" --message x --json -)" || fail "no direct connection: $json"
expect "$json" '"ok":true' '"local":{"type":"host"'

if said="$("$jsp" connect "$url" --policy relay --username u --credential wrong --ice-server "turn:127.0.0.1:$port" \
  --message x 2>&1)"; then
  fail "a wrong password was taken: $said"
fi
expect "$said" "127.0.0.1:$port" "refuses the user name or the password"
echo "all of it went through"
