#!/usr/bin/env python3
"""Names that say nothing, and texts that name the machine they were written on."""

import re

import lint

EMPTY_NAMES = re.compile(r'(?:^|_)(?:util|utils|utility|utilities|common|helper|helpers|manager|managers|misc)$')
# Absolute paths that exist on one machine only, spelt so that this file does not contain them.
MACHINE_PATHS = re.compile(r'(?<![\w./$}-])/(?:' + 'work' + r'|' + 'root' + r'|home/\w+)/')
LOCK_HOSTS = re.compile(r'"resolved"\s*:\s*"https?://')


def check(tree):
    violations = []
    for path in tree.paths:
        for part in path.split('/'):
            stem = re.sub(r'(?:_test)?\.[\w.]+$', '', part)
            if EMPTY_NAMES.search(stem.lower()):
                violations.append(lint.Violation(path, 0, '%r says nothing about what is inside' % part))
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if MACHINE_PATHS.search(line):
                violations.append(lint.Violation(path, number, 'names a path of one machine'))
            if path.endswith('package-lock.json') and LOCK_HOSTS.search(line):
                violations.append(lint.Violation(path, number, 'records a download host (omit-lockfile-registry-resolved)'))
    return violations


if __name__ == '__main__':
    lint.main('naming', check)
