"""buildifier's findings become violations."""

import os
import tempfile
import unittest

import buildifier

# What buildifier prints for the file below, so that this test needs no npm.
REPORT = '''{"success": false, "files": [{"filename": "BUILD.bazel", "formatted": false, "valid": true, "warnings": [
{"start": {"line": 3, "column": 1}, "category": "load", "message": "Loaded symbol is unused."}]}]}'''


class BuildifierTest(unittest.TestCase):

    def test_reads_the_report(self):
        with tempfile.TemporaryDirectory() as root:
            fake = os.path.join(root, 'fake')
            with open(fake, 'w', encoding='utf-8') as file:
                file.write("#!/bin/sh\ncat <<'END'\n%s\nEND\nexit 4\n" % REPORT)
            os.chmod(fake, 0o755)
            violations = buildifier.check_directory(root, fake)
            self.assertEqual([(v.path, v.line) for v in violations], [('BUILD.bazel', 0), ('BUILD.bazel', 3)])

    def test_a_failure_is_a_violation(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertEqual(len(buildifier.check_directory(root, '/bin/false')), 1)

    def test_knows_bazel_files(self):
        for path in ('ice/BUILD.bazel', 'WORKSPACE', 'MODULE.bazel', 'third_party/boost.BUILD', 'bazel/defs.bzl'):
            self.assertTrue(buildifier.is_bazel_file(path))
        self.assertFalse(buildifier.is_bazel_file('README.md'))


if __name__ == '__main__':
    unittest.main()
