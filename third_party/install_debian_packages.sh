#!/bin/bash
# Installs the packages of the named sections of debian_packages.txt that are missing. Prints nothing when none is.
#
# usage: third_party/install_debian_packages.sh SECTION...
set -euo pipefail

list="$(dirname "${BASH_SOURCE[0]}")/debian_packages.txt"

die() {
  echo "error: $*" >&2
  exit 1
}

packages_of_sections() {
  local section="" line wanted=" $* "
  while read -r line; do
    case "$line" in
      "" | "#"*) ;;
      "["*"]") section="${line:1:-1}" ;;
      *) if [[ "$wanted" == *" $section "* ]]; then echo "$line"; fi ;;
    esac
  done <"$list"
}

is_installed() {
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

missing=()
if ! command -v dpkg-query >/dev/null; then
  die "this is not a Debian system; install what third_party/debian_packages.txt names, then use bazel directly"
fi
while read -r entry; do
  package="${entry%%|*}"
  if [[ "$entry" == *"|"* ]] && command -v "${entry#*|}" >/dev/null; then continue; fi
  if ! is_installed "$package"; then missing+=("$package"); fi
done < <(packages_of_sections "$@")
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

as_root=()
if [[ "$(id -u)" -ne 0 ]]; then
  # A terminal may ask for the password; anything else must not wait for one.
  if command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
  else
    die "missing packages; as root run: apt-get install ${missing[*]}"
  fi
fi

echo "installing Debian packages: ${missing[*]}" >&2
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2
}
apt update || echo "warning: apt-get update failed; trying with the package lists at hand" >&2
apt install --yes --no-install-recommends "${missing[@]}" ||
  die "apt-get could not install: ${missing[*]} (its own message is above)"
