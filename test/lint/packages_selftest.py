"""A package that the lint tests do not see is found, and the allow-lists may only shrink."""

import unittest

import lint
import packages
from source_tree import SourceTree


def messages(listed, **files):
    texts = {'test/lint/packages.bzl': 'PACKAGES = [%s]' % ', '.join('"%s"' % p for p in listed)}
    texts.update({path.replace('__', '/'): text for path, text in files.items()})
    return [v.message for v in packages.check(SourceTree(texts))]


class PackagesTest(unittest.TestCase):

    def test_packages(self):
        declared = {'ice/BUILD.bazel': 'jsp_package()'}
        self.assertEqual(messages(['ice'], **declared), [])
        self.assertEqual(messages([], **declared), ['add "ice"'])
        self.assertEqual(messages(['ice', 'turn'], **declared), ['remove "turn": it has no BUILD.bazel'])
        self.assertEqual(messages(['ice'], **{'ice/BUILD.bazel': ''}), ['does not call jsp_package()'])
        self.assertEqual(len(messages([], **{'ice/agent.cc': ''})), 1)


class AllowListTest(unittest.TestCase):

    def test_covers_and_goes_stale(self):
        violations = [lint.Violation('a.cc', 1, 'too long')]
        entries = lint.read_allow_list('# comment\na.cc: long\n')
        self.assertEqual(lint.apply_allow_list(violations, entries), [])
        self.assertEqual(lint.apply_allow_list(violations, []), violations)
        self.assertEqual(len(lint.apply_allow_list([], entries)), 1)


if __name__ == '__main__':
    unittest.main()
