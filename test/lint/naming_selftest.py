"""Empty names, machine paths and download hosts are found."""

import unittest

import naming
from source_tree import SourceTree


def count(path, text=''):
    return len(naming.check(SourceTree({path: text})))


class NamingTest(unittest.TestCase):

    def test_names(self):
        for path in ('util/a.cc', 'base/string_util.h', 'ice/helpers.cc', 'ice/manager_test.cc', 'sctp/common/a.h', 'a/misc.md'):
            self.assertEqual(count(path), 1, path)
        for path in ('sctp/packet/common_header.h', 'base/commonality.h', 'ice/agent.cc'):
            self.assertEqual(count(path), 0, path)

    def test_machine_paths(self):
        for text in ('see /' + 'work/x', 'cd /' + 'root/.cache', '"/' + 'home/me/x"'):
            self.assertEqual(count('docs/a.md', text), 1, text)
        for text in ('network/' + 'work/x', '$ROOT/root/x', 'a/home/me/x', '/tmp/x', '//root:x'):
            self.assertEqual(count('docs/a.md', text), 0, text)

    def test_download_hosts(self):
        self.assertEqual(count('a/package-lock.json', '"resolved": "https://example.org/x.tgz"'), 1)
        self.assertEqual(count('a/package-lock.json', '"version": "1.0.0"'), 0)


if __name__ == '__main__':
    unittest.main()
