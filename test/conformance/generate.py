#!/usr/bin/env python3
"""Prints docs/CONFORMANCE.md from the tables of this directory; with --write, writes it.

families.tsv              the documents that the requirements are from, and whether all their rows are accounted for
requirements.tsv          what each document demands, in our words, a row each
coverage.tsv              for each requirement the tests that prove it, or where docs/ gives the reason against it
hostile.tsv               hostile inputs and bad days
hostile_coverage.tsv      for each of those the tests that carry its id in their names, or what it waits for

A requirement without a row in coverage.tsv is open. Rows stand in the order of families.tsv and then of their ids, so
that a change of one requirement is a change of one place.
"""

import dataclasses
import pathlib
import re
import sys

DIRECTORY = 'test/conformance'
DOCUMENT = 'docs/CONFORMANCE.md'
COLUMNS = {
    'families.tsv': ('family', 'document', 'state', 'title'),
    'requirements.tsv': ('id', 'section', 'level', 'role', 'requirement', 'observation', 'priority'),
    'coverage.tsv': ('id', 'kind', 'where', 'what'),
    'hostile.tsv': ('id', 'stimulus', 'expected'),
    'hostile_coverage.tsv': ('id', 'kind', 'where', 'what'),
}
KINDS = ('test', 'declined', 'open')


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table; its columns are attributes."""
    table: str
    line: int
    values: dict

    def __getattr__(self, name):
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


class Malformed(Exception):
    def __init__(self, table, line, message):
        super().__init__('%s:%d: %s' % (table, line, message))
        self.table, self.line, self.message = table, line, message


def parse(table, text):
    """The rows of one table. The first line names the columns."""
    columns = COLUMNS[table]
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = tuple(line.split('\t'))
        if number == 1:
            if cells != columns:
                raise Malformed(table, number, 'the columns are %s' % ', '.join(columns))
        elif len(cells) != len(columns) or not all(cell == cell.strip() for cell in cells) or not cells[0]:
            raise Malformed(table, number, 'each line has %d columns, separated by single tabs' % len(columns))
        else:
            rows.append(Row(table, number, dict(zip(columns, cells))))
    return rows


def natural(text):
    """A key that puts 3.3.10 behind 3.3.9, and words before numbers."""
    return [(1, int(part), '') if part.isdigit() else (0, 0, part) for part in re.findall(r'\d+|\D+', text)]


def family_of(identifier):
    """SCTP-9260-3.3.10-01 is of SCTP-9260."""
    return '-'.join(identifier.split('-')[:2])


class Tables:
    """All tables, from a function that gives a table's text."""

    def __init__(self, text_of):
        for table in COLUMNS:
            setattr(self, table.split('.')[0], parse(table, text_of(table)))
        self._by_id = {}
        for row in self.coverage + self.hostile_coverage:
            self._by_id.setdefault(row.id, []).append(row)

    def coverage_of(self, identifier):
        return self._by_id.get(identifier, [])

    def state_of(self, identifier):
        """met, declined or open."""
        kinds = {row.kind for row in self.coverage_of(identifier)}
        if 'open' in kinds or not kinds:
            return 'open'
        return 'met' if 'test' in kinds else 'declined'

    def requirements_of(self, family):
        return [row for row in self.requirements if family_of(row.id) == family]


def _cell(text):
    return text.replace('|', '\\|').replace('<', '&lt;').replace('*', '\\*')


def _evidence(tables, identifier):
    parts = []
    place = None
    for row in tables.coverage_of(identifier):
        if row.kind == 'test':
            parts.append('`%s`' % row.what if row.where == place else '%s `%s`' % (row.where, row.what))
            place = row.where
        elif row.kind == 'declined':
            path, _, anchor = row.where.partition('#')
            name = path.split('/')[-1]
            parts.append('declined: %s ([%s](%s#%s))' % (_cell(row.what), name, name, anchor))
        else:
            parts.append('open: ' + _cell(row.what))
    return '<br>'.join(parts) or 'open'


def _counts(tables, identifiers):
    states = [tables.state_of(identifier) for identifier in identifiers]
    return [len(states)] + [states.count(state) for state in ('met', 'declined', 'open')]


def _table(heads, rows):
    yield '| ' + ' | '.join(heads) + ' |'
    yield '|' + '---|' * len(heads)
    for row in rows:
        yield '| ' + ' | '.join(str(cell) for cell in row) + ' |'


def _summary(tables):
    heads = ('family', 'document', 'rows', 'met', 'declined', 'open', 'state')
    rows = []
    for family in tables.families:
        counts = _counts(tables, [r.id for r in tables.requirements_of(family.family)])
        rows.append(['[%s](#%s)' % (family.family, family.family.lower()), family.document] + counts + [family.state])
    rows.append(['all', ''] + _counts(tables, [r.id for r in tables.requirements]) + [''])
    rows.append(['[hostile inputs](#hostile-inputs)', ''] + _counts(tables, [r.id for r in tables.hostile]) + [''])
    return _table(heads, rows)


def render(tables):
    """The text of docs/CONFORMANCE.md."""
    lines = [
        '# Conformance', '',
        'Generated by `python3 test/conformance/generate.py --write` from the tables beside that script; not edited by hand.',
        '`//test/lint:conformance_test` checks that every test named here exists, that every reason stands where it is said to',
        'stand, and that this page is up to date.', '',
        '- *met*: the tests named prove it. A test is `Suite.Name` of the target before it.',
        '- *declined*: the module\'s documentation says so and why.',
        '- *open*: not yet shown. A family in state *complete* has no open row.',
        '- Level PROC is a procedure that the document states without a keyword.', '',
    ]
    lines += _summary(tables)
    for family in tables.families:
        lines += ['', '## ' + family.family, '', '%s, %s.' % (family.document, family.title), '']
        lines += _table(('id', 'section', 'level', 'requirement', 'test or reason'), [
            (row.id, row.section, row.level, _cell(row.requirement), _evidence(tables, row.id))
            for row in tables.requirements_of(family.family)])
    lines += ['', '## Hostile inputs', '', 'Each is a test whose name carries the id.', '']
    lines += _table(('id', 'stimulus', 'expected', 'tests'), [
        (row.id, _cell(row.stimulus), _cell(row.expected), _evidence(tables, row.id)) for row in tables.hostile])
    return '\n'.join(lines) + '\n'


def main():
    directory = pathlib.Path(__file__).resolve().parent
    text = render(Tables(lambda table: (directory / table).read_text(encoding='utf-8')))
    if sys.argv[1:] == ['--write']:
        (directory.parent.parent / DOCUMENT).write_text(text, encoding='utf-8')
    else:
        sys.stdout.write(text)


if __name__ == '__main__':
    main()
