"""The grammar of citations, the obsolete RFCs and the density can fail."""

import unittest

import rfc_citations
from source_tree import SourceTree

KNOWN = {'9260': {'6', '6.3.3', '5.1'}, '8445': {'5', '7.2.5.3.3', 'B.1'}, '9443': None}


def messages(code, path='base/a.cc'):
    return [v.message for v in rfc_citations.check(SourceTree({path: code}), KNOWN)]


class RfcCitationsTest(unittest.TestCase):

    def test_accepts_the_grammar(self):
        for code in ('// RFC 9260 §6.3.3 E2: back off.', '// RFC 9260 §6.3.3, §5.1 and §6', '// RFC 8445 §B.1', '// RFC 9260',
                     '// RFC 8445\n// §5: wrapped', '// RFC 9443 §99', '// RFC 4648 §4 is not in our index', '// ARCHITECTURE.md §2',
                     '// draft-hancke-tsvwg-snap §3', '// (RFC 9260 §6.3.3, RFC 8445 §5)', 'RFC 9260 §5.1. A sentence.'):
            self.assertEqual(messages(code), [], code)

    def test_rejects_other_forms(self):
        for code in ('// RFC9260 §5.1', '// RFC 9260 section 6', '// section 6.3 of RFC 9260', '// RFC 9260, Section 6.3',
                     '// RFC 9260 6.3.3', '// see §6', '// RFC 9260 § 6', '// rfc 9260'):
            self.assertTrue(messages(code), code)

    def test_rejects_sections_that_do_not_exist(self):
        self.assertEqual(messages('// RFC 9260 §6.3.4'), ['RFC 9260 has no section 6.3.4'])
        self.assertEqual(messages('// RFC 9260 §5.1, §42'), ['RFC 9260 has no section 42'])

    def test_rejects_obsoleted_rfcs(self):
        self.assertEqual(len(messages('// RFC 5389 §7')), 1)
        self.assertEqual(len(messages('// as in RFC 4960', 'ice/a_test.cc')), 1)
        self.assertEqual(messages('// declined: no RFC 3489 compatibility'), [])
        self.assertEqual(len(messages('// declined: RFC 3489 §1')), 1)

    def test_density(self):
        def found(citations):
            tree = SourceTree({'stun/a.cc': '// RFC 9260 §5.1\n' * citations + '\n' * (1000 - citations)})
            return len(rfc_citations.check(tree, KNOWN))

        self.assertEqual(found(8), 0)
        self.assertEqual(found(7), 1)

    def test_the_index_reads(self):
        self.assertEqual(rfc_citations.read_sections('# x\n1: 2 3.1\n4: *\n'), {'1': {'2', '3.1'}, '4': None})


if __name__ == '__main__':
    unittest.main()
