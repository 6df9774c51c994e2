#!/usr/bin/env python3
"""Citations have one grammar, so that an index can be generated from them: an RFC's number, a section sign, a section.

    RFC 9260 §6.3.3        RFC 9260 §6.3.3 E2        RFC 8445 §5.1.1, §7.2.5.3.3 and §B.1

Sections must exist (rfc_sections.txt), obsoleted RFCs are not cited, and the protocol cores cite at least
MINIMUM_DENSITY sections in 1,000 lines. An obsoleted RFC may be named, without a section, on a line that says
`declined` or `obsolete`: a refusal has to say what it refuses.
"""

import pathlib
import re

import lint
import source_tree

DENSE_DIRECTORIES = ('stun', 'ice', 'turn', 'portmap', 'dtls', 'sctp', 'datachannel')
MINIMUM_DENSITY = 8.0
OBSOLETED = {
    '793': '9293', '2246': '8446', '2327': '8866', '2960': '9260', '3309': '9260', '3484': '6724', '3489': '8489',
    '4346': '8446', '4347': '6347', '4566': '8866', '4960': '9260', '5245': '8445', '5389': '8489', '5405': '8085',
    '5766': '8656', '6156': '8656', '6336': '8445', '6555': '8305', '8312': '9438', '8829': '9429',
}
READ = ('.h', '.cc', '.md', '.py', '.sh', '.js', '.mjs', '.bazel', '.bzl', '.html')

_SECTION = r'§(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)(?![\w§])'
_GAP = r'(?:[ \t]|\n[ \t]*(?://+|\*|#)?[ \t]*)+'
_CHAIN = r'(?:' + r'(?:,|/|–|-|;)?' + r'(?:' + _GAP + r'(?:(?:and|or|to)' + _GAP + r')?)?' + _SECTION + r')*'
CITATION = re.compile(r'\bRFC (\d{3,5})' + _GAP + r'(' + _SECTION + _CHAIN + r')')
OTHER_DOCUMENT = re.compile(
    r'\bRFC NNNN §[\w.]+|(?:\bdraft-[\w.-]+|\b[\w/.-]+\.(?:md|txt)`?|\b(?:FIPS|W3C|IEEE|ITU-T|WebRTC|SP) ?[\w.-]*)' + _GAP + _SECTION + _CHAIN)
WRONG_FORMS = (
    re.compile(r'\bRFC-?\d{3,5}\b'),
    re.compile(r'\brfc \d{3,5}\b'),
    re.compile(r'\bRFC \d{3,5}\)?,? \(?(?:[Ss]ections?|[Ss]ec\.|[Aa]ppendix)\b'),
    re.compile(r'\b(?:[Ss]ections?|[Aa]ppendix) [\dA-Z][\d.]* (?:of|in) RFC\b'),
    re.compile(r'\bRFC \d{3,5},? \d+\.\d'),
)
MENTION = re.compile(r'\bRFC (\d{3,5})\b')
REFUSAL = re.compile(r'\bdeclined\b|\bobsolete', re.IGNORECASE)


def read_sections(text):
    """RFC number -> set of its sections, or None when any passes."""
    known = {}
    for line in text.splitlines():
        if line and not line.startswith('#'):
            number, _, sections = line.partition(':')
            known[number] = None if sections.strip() == '*' else set(sections.split())
    return known


def check_text(path, text, known):
    def line_of(position):
        return text.count('\n', 0, position) + 1

    covered = set()
    for match in OTHER_DOCUMENT.finditer(text):
        covered.update(m.start() for m in re.finditer('§', text) if match.start() <= m.start() < match.end())
    for match in CITATION.finditer(text):
        number = match.group(1)
        for section in re.finditer(r'§([\w.]*\w)', match.group(2)):
            covered.add(match.start(2) + section.start())
            sections = known.get(number)
            if sections and section.group(1) not in sections and number not in OBSOLETED:
                yield lint.Violation(path, line_of(match.start()), 'RFC %s has no section %s' % (number, section.group(1)))
        if number in OBSOLETED:
            yield lint.Violation(path, line_of(match.start()),
                                 'RFC %s is obsolete; cite RFC %s' % (number, OBSOLETED[number]))
    for match in re.finditer('§', text):
        if match.start() not in covered:
            yield lint.Violation(path, line_of(match.start()), 'a section sign without its RFC, as in RFC NNNN §x.y')
    yield from _check_lines(path, text)


def _check_lines(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for form in WRONG_FORMS:
            match = form.search(line)
            if match:
                yield lint.Violation(path, number, '%r: the grammar is RFC NNNN §x.y.z' % match.group(0))
        if REFUSAL.search(line):
            continue
        for match in MENTION.finditer(line):
            if match.group(1) in OBSOLETED and not line[match.end():].lstrip().startswith('§'):
                yield lint.Violation(path, number, 'RFC %s is obsolete; name RFC %s' % (match.group(1), OBSOLETED[match.group(1)]))


def check_density(tree):
    for directory in DENSE_DIRECTORIES:
        paths = [p for p in tree.cpp_paths((directory,)) if not tree.is_test(p)]
        lines = sum(tree.lines(p) for p in paths)
        citations = sum(m.group(2).count('§') for p in paths for m in CITATION.finditer(tree.text(p)))
        if lines and citations * 1000 < MINIMUM_DENSITY * lines:
            yield lint.Violation(directory, 0, '%d citations in %d lines; at least %.0f in 1,000 are due'
                                 % (citations, lines, MINIMUM_DENSITY))


def check(tree, known=None):
    if known is None:
        known = read_sections((pathlib.Path(__file__).parent / 'rfc_sections.txt').read_text())
    violations = []
    for path in tree.paths:
        # The lint's own fixtures break every rule on purpose.
        if path.endswith(READ) and not path.startswith('test/lint/'):
            violations += check_text(path, tree.text(path), known)
    return violations + list(check_density(tree))


if __name__ == '__main__':
    lint.main('rfc_citations', check)
