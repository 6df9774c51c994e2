#!/bin/bash
# `jsp connect` and `jsp serve` through coturn: relayed pairs over UDP, TCP and TLS, a file both ways, and what is said when
# the server refuses, or is not the one that it should be.
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

# A CA of our own, another one that signed nothing, and the server's certificate.
authority() { # usage: authority NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$scratch/$1.key" \
    -out "$scratch/$1.pem" -addext basicConstraints=critical,CA:TRUE 2>/dev/null
}
authority ours
authority other
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=coturn -keyout "$scratch/server.key" \
  -out "$scratch/server.csr" 2>/dev/null
openssl x509 -req -in "$scratch/server.csr" -CA "$scratch/ours.pem" -CAkey "$scratch/ours.key" -days 2 \
  -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$scratch/server.pem" 2>/dev/null

turnserver -n --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port="$port" --tls-listening-port=$((port + 1)) \
  --lt-cred-mech --realm=r --user=u:p --allow-loopback-peers --cert="$scratch/server.pem" --pkey="$scratch/server.key" \
  --no-dtls --no-cli --pidfile="$scratch/pid" --log-file=stdout --simple-log >"$scratch/log" 2>&1 &
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

turn=(--username u --credential p --ca-file "$scratch/ours.pem" --ice-server)
declare -A uri=(
  [udp]="turn:127.0.0.1:$port?transport=udp"
  [tcp]="turn:127.0.0.1:$port?transport=tcp"
  [tls]="turns:127.0.0.1:$((port + 1))?transport=tcp"
)
expect() { # usage: expect JSON TEXT...
  local text
  for text in "${@:2}"; do
    [[ "$1" == *"$text"* ]] || fail "not in the report: $text: $1"
  done
}

serve direct
for transport in udp tcp tls; do
  json="$("$jsp" connect "$url" --policy relay "${turn[@]}" "${uri[$transport]}" --message x \
    --json -)" || fail "no connection over $transport: $json"
  echo "$json"
  expect "$json" '"ok":true' '"local":{"type":"relay"' "\"relay_protocol\":\"$transport\""
done

head -c 3000000 /dev/urandom >"$scratch/sent"
for transport in udp tcp tls; do
  json="$("$jsp" connect "$url" --policy relay "${turn[@]}" "${uri[$transport]}" \
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

# What goes wrong is said in a line that names the reason.
refused() { # usage: refused URI CREDENTIAL CA TEXT...
  local said
  if said="$("$jsp" connect "$url" --policy relay --username u --credential "$2" --ca-file "$scratch/$3.pem" \
    --ice-server "$1" --message x 2>&1)"; then
    fail "this should not have worked: $said"
  fi
  echo "$said"
  expect "$said" "${@:4}"
}
refused "${uri[udp]}" wrong ours "127.0.0.1:$port" "refuses the user name or the password"
refused "${uri[tls]}" wrong ours "refuses the user name or the password"
refused "${uri[tls]}" p other "TLS: the certificate of 127.0.0.1 was issued by CN=ours, which is not trusted here"
refused "turns:localhost:$((port + 1))" p ours "TLS: the server's certificate is for 127.0.0.1, not for localhost"
refused "turns:127.0.0.1:$((port + 7))" p ours "nothing listens there"
echo "all of it went through"
