#!/usr/bin/env python3
"""The lint tests see every package: packages.bzl lists all BUILD.bazel files of the checkout, and each declares its files.

This reads the checkout itself, not the runfiles, for it looks for what the runfiles lack; so Bazel runs it every time.
"""

import ast
import os

import build_files
import lint
import source_tree


def listed_packages(text):
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == 'PACKAGES':
            return set(build_files.strings(statement.value))
    return set()


def check(tree):
    listed = listed_packages(tree.text('test/lint/packages.bzl'))
    violations = []
    found = set()
    for path in tree.paths:
        if os.path.basename(path) != 'BUILD.bazel' or path.startswith('test/consumer/'):
            continue
        package = os.path.dirname(path)
        found.add(package)
        if 'jsp_package' not in [name for name, _ in build_files.calls(tree.text(path))]:
            violations.append(lint.Violation(path, 0, 'does not call jsp_package()'))
        if package not in listed:
            violations.append(lint.Violation('test/lint/packages.bzl', 0, 'add "%s"' % package))
    for package in sorted(listed - found):
        violations.append(lint.Violation('test/lint/packages.bzl', 0, 'remove "%s": it has no BUILD.bazel' % package))
    for path in tree.cpp_paths():
        parents = [path.rsplit('/', n)[0] for n in range(1, path.count('/') + 1)]
        if not any(parent in found for parent in parents):
            violations.append(lint.Violation(path, 0, 'stands in no package: there is no BUILD.bazel above it'))
    return violations


def checkout_root():
    """The checkout behind the runfiles' symbolic links."""
    return os.path.dirname(os.path.realpath(os.path.join(source_tree.default_root(), 'WORKSPACE')))


if __name__ == '__main__':
    lint.main('packages', check, root=checkout_root())
