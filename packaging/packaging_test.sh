#!/bin/bash
# The example configuration is one that the server takes, prints to the same again, and names every option. The container
# file installs what jsp is linked with, and copies what is there.
set -euo pipefail
jsp="$1" example="$2" unit="$3" container="$4"

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

# Every shared library of jsp is in a package that the container file names, or in one that debian:12-slim has because apt
# needs it.
mapfile -t named < <(sed -nE 's/.*--no-install-recommends (.*) \\$/\1/p' "$container" | tr ' ' '\n')
[[ ${#named[@]} -gt 0 ]] || die "$container installs nothing"
while read -r library; do
  name="$(basename "$(readlink --canonicalize "$library")")"
  package="$(dpkg-query --search "*/$name" | sed -nE '1s/[:,].*//p')" || die "no package has $library"
  case "$package" in
    libc6 | libgcc-s1 | libstdc++6) continue ;;
  esac
  printf '%s\n' "${named[@]}" | grep -qxF "$package" || die "$container does not install '$package' for $library"
done < <(ldd "$jsp" | sed -nE 's/.* => (\/[^ ]+) .*/\1/p')
for package in "${named[@]}"; do
  dpkg-query --status "$package" >/dev/null 2>&1 || die "$container: there is no package $package"
done
for file in $(sed -nE 's/^COPY (packaging[^ ]*) .*/\1/p' "$container"); do
  [[ -e "$file" ]] || die "$container copies $file, which is not there"
done
