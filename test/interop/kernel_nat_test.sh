#!/bin/bash
# `jsp nat` behind real NATs: one of each kind that `jsp natlab` makes of nftables, each in a network namespace of its own with a client
# behind it, all asking the two addresses of one coturn at once. Mapping and filtering must be right for every one
# (RFC 5780 §4.3, §4.4).
#
# usage: kernel_nat_test.sh JSP-BINARY
set -euo pipefail

jsp="$(readlink -f "$1")"

skip() {
  echo "JSP-SKIPPED: $1"
  exit 0
}

# Everything happens in namespaces that end with this process: nothing has to be cleaned up.
if [[ "${JSP_IN_NAMESPACE:-}" != 1 ]]; then
  for tool in turnserver nft ip unshare; do
    command -v "$tool" >/dev/null || PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null || skip "$tool is not installed"
  done
  flags=(-nm)
  if [[ "$(id -u)" != 0 ]]; then flags=(-Urnm); fi
  PATH="$PATH:/usr/sbin:/sbin" unshare "${flags[@]}" bash -c \
    'mount -t tmpfs none /run && ip netns add a && ip -n a link add eth0 type veth peer name eth1 &&
     ip netns exec a nft add table ip t && ip netns exec a nft "add chain ip t c { type nat hook postrouting priority 100; }"' \
    2>/dev/null || skip "this user may not make network namespaces with veth pairs and nftables"
  PATH="$PATH:/usr/sbin:/sbin" JSP_IN_NAMESPACE=1 exec unshare "${flags[@]}" --kill-child --fork --pid --mount-proc "$0" "$jsp"
fi

mount -t tmpfs none /run
scratch=/run/scratch
mkdir "$scratch"
readonly first=203.0.113.10 second=203.0.113.11

# kind                mapping                     filtering
readonly kinds='
public                endpoint-independent        endpoint-independent
fw                    endpoint-independent        address-and-port-dependent
one2one               endpoint-independent        endpoint-independent
fullcone              endpoint-independent        endpoint-independent
addr                  endpoint-independent        address-dependent
port                  endpoint-independent        address-and-port-dependent
port-rej              endpoint-independent        address-and-port-dependent
port-rnd              endpoint-independent        address-and-port-dependent
adm                   address-dependent           address-and-port-dependent
sym                   address-and-port-dependent  address-and-port-dependent
sym-linux             address-and-port-dependent  address-and-port-dependent
sym-seq               address-and-port-dependent  address-and-port-dependent
sym-eif               address-and-port-dependent  endpoint-independent
udpblock              blocked                     blocked
tcp443                blocked                     blocked
'

# A namespace for the NAT and one for the client; the internet routes to the NAT, and past it where it translates nothing.
build() { # usage: build KIND NUMBER
  local kind="$1" outside="198.18.$2.2" inside="10.0.$2.2"
  ip netns add "nat$2"
  ip netns add "client$2"
  ip link add "to$2" netns internet type veth peer name wan netns "nat$2"
  ip link add lan netns "nat$2" type veth peer name eth0 netns "client$2"
  ip -n internet address add "198.18.$2.1/24" dev "to$2"
  ip -n internet link set "to$2" up
  ip -n "nat$2" address add "$outside/24" dev wan
  ip -n "nat$2" address add "10.0.$2.1/24" dev lan
  ip -n "nat$2" link set wan up
  ip -n "nat$2" link set lan up
  ip -n "nat$2" route add default via "198.18.$2.1"
  ip -n "client$2" address add "$inside/24" dev eth0
  ip -n "client$2" link set eth0 up
  ip -n "client$2" route add default via "10.0.$2.1"
  ip netns exec "nat$2" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0
  if [[ "$kind" == public || "$kind" == fw ]]; then ip -n internet route add "10.0.$2.0/24" via "$outside"; fi
  # The NATs of `jsp natlab --engine netns`.
  if [[ "$kind" != public ]]; then "$jsp" natlab nft "$kind" "$outside" "$inside" | ip netns exec "nat$2" nft -f -; fi
}

ip netns add internet
ip -n internet link set lo up
ip -n internet address add "$first/32" dev lo
ip -n internet address add "$second/32" dev lo
ip netns exec internet sysctl -qw net.ipv4.ip_forward=1
number=0
while read -r kind _; do
  [[ -n "$kind" ]] || continue
  number=$((number + 1))
  build "$kind" "$number"
done <<<"$kinds"

ip netns exec internet turnserver -n --listening-ip="$first" --listening-ip="$second" --stun-only --no-tls --no-dtls --no-cli \
  --pidfile="$scratch/pid" --log-file=stdout --simple-log >"$scratch/log" 2>&1 &
until ip netns exec internet "$jsp" stun "stun:$first" --timeout 5 >/dev/null 2>&1; do
  [[ $SECONDS -lt 60 ]] || { cat "$scratch/log" && exit 1; }
done

for client in $(seq "$number"); do
  (ip netns exec "client$client" "$jsp" nat "stun:$first" --json - >"$scratch/$client.json" 2>"$scratch/$client.err" || true) &
  clients[client]=$!
done
wait "${clients[@]}"

failed=0
number=0
while read -r kind mapping filtering; do
  [[ -n "$kind" ]] || continue
  number=$((number + 1))
  json="$(cat "$scratch/$number.json")"
  expected=("\"mapping\":\"$mapping\"" "\"filtering\":\"$filtering\"" '"ok":true')
  case "$kind" in
    public | fw) expected+=('"translated":false') ;;
    *) expected+=('"translated":true') ;;
  esac
  if [[ "$mapping" == blocked ]]; then expected=('"ok":false' 'UDP'); fi
  verdict=right
  for text in "${expected[@]}"; do
    [[ "$json" == *"$text"* ]] || verdict="WRONG, not in the report: $text"
  done
  printf '%-10s %-27s %-27s %s\n' "$kind" "$mapping" "$filtering" "$verdict"
  if [[ "$verdict" != right ]]; then
    printf '%s\n' "$json"
    cat "$scratch/$number.err"
    failed=$((failed + 1))
  fi
done <<<"$kinds"
[[ "$number" == 15 && "$failed" == 0 ]]
