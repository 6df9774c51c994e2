"""A difference between MODULE.bazel and deps.bzl is found in either direction."""

import unittest

import module_deps
from source_tree import SourceTree

MODULE = '''
bazel_dep(name = "openssl", version = "1")
bazel_dep(name = "boost.asio", version = "1")
hubs = use_extension("//third_party:extensions.bzl", "hubs")
use_repo(hubs, "boost")
'''
DEPS = '''
def jsp_dependencies():
    _system_library("openssl")
    _system_library("boost")
    _bazel_support("rules_java", "x")
'''
TREE = {
    'MODULE.bazel': MODULE,
    'third_party/deps.bzl': DEPS,
    'third_party/boost.BUILD': 'cc_library(name = "asio")',
    'third_party/extensions.bzl': '_BOOST_LIBRARIES = [\n    "asio",\n]\n',
    'ice/BUILD.bazel': 'jsp_cc_library(name = "x", deps = ["@boost//:asio", "@openssl//:ssl"])',
}


def messages(**changes):
    tree = dict(TREE)
    for path, (old, new) in changes.items():
        path = {'module': 'MODULE.bazel', 'deps': 'third_party/deps.bzl', 'build': 'ice/BUILD.bazel',
                'boost': 'third_party/boost.BUILD'}[path]
        assert old in tree[path]
        tree[path] = tree[path].replace(old, new)
    return [v.message for v in module_deps.check(SourceTree(tree))]


class ModuleDepsTest(unittest.TestCase):

    def test_accepts_equal_sets(self):
        self.assertEqual(messages(), [])

    def test_rejects_differences(self):
        self.assertIn('does not name @cli11, which third_party/deps.bzl defines',
                      messages(deps=('    _system_library("boost")', '    _system_library("boost")\n    _system_library("cli11")')))
        self.assertIn('does not define @zlib, which MODULE.bazel names',
                      messages(module=('bazel_dep(name = "openssl", version = "1")',
                                       'bazel_dep(name = "openssl", version = "1")\nbazel_dep(name = "zlib", version = "1")')))
        self.assertTrue(messages(boost=('cc_library(name = "asio")', 'cc_library(name = "json")')))
        self.assertTrue(messages(build=('@openssl//:ssl', '@unknown//:x')))


if __name__ == '__main__':
    unittest.main()
