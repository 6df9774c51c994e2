#!/bin/bash
# Installs what is missing, builds jsp optimised, and runs it in the caller's directory.
#
# usage: ./run.sh [ARGUMENTS OF jsp]      none: natlab --quick --html natlab.html
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=third_party/environment.sh
source "$root/third_party/environment.sh"

"$root/third_party/install_debian_packages.sh" run
# Standard output belongs to jsp (`--json -`), so the build writes to standard error only.
bazel_in_root() { (cd "$root" && bazel "$1" "${JSP_BAZEL_OUTPUT_OPTIONS[@]}" --compilation_mode=opt "${@:2}"); }
bazel_in_root build --show_result=0 //tools/jsp:jsp >&2 ||
  { echo "error: jsp could not be built (the compiler's message is above)" >&2 && exit 1; }
# Not the link bazel-bin: a test of another configuration that runs meanwhile points it elsewhere.
jsp="$(bazel_in_root info bazel-bin 2>/dev/null)/tools/jsp/jsp"

if [[ $# -eq 0 ]]; then set -- natlab --quick --html natlab.html; fi
exec "$jsp" "$@"
