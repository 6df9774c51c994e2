"""What every lint script has in common: its violations, its allow-list, its command line."""

import argparse
import dataclasses
import pathlib
import sys

import source_tree


@dataclasses.dataclass(frozen=True)
class Violation:
    path: str
    line: int
    message: str

    def __str__(self):
        return '%s:%d: %s' % (self.path, self.line, self.message) if self.line else '%s: %s' % (self.path, self.message)


def read_allow_list(text):
    """Lines `path: part of a message`, `#` comments. The lists start empty and may only shrink."""
    entries = []
    for line in text.splitlines():
        if line.strip() and not line.startswith('#'):
            path, _, part = line.partition(':')
            entries.append((path.strip(), part.strip()))
    return entries


def apply_allow_list(violations, entries):
    """The violations that no entry covers, and one for every entry that covers nothing."""
    used, left = set(), []
    for violation in violations:
        covering = [e for e in entries if e[0] == violation.path and e[1] in violation.message]
        used.update(covering)
        if not covering:
            left.append(violation)
    stale = [Violation(e[0], 0, 'the allow-list entry %r covers nothing any more; remove it' % (e[1],))
             for e in entries if e not in used]
    return left + stale


def main(name, check, root=None):
    """Runs `check(tree)` on the tree, prints what it found, and exits. Default root: runfiles, or this checkout."""
    parser = argparse.ArgumentParser(description=sys.modules['__main__'].__doc__)
    parser.add_argument('root', nargs='?', default=root or source_tree.default_root(), help='the checkout (default: this one)')
    options = parser.parse_args()
    tree = source_tree.SourceTree.of_directory(options.root)
    allow_list = pathlib.Path(__file__).parent / 'allow' / (name + '.txt')
    entries = read_allow_list(allow_list.read_text()) if allow_list.exists() else []
    violations = apply_allow_list(check(tree), entries)
    for violation in sorted(violations, key=lambda v: (v.path, v.line)):
        print(violation)
    print('%s: %d files read, %d violations' % (name, len(tree.paths), len(violations)))
    sys.exit(1 if violations else 0)
