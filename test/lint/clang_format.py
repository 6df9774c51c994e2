#!/usr/bin/env python3
"""Every C++ file is formatted as .clang-format says. Needs clang-format 14: others break lines differently."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import lint
import source_tree

MAJOR = 14
_MESSAGE = re.compile(r'^(.*?):(\d+):\d+: error: (.*)$', re.MULTILINE)


def find_clang_format():
    """The path of clang-format 14, or None."""
    for name in ('clang-format-%d' % MAJOR, 'clang-format'):
        path = shutil.which(name)
        if path:
            version = subprocess.run([path, '--version'], capture_output=True, text=True, check=True).stdout
            if re.search(r'version %d\.' % MAJOR, version):
                return path
    return None


def run(binary, root, paths):
    """Violations of one run of clang-format over `paths`."""
    command = [binary, '--dry-run', '-Werror', '--style=file:' + os.path.join(root, '.clang-format')] + paths
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    found, seen = [], set()
    for match in _MESSAGE.finditer(result.stderr):
        if match.group(1) not in seen:  # the first of a file is enough: one command mends them all
            seen.add(match.group(1))
            found.append(lint.Violation(match.group(1), int(match.group(2)), 'not formatted; run clang-format -i'))
    if result.returncode != 0 and not found:
        found.append(lint.Violation(paths[0], 0, result.stderr.strip()))
    return found


def check_directory(root, binary):
    tree = source_tree.SourceTree.of_directory(root)
    paths = tree.cpp_paths() + [p for p in tree.paths if p.startswith('test/consumer/') and p.endswith('.cc')]
    chunks = [paths[i:i + 40] for i in range(0, len(paths), 40)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [v for found in pool.map(lambda chunk: run(binary, root, chunk), chunks) for v in found]


def main():
    binary = find_clang_format()
    if binary is None:
        print('JSP-SKIPPED: clang-format %d is not installed' % MAJOR)
        return 0
    violations = check_directory(sys.argv[1] if len(sys.argv) > 1 else source_tree.default_root(), binary)
    for violation in violations:
        print(violation)
    print('clang_format: %d violations' % len(violations))
    return 1 if violations else 0


if __name__ == '__main__':
    sys.exit(main())
