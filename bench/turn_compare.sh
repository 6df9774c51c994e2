#!/bin/bash
# `jsp turn-server` beside coturn: the same load on each in turn, the server on one core and the generator on another, in
# several rounds; medians, ratios, and what the ratio should be.
#
# usage: bench/turn_compare.sh [ROUNDS [SECONDS]]      3 rounds of 2 s a measurement by default
#
# JSP=FILE uses that program instead of building one. Needs coturn, two cores, and nothing else on the machine.
set -euo pipefail

rounds="${1:-3}" seconds="${2:-2}"
server_core=0 generator_core=1
held=4000  # allocations whose memory is measured
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"

die() {
  echo "error: $*" >&2
  exit 1
}

command -v turnserver >/dev/null || die "coturn's turnserver is not installed; apt-get install coturn"
[[ "$(nproc)" -ge 2 ]] || die "needs two cores, one for the server and one for the generator"
if [[ -z "${JSP:-}" ]]; then
  (cd "$root" && bazel build --compilation_mode=opt --ui_event_filters=-info --noshow_progress //tools/jsp) >&2
  JSP="$root/bazel-bin/tools/jsp/jsp"
fi
# coturn keeps what was deleted for a second, with its port and its descriptor.
ulimit -Hn 262144 2>/dev/null || true
ulimit -n "$(ulimit -Hn)"

scratch="$(mktemp -d)"
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -rf "$scratch"' EXIT

start_ours() { # prints nothing; sets port and pid
  : >"$scratch/ours"
  taskset -c "$server_core" "$JSP" turn-server --listen udp://127.0.0.1:0 --realm r --user u:p --allow-peer 127.0.0.0/8 \
    >"$scratch/ours" 2>&1 &
  pid=$!
  servers+=("$pid")
  until port="$(sed -nE 's#^listening on udp://127\.0\.0\.1:([0-9]+)$#\1#p' "$scratch/ours")" && [[ -n "$port" ]]; do
    kill -0 "$pid" 2>/dev/null || die "jsp turn-server ended: $(cat "$scratch/ours")"
    sleep 0.05
  done
}

start_coturn() {
  port=$((20000 + RANDOM % 20000))
  taskset -c "$server_core" turnserver -n -m 1 --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port="$port" \
    --min-port=20000 --max-port=65535 --lt-cred-mech --realm=r --user=u:p --allow-loopback-peers --no-tls --no-dtls \
    --no-tcp --no-cli --no-software-attribute \
    --pidfile="$scratch/pid" --log-file=/dev/null --simple-log >/dev/null 2>&1 &
  pid=$!
  servers+=("$pid")
  until "$JSP" stun "stun:127.0.0.1:$port" --timeout 5 >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || die "coturn ended"
  done
}

bench() { # usage: bench PORT turn|stun [OPTIONS]; prints the JSON
  local port="$1" what="$2"
  local login=()
  if [[ "$what" == turn ]]; then login=(--username u --credential p); fi
  taskset -c "$generator_core" "$JSP" bench "$what" "$what:127.0.0.1:$port" "${login[@]}" --seconds "$seconds" "${@:3}" \
    --json - 2>"$scratch/error" || die "jsp bench $what on port $port: $(grep '^error' "$scratch/error")"
}

value() { # usage: value NAME <JSON
  sed -nE "s/.*\"$1\":([-+0-9.eE]+).*/\1/p"
}

median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# User and system time, of which the kernel counts 100 a second.
processor_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$1/stat"; }

anonymous_memory() { awk '/^RssAnon/ { print $2 * 1024 }' "/proc/$1/status"; }

# usage: hold PID PORT; prints octets of user space memory, and microseconds of processor, of an allocation with a channel
hold() {
  local memory cpu
  memory="$(anonymous_memory "$1")" cpu="$(processor_ms "$1")"
  : >"$scratch/hold"
  taskset -c "$generator_core" "$JSP" bench turn "turn:127.0.0.1:$2" --username u --credential p --allocations "$held" \
    --hold 2 >"$scratch/hold" 2>&1 &
  local holder=$!
  until grep -q '^holding' "$scratch/hold"; do
    kill -0 "$holder" 2>/dev/null || die "cannot hold $held allocations: $(cat "$scratch/hold")"
    sleep 0.05
  done
  echo $((($(anonymous_memory "$1") - memory) / held)) $((($(processor_ms "$1") - cpu) * 1000 / held))
  wait "$holder"
}

start_ours
port_ours="$port" pid_ours="$pid"
start_coturn
port_coturn="$port" pid_coturn="$pid"

# Name, target, what to run.
rows=(
  "Binding requests/s|3|stun"
  "client to peer, 100 B, 1 allocation|3|turn --size 100"
  "client to peer, 100 B, 16 allocations|2|turn --size 100 --allocations 16"
  "client to peer, 100 B, 256 allocations|2|turn --size 100 --allocations 256"
  "client to peer, 1000 B, 1 allocation|3|turn --size 1000"
  "client to peer, 1000 B, 16 allocations|2|turn --size 1000 --allocations 16"
  "client to peer, 1000 B, 256 allocations|2|turn --size 1000 --allocations 256"
  "peer to client, 100 B, 1 allocation|3|turn --size 100 --direction down"
  "peer to client, 100 B, 16 allocations|2|turn --size 100 --direction down --allocations 16"
  "peer to client, 100 B, 256 allocations|2|turn --size 100 --direction down --allocations 256"
  "peer to client, 1000 B, 1 allocation|3|turn --size 1000 --direction down"
  "peer to client, 1000 B, 16 allocations|2|turn --size 1000 --direction down --allocations 16"
  "peer to client, 1000 B, 256 allocations|2|turn --size 1000 --direction down --allocations 256"
  "client to peer, 100 B, 16 allocations, one datagram at a time|-|turn --size 100 --allocations 16 --burst 1"
)

for ((round = 1; round <= rounds; ++round)); do
  echo "round $round of $rounds, load $(cut -d' ' -f1 /proc/loadavg)" >&2
  for i in "${!rows[@]}"; do
    read -ra options <<<"${rows[$i]##*|}"
    if [[ "${options[0]}" == turn ]]; then options+=(--rate-seconds 0); fi
    for server in ours coturn; do
      port="port_$server" pid="pid_$server"
      before="$(processor_ms "${!pid}")"
      json="$(bench "${!port}" "${options[@]}")"
      sent="$(value sent <<<"$json")"
      if [[ -n "$sent" ]]; then echo $((($(processor_ms "${!pid}") - before) * 1000000 / sent)) >>"$scratch/$server-$i-ns"; fi
      name=relayed_per_s
      if [[ "${options[0]}" == stun ]]; then name=requests_per_s; fi
      value "$name" <<<"$json" >>"$scratch/$server-$i"
      value generator_cpu_share <<<"$json" >>"$scratch/$server-$i-cpu"
    done
  done
  for server in ours coturn; do
    port="port_$server"
    json="$(bench "${!port}" turn --rate-seconds "$seconds")"
    value allocations_per_s <<<"$json" >>"$scratch/$server-rate"
    value p50 <<<"$json" >>"$scratch/$server-delay"
  done
done

print_row() { # usage: print_row NAME OURS COTURN TARGET [GENERATOR [COST-OURS COST-COTURN]]
  awk -v name="$1" -v ours="$2" -v coturn="$3" -v target="$4" -v cpu="${5:-}" -v costs="${6:-} ${7:-}" 'BEGIN {
    ratio = ours / coturn
    verdict = target == "-" ? "" : (ratio >= target ? "met" : "MISSED")
    split(costs, ns, " ")
    printf "%-62s %10.0f %10.0f %7.2f %7s %-7s %6s %6s %6s\n", name, ours, coturn, ratio, target == "-" ? "" : ">= " target,
      verdict, cpu == "" ? "" : sprintf("%.0f %%", cpu * 100), ns[1], ns[2]
  }'
}

printf '%-62s %10s %10s %7s %7s %-7s %6s %13s\n' "medians of $rounds rounds" jsp coturn ratio target "" load "ns a datagram"
for i in "${!rows[@]}"; do
  IFS='|' read -r name target _ <<<"${rows[$i]}"
  costs=()
  if [[ -e "$scratch/ours-$i-ns" ]]; then costs=("$(median "$scratch/ours-$i-ns")" "$(median "$scratch/coturn-$i-ns")"); fi
  print_row "$name" "$(median "$scratch/ours-$i")" "$(median "$scratch/coturn-$i")" "$target" "$(median "$scratch/ours-$i-cpu")" \
    "${costs[@]}"
done
print_row "authenticated allocations/s" "$(median "$scratch/ours-rate")" "$(median "$scratch/coturn-rate")" 4
printf '%-62s %10.0f %10.0f\n' "added delay, median, us" "$(median "$scratch/ours-delay")" "$(median "$scratch/coturn-delay")"

read -r ours ours_cpu < <(hold "$pid_ours" "$port_ours")
read -r coturn coturn_cpu < <(hold "$pid_coturn" "$port_coturn")
printf '%-62s %10d %10d\n' "processor time of an allocation with a channel, us" "$ours_cpu" "$coturn_cpu"
verdict="$([[ "$ours" -le 2048 ]] && echo met || echo MISSED)"
printf '%-62s %10d %10d %7s %7s %s\n' "user space memory of an allocation, octets ($held held)" "$ours" "$coturn" "" "<= 2048" \
  "$verdict"
