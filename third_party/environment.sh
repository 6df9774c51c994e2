# Sourced by run.sh and test.sh: what Bazel needs in a bare environment (CI, cron, a container).

if [[ -z "${HOME:-}" || ! -w "$HOME" ]]; then
  HOME="$(getent passwd "$(id -u)" | cut -d: -f6)"
  if [[ -z "$HOME" || ! -w "$HOME" ]]; then HOME="${TMPDIR:-/tmp}/jsp-home-$(id -u)" && mkdir -p "$HOME"; fi
  export HOME
fi
export USER="${USER:-$(id -un 2>/dev/null || id -u)}"
# Bazel hands its locale to every tool that it starts; file names are UTF-8.
export LC_ALL="${LC_ALL:-C.UTF-8}"

# Bazel's progress is for a terminal; in a pipe it would be hundreds of lines.
JSP_BAZEL_OUTPUT_OPTIONS=(--color=auto)
if [[ ! -t 2 ]]; then JSP_BAZEL_OUTPUT_OPTIONS=(--color=no --curses=no --noshow_progress --ui_event_filters=-info); fi
