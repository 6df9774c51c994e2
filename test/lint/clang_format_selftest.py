"""clang-format finds a file that is not formatted."""

import os
import sys
import tempfile
import unittest

import clang_format


class ClangFormatTest(unittest.TestCase):

    def test_finds_the_unformatted_file(self):
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, 'base'))
            for name, text in (('.clang-format', 'BasedOnStyle: Google\n'), ('base/good.h', 'int F();\n'), ('base/bad.h', 'int  F( );\n')):
                with open(os.path.join(root, name), 'w', encoding='utf-8') as file:
                    file.write(text)
            violations = clang_format.check_directory(root, clang_format.find_clang_format())
            self.assertEqual([(v.path, v.line) for v in violations], [('base/bad.h', 1)])


if __name__ == '__main__':
    if clang_format.find_clang_format() is None:
        print('JSP-SKIPPED: clang-format %d is not installed' % clang_format.MAJOR)
        sys.exit(0)
    unittest.main()
