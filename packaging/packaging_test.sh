#!/bin/bash
# The example configuration is one that the server takes, prints to the same again, and names every option.
set -euo pipefail
jsp="$1" example="$2" unit="$3"

die() {
  echo "error: $*" >&2
  exit 1
}

"$jsp" turn-server --config "$example" --print-effective-config >"$TEST_TMPDIR/first.toml"
"$jsp" turn-server --config "$TEST_TMPDIR/first.toml" --print-effective-config >"$TEST_TMPDIR/second.toml"
diff "$TEST_TMPDIR/first.toml" "$TEST_TMPDIR/second.toml"
grep -q '^realm = "turn.example.org"$' "$TEST_TMPDIR/first.toml" || die "the realm of $example is not in force"

# What is commented out is the default, so that taking it in changes nothing but the users.
for name in $(sed -nE 's/^(# )?([a-z]+(-[a-z]+)*) = .*/\2/p' "$TEST_TMPDIR/first.toml"); do
  grep -qE "^(# )?$name = " "$example" || die "$example does not name $name"
done
for line in 'relay-ports = "49152-65535"' 'default-lifetime = 600' 'max-lifetime = 3600' 'permission-lifetime = 300' \
  'channel-lifetime = 600' 'bandwidth = 0' 'max-allocations = 65536' 'stranger-rate = 100' 'workers = 1' \
  'drain-time = 30' 'tcp-relays = false'; do
  grep -qxF "# $line" "$example" || die "$example has another default than: $line"
  grep -qxF "$line" "$TEST_TMPDIR/first.toml" || die "the default is not: $line"
done

# The unit starts the server with the example's place, and gives it longer than the drain.
grep -qx 'ExecStart=/usr/bin/jsp turn-server --config /etc/jsp/turn-server.toml' "$unit" || die "$unit: ExecStart"
stop="$(sed -nE 's/^TimeoutStopSec=([0-9]+)$/\1/p' "$unit")"
[[ "$stop" -gt "$(sed -nE 's/^drain-time = ([0-9]+)$/\1/p' "$TEST_TMPDIR/first.toml")" ]] || die "$unit: TimeoutStopSec"
