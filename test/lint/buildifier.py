#!/usr/bin/env python3
"""BUILD files, .bzl, WORKSPACE and MODULE.bazel are formatted and free of buildifier's warnings.

buildifier comes from npm (package.json beside this file; test.sh installs it).
"""

import json
import os
import subprocess
import sys

import lint
import packages
import source_tree

# Warnings that do not fit: the native rules behind @rules_cc are Bazel 4's own, and a rule of a single workspace needs
# no docstring per private function.
WARNINGS = '-function-docstring-return'


def find_buildifier():
    """node_modules' buildifier in the checkout behind the runfiles, or None."""
    path = os.path.join(packages.checkout_root(), 'test/lint/node_modules/.bin/buildifier')
    return path if os.path.exists(path) else None


def is_bazel_file(path):
    return os.path.basename(path) in ('BUILD.bazel', 'WORKSPACE', 'MODULE.bazel') or path.endswith(('.bzl', '.BUILD'))


def check_directory(root, binary):
    tree = source_tree.SourceTree.of_directory(root)
    paths = [p for p in tree.paths if is_bazel_file(p)]
    command = [binary, '--mode=check', '--lint=warn', '--warnings=' + WARNINGS, '--format=json'] + paths
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if not result.stdout.strip():
        return [lint.Violation('test/lint/buildifier.py', 0, 'buildifier failed: ' + result.stderr.strip())]
    violations = []
    for entry in json.loads(result.stdout).get('files', []):
        if not entry.get('valid', True):
            violations.append(lint.Violation(entry['filename'], 0, 'does not parse'))
        elif not entry.get('formatted', True):
            violations.append(lint.Violation(entry['filename'], 0, 'not formatted; run test/lint/node_modules/.bin/buildifier'))
        for warning in entry.get('warnings') or []:
            violations.append(lint.Violation(entry['filename'], warning['start']['line'],
                                             '%s: %s' % (warning['category'], warning['message'])))
    return violations


def main():
    binary = find_buildifier()
    if binary is None:
        print('JSP-SKIPPED: buildifier is not installed; run `npm ci` in test/lint')
        return 0
    violations = check_directory(sys.argv[1] if len(sys.argv) > 1 else source_tree.default_root(), binary)
    for violation in violations:
        print(violation)
    print('buildifier: %d violations' % len(violations))
    return 1 if violations else 0


if __name__ == '__main__':
    sys.exit(main())
