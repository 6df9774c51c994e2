"""A file that no target names is found."""

import unittest

import build_coverage
from source_tree import SourceTree

BUILD = '''
jsp_cc_library(name = "a", srcs = ["a.cc"], hdrs = glob(["*.h"]))
[jsp_cc_test(name = n + "_test", srcs = [n + "_test.cc"]) for n in ["a"]]
'''


def paths(*files):
    tree = SourceTree({**{f: '' for f in files}, 'ice/BUILD.bazel': BUILD})
    return [v.path for v in build_coverage.check(tree)]


class BuildCoverageTest(unittest.TestCase):

    def test_accepts_listed_globbed_and_composed_names(self):
        self.assertEqual(paths('ice/a.cc', 'ice/a.h', 'ice/a_test.cc'), [])

    def test_rejects_forgotten_files(self):
        self.assertEqual(paths('ice/b.cc', 'ice/b_test.cc', 'ice/sub/c.h', 'sctp/d.cc'),
                         ['ice/b.cc', 'ice/b_test.cc', 'ice/sub/c.h', 'sctp/d.cc'])


if __name__ == '__main__':
    unittest.main()
