#!/bin/bash
# Puts style and script into the page and the page into a C++ source file, on standard output.
#
# usage: embed.sh index.html style.css app.js
set -euo pipefail

html="$1" style="$2" script="$3"

echo '#include "tools/jsp/page.h"'
echo 'namespace jsp::tool {'
echo 'const std::string_view kPage = R"jsp_page(' | tr -d '\n'
while IFS= read -r line; do
  case "$line" in
    '<link rel="stylesheet" href="style.css">') echo '<style>' && cat "$style" && echo '</style>' ;;
    '<script src="app.js"></script>') echo '<script>' && cat "$script" && echo '</script>' ;;
    *) printf '%s\n' "$line" ;;
  esac
done <"$html"
echo ')jsp_page";'
echo '}  // namespace jsp::tool'
