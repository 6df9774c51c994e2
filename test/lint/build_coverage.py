#!/usr/bin/env python3
"""Every C++ file belongs to a target, so that no test is forgotten and no file is dead."""

import os
import re

import lint


def _package_of(tree, path):
    directory = os.path.dirname(path)
    while directory and not tree.exists(directory + '/BUILD.bazel'):
        directory = os.path.dirname(directory)
    return directory


def check(tree):
    listed = {path for target in tree.build_targets for path in target.files}
    violations = []
    for path in tree.cpp_paths():
        if path in listed:
            continue
        package = _package_of(tree, path)
        if not package:
            violations.append(lint.Violation(path, 0, 'stands in no package: there is no BUILD.bazel above it'))
            continue
        # A comprehension writes the name in parts: ["foo", …] and "_test.cc".
        inside = path[len(package) + 1:]
        stem = re.sub(r'(?:_test|_bench|_fuzz)?\.(?:cc|h)$', '', inside)
        if '"%s"' % stem not in tree.text(package + '/BUILD.bazel'):
            violations.append(lint.Violation(path, 0, 'is in no target of %s/BUILD.bazel' % package))
    return violations


if __name__ == '__main__':
    lint.main('build_coverage', check)
