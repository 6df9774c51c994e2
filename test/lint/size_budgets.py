#!/usr/bin/env python3
"""It fits on a screen: the budgets of ARCHITECTURE.md for files, functions, classes and parameters, the share of tests,
and no process-global mutable state in libraries."""

import re

import cpp_source
import lint
import source_tree

PRODUCTION_FILE_LINES = 500
TEST_FILE_LINES = 800
FILE_LINES = {'ice/agent.cc': 400}  # tighter than the rest: every other ICE agent of the field grew without end
FUNCTION_LINES = 60
CLASS_MEMBERS = 15
PARAMETERS = 5
TESTED_DIRECTORIES = ('stun', 'ice', 'turn', 'portmap', 'sctp', 'datachannel')
TEST_RATIO = 1.0
# One thread-local there tells OpenSSL's gettimeofday the virtual time (see ambient_effects.py).
STATE_FILES = re.compile(r'dtls/clock_shim\.(?:h|cc)$')


def _check_outline(tree, path):
    outline = cpp_source.outline(tree.text(path))
    for function in outline.functions:
        if function.lines > FUNCTION_LINES:
            yield function.line, '%s has %d lines; the limit is %d' % (function.name, function.lines, FUNCTION_LINES)
        if function.parameters > PARAMETERS:
            yield function.line, '%s has %d parameters; the limit is %d' % (function.name, function.parameters, PARAMETERS)
    for entry in outline.classes:
        if len(entry.members) > CLASS_MEMBERS:
            yield entry.line, '%s has %d data members; the limit is %d' % (entry.name, len(entry.members), CLASS_MEMBERS)
    is_library = path.split('/')[0] in source_tree.CORE_DIRECTORIES and not tree.is_test(path)
    if is_library and not STATE_FILES.match(path):
        for variable in outline.variables:
            yield variable.line, 'process-global mutable state: %s' % variable.declaration


def _check_ratio(tree, directory):
    production = test = 0
    for path in tree.cpp_paths((directory,)):
        if tree.is_test(path):
            test += tree.lines(path)
        else:
            production += tree.lines(path)
    if test < TEST_RATIO * production:
        yield lint.Violation(directory, 0, '%d lines of tests for %d of production code; the ratio is at least %.1f'
                             % (test, production, TEST_RATIO))


def check(tree):
    violations = []
    for path in tree.cpp_paths():
        limit = FILE_LINES.get(path, TEST_FILE_LINES if tree.is_test(path) else PRODUCTION_FILE_LINES)
        if tree.lines(path) > limit:
            violations.append(lint.Violation(path, 0, '%d lines; the limit is %d' % (tree.lines(path), limit)))
        violations += [lint.Violation(path, line, message) for line, message in _check_outline(tree, path)]
    for directory in TESTED_DIRECTORIES:
        violations += _check_ratio(tree, directory)
    return violations


if __name__ == '__main__':
    lint.main('size_budgets', check)
