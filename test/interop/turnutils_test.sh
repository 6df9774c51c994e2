#!/bin/bash
# coturn's clients against `jsp turn-server`: data over UDP, TCP and TLS, between clients and with a peer, in channels and
# indications, over UDP and TCP relays, none of it lost; its STUN client and its NAT discovery.
#
# usage: turnutils_test.sh JSP-BINARY
set -euo pipefail

jsp="$1"
for tool in turnutils_uclient turnutils_peer turnutils_stunclient turnutils_natdiscovery openssl; do
  if ! command -v "$tool" >/dev/null; then
    echo "JSP-SKIPPED: $tool is not installed"
    exit 0
  fi
done

scratch="$(mktemp -d)"
servers=()
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT
fail() {
  echo "$*"
  tail -20 "$scratch/server"
  exit 1
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/key.pem" -out "$scratch/cert.pem" \
  -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null

relays=(--relay-address 127.0.0.1 --allow-peer 127.0.0.0/8)
listens=(--listen udp://127.0.0.1:0 --listen tcp://127.0.0.1:0 --listen tls://127.0.0.1:0)
has_v6=false
if grep -q '^00000000000000000000000000000001 ' /proc/net/if_inet6 2>/dev/null; then
  has_v6=true
  relays+=(--relay-address ::1 --allow-peer ::1)
fi
# turnutils_uclient picks channel numbers that RFC 8656 reserves; they are taken unless the file says otherwise.
"$jsp" turn-server "${listens[@]}" --cert "$scratch/cert.pem" --key "$scratch/key.pem" --realm r --user u:p "${relays[@]}" \
  --tcp-relays --mobility --stranger-rate 0 --alternate-address 127.0.0.2 >"$scratch/server" 2>&1 &
servers+=($!)
until grep -qs 'listening on tls' "$scratch/server"; do
  [[ $SECONDS -lt 30 ]] || fail "jsp turn-server does not listen"
done
port_of() { sed -n "s/^listening on $1:\/\/127.0.0.1:\([0-9]*\).*/\1/p" "$scratch/server" | head -1; }
udp="$(port_of udp)" tcp="$(port_of tcp)" tls="$(port_of tls)"

peer=$((20000 + RANDOM % 20000))
turnutils_peer -L 127.0.0.1 -p "$peer" >"$scratch/peer" 2>&1 &
servers+=($!)

# All messages of all clients come back.
uclient() { # usage: uclient WHAT PORT OPTIONS...
  local said lost
  said="$(timeout 60 turnutils_uclient -u u -w p -p "$2" "${@:3}" 127.0.0.1 2>&1)" || fail "$1 ended badly: $said"
  lost="$(sed -n 's/.*Total lost packets \([0-9]*\) .*/\1/p' <<<"$said")"
  [[ "$said" == *"tot_send_msgs="* && "$lost" == 0 ]] || fail "$1 lost something: $(tail -15 <<<"$said")"
  echo "$1: nothing lost"
}

few=(-n 30 -m 4 -z 5 -l 170)
uclient "UDP between clients" "$udp" "${few[@]}" -y -c
uclient "UDP with RTCP's ports" "$udp" "${few[@]}" -y
uclient "UDP in indications" "$udp" "${few[@]}" -y -c -s
uclient "UDP with a peer" "$udp" "${few[@]}" -c -e 127.0.0.1 -r "$peer"
uclient "UDP with DONT-FRAGMENT" "$udp" "${few[@]}" -y -c -g
uclient "UDP with a client that moves" "$udp" "${few[@]}" -y -c -M
uclient "TCP between clients" "$tcp" "${few[@]}" -y -c -t
uclient "TCP with a peer" "$tcp" "${few[@]}" -c -t -e 127.0.0.1 -r "$peer"
uclient "TCP in indications" "$tcp" "${few[@]}" -y -c -t -s
uclient "TLS between clients" "$tls" "${few[@]}" -y -c -t -S
uclient "TLS that is verified" "$tls" "${few[@]}" -y -c -t -S -E "$scratch/cert.pem"
uclient "TCP relays" "$tcp" "${few[@]}" -T
# Not -Z: coturn 4.6 has ADDITIONAL-ADDRESS-FAMILY as 0x8032, where RFC 8656 §18 has 0x8000, beside EVEN-PORT at that.
if "$has_v6"; then
  uclient "IPv6 relays" "$udp" "${few[@]}" -y -c -x
fi

said="$(timeout 30 turnutils_stunclient -p "$udp" 127.0.0.1 2>&1)" || fail "no answer to Binding: $said"
[[ "$said" == *"127.0.0.1:"* ]] || fail "Binding told no address: $said"
said="$(timeout 60 turnutils_natdiscovery -m -f -p "$udp" -L 127.0.0.1 127.0.0.1 2>&1)" || fail "no discovery: $said"
echo "$said"
[[ "$said" == *"No NAT! (Endpoint Independent Mapping)"* && "$said" == *"NAT with Endpoint Independent Filtering!"* ]] ||
  fail "loopback was taken for a NAT"
echo "all of it went through"
