#!/bin/bash
# jsp beside libdatachannel (npm's node-datachannel: usrsctp and OpenSSL), libwebrtc (npm's @roamhq/wrtc) and Debian's
# libusrsctp under OpenSSL without anything else: two processes of each over loopback, pinned to a core each, in turn, in
# several rounds; medians and ratios.
#
# usage: bench/compare.sh [ROUNDS [SECONDS]]      3 rounds of 3 s a measurement by default
#
# JSP=FILE and USRSCTP_PAIR=FILE use those programs instead of building them. Needs node, npm, libusrsctp-dev, two cores, and
# nothing else on the machine.
set -euo pipefail

rounds="${1:-3}" seconds="${2:-3}"
sizes=(65536 1024 100)
idle_jsp=1000 idle_others=50
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
here="$root/bench/compare"

die() {
  echo "error: $*" >&2
  exit 1
}

command -v node >/dev/null && command -v npm >/dev/null || die "node and npm are not installed; apt-get install nodejs npm"
[[ "$(nproc)" -ge 2 ]] || die "needs two cores, one for each process"
if [[ ! -d "$here/node_modules/node-datachannel" ]]; then
  (cd "$here" && npm ci --no-audit --no-fund) >&2 || die "npm ci in bench/compare failed"
fi
build() { # usage: build TARGET; prints nothing
  (cd "$root" && bazel build --compilation_mode=opt --ui_event_filters=-info --noshow_progress "$1") >&2
}
if [[ -z "${JSP:-}" ]]; then
  build //tools/jsp
  JSP="$root/bazel-bin/tools/jsp/jsp"
fi
if [[ -z "${USRSCTP_PAIR:-}" ]]; then
  build //bench/compare:usrsctp_pair
  USRSCTP_PAIR="$root/bazel-bin/bench/compare/usrsctp_pair"
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

others=(libdatachannel libwebrtc usrsctp)
other() { # usage: other STACK SIZE SECONDS [IDLE]; prints the JSON
  if [[ "$1" == usrsctp ]]; then
    "$USRSCTP_PAIR" "${@:2}"
  else
    taskset -c 0 node "$here/pair.mjs" "$@"
  fi
}
record() { # usage: record FILE COMMAND...; a failed run is left out, and said
  local file="$1"
  shift
  "$@" >>"$scratch/$file" || echo "left out: $*" >&2
}

for ((round = 1; round <= rounds; ++round)); do
  echo "round $round of $rounds" >&2
  for size in "${sizes[@]}"; do
    record "jsp.$size" "$JSP" bench datachannel --size "$size" --seconds "$seconds" --setups 0 --storm 0 --ping 0 --json - \
      2>/dev/null
    for stack in "${others[@]}"; do record "$stack.$size" other "$stack" "$size" "$seconds"; done
  done
done
record jsp.idle "$JSP" bench datachannel --idle --connections "$idle_jsp" --seconds 3 --json - 2>/dev/null
for stack in "${others[@]}"; do record "$stack.idle" other "$stack" 64 1 "$idle_others"; done

python3 "$here/table.py" "$scratch" "${sizes[@]}"
