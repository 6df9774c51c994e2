#!/usr/bin/env python3
"""The tables of test/conformance and the tree agree: ids and sections exist, named tests exist, refusals are documented where
the tables say, complete families have no open row, and docs/CONFORMANCE.md is what the generator prints."""

import os
import re
import sys

import lint
import source_tree

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'conformance'))
import generate  # noqa: E402

TEST_MACRO = re.compile(r'^(?:TEST|TEST_F|TEST_P|TYPED_TEST)\(\s*(\w+),\s*(\w+)\s*\)', re.MULTILINE)
LEVELS = {'MUST', 'MUST NOT', 'SHALL', 'SHALL NOT', 'SHOULD', 'SHOULD NOT', 'MAY', 'RECOMMENDED', 'NOT RECOMMENDED', 'PROC'}


class _Tests:
    """Whether a test exists under a label."""

    def __init__(self, tree):
        self._tree = tree
        self._by_label = {}
        self._computed = []  # (package, end of the name) of targets whose names a comprehension makes
        for target in tree.build_targets:
            name = target.name + '_test' if target.kind == 'jsp_lint' else target.name
            self._by_label['//%s:%s' % (target.package, name)] = target
            if type(target.attributes['name']).__name__ != 'Constant':
                self._computed.append((target.package, target.name, target))
        self._names = {}

    def _target(self, label):
        if label in self._by_label:
            return self._by_label[label]
        package, _, name = label[2:].partition(':')
        for candidate, end, target in self._computed:
            if candidate == package and end and name.endswith(end):
                return target
        return None

    def problem(self, label, name):
        """What is wrong with a reference to a test, or None."""
        target = self._target(label)
        if target is None or not (target.is_test or target.kind == 'jsp_lint'):
            return 'there is no test %s' % label
        if target.kind.endswith('cc_test'):
            return None if name in self._cc_tests(label, target) else '%s has no test %s' % (label, name)
        word = re.compile(r'(?<!\w)%s(?!\w)' % re.escape(name.rsplit('.', 1)[-1]))
        files = [p for p in self._tree.paths if os.path.dirname(p) == target.package
                 and os.path.basename(p) != 'BUILD.bazel' and not p.endswith('.json')]
        return None if any(word.search(self._tree.text(p)) for p in files) else '%s names no %s' % (label, name)

    def _cc_tests(self, label, target):
        if label not in self._names:
            texts = [self._tree.text(p) for p in target.files if self._tree.exists(p)]
            self._names[label] = {'.'.join(m) for text in texts for m in TEST_MACRO.findall(text)}
        return self._names[label]


def anchors(text):
    """GitHub's anchor of each heading of a page -> the lines below it, up to the next heading."""
    found, current = {}, None
    for line in text.splitlines():
        heading = re.match(r'#+ (.*)', line)
        if heading:
            words = re.sub(r'[^\w\- ]', '', heading.group(1).lower())
            current = found.setdefault(words.strip().replace(' ', '-'), [])
        elif current is not None:
            current.append(line)
    return found


def _path(table):
    return '%s/%s' % (generate.DIRECTORY, table)


def _violation(row, message):
    return lint.Violation(_path(row.table), row.line, message)


def _check_order(rows, key):
    for before, after in zip(rows, rows[1:]):
        if key(before) > key(after):
            yield _violation(after, '%s stands behind %s; rows are sorted' % (after.id, before.id))
        elif key(before) == key(after):
            yield _violation(after, '%s stands here twice' % after.id)


def _check_catalogue(tables, sections):
    families = [row.family for row in tables.families]

    def key(row):
        family = generate.family_of(row.id)
        return (families.index(family) if family in families else len(families), generate.natural(row.id))

    for row in tables.families:
        if row.state not in ('complete', 'open'):
            yield _violation(row, 'a family is complete or open, not %r' % row.state)
    for row in tables.requirements:
        if generate.family_of(row.id) not in families:
            yield _violation(row, '%s is of no family' % row.id)
        if row.level not in LEVELS:
            yield _violation(row, '%s has the level %r' % (row.id, row.level))
        if row.priority not in ('1', '2', '3'):
            yield _violation(row, '%s has the priority %r' % (row.id, row.priority))
        known = sections.get(row.id.split('-')[1])
        if known and row.section not in known:
            yield _violation(row, 'RFC %s has no section %s' % (row.id.split('-')[1], row.section))
    yield from _check_order(tables.requirements, key)
    yield from _check_order(tables.hostile, lambda row: ('SITDCRX'.find(row.id[0]), generate.natural(row.id)))
    positions = {row.id: n for n, row in enumerate(tables.requirements)}
    hostile = {row.id: n for n, row in enumerate(tables.hostile)}
    for rows, known in ((tables.coverage, positions), (tables.hostile_coverage, hostile)):
        for row in rows:
            if row.id not in known:
                yield _violation(row, 'there is no %s in the catalogue' % row.id)
        found = [row for row in rows if row.id in known]
        yield from _check_order(found, lambda row: (known[row.id], row.line))


def _check_evidence(row, tests, documents):
    if row.kind == 'test':
        problem = tests.problem(row.where, row.what)
        if problem:
            yield _violation(row, '%s: %s' % (row.id, problem))
    elif row.kind == 'declined':
        path, _, anchor = row.where.partition('#')
        if not path.startswith('docs/') or path == generate.DOCUMENT or path not in documents:
            yield _violation(row, '%s: there is no page %s' % (row.id, path))
        elif anchor not in documents[path]:
            yield _violation(row, '%s: %s has no heading #%s' % (row.id, path, anchor))
        elif not row.what or not any(row.what in line for line in documents[path][anchor]):
            yield _violation(row, '%s: no line below #%s says %r' % (row.id, anchor, row.what))
    elif row.kind == 'open':
        if not row.what:
            yield _violation(row, '%s: say what it waits for' % row.id)
    else:
        yield _violation(row, '%s: the kind is one of %s' % (row.id, ', '.join(generate.KINDS)))


def _check_states(tables):
    complete = {row.family for row in tables.families if row.state == 'complete'}
    for row in tables.requirements:
        if generate.family_of(row.id) in complete and tables.state_of(row.id) == 'open':
            yield _violation(row, '%s is open in a family that is complete' % row.id)
    for row in tables.hostile:
        if not tables.coverage_of(row.id):
            yield _violation(row, '%s has neither a test nor an issue that it waits for' % row.id)
    for row in tables.hostile_coverage:
        if row.kind == 'test' and not re.search(r'(?<![A-Za-z0-9])%s(?![A-Za-z0-9])' % row.id, row.what.replace('_', ' ')):
            yield _violation(row, 'the name of %s does not carry %s' % (row.what, row.id))


def check(tree, sections=None):
    if sections is None:
        sections = _known_sections(tree)
    try:
        tables = generate.Tables(lambda table: tree.text(_path(table)))
    except generate.Malformed as error:
        return [lint.Violation(_path(error.table), error.line, error.message)]
    tests = _Tests(tree)
    documents = {p: anchors(tree.text(p)) for p in tree.paths if p.startswith('docs/') and p.endswith('.md')}
    violations = list(_check_catalogue(tables, sections)) + list(_check_states(tables))
    for row in tables.coverage + tables.hostile_coverage:
        violations += _check_evidence(row, tests, documents)
    if not tree.exists(generate.DOCUMENT) or tree.text(generate.DOCUMENT) != generate.render(tables):
        violations.append(lint.Violation(generate.DOCUMENT, 0, 'is not what test/conformance/generate.py prints; '
                                         'run `python3 test/conformance/generate.py --write`'))
    return violations


def _known_sections(tree):
    sections = {}
    for line in tree.text('test/lint/rfc_sections.txt').splitlines():
        if line and not line.startswith('#'):
            number, _, names = line.partition(':')
            sections[number] = None if names.strip() == '*' else set(names.split())
    return sections


if __name__ == '__main__':
    lint.main('conformance', check)
