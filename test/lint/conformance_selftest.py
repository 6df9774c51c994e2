"""Every way in which the tables and the tree can disagree is found."""

import unittest

import conformance
import generate
from source_tree import SourceTree

TEST = '//sctp:sctp_test'
GOOD = {
    'families.tsv': 'SCTP-9260\tRFC 9260\tcomplete\tSCTP\nTURN-8656\tRFC 8656\topen\tTURN\n',
    'requirements.tsv': 'SCTP-9260-3.3.9-01\t3.3.9\tMUST\tboth\tOne\tsend it\t1\n'
                        'SCTP-9260-3.3.10-01\t3.3.10\tPROC\tboth\tTwo | <b>\tsend it\t2\n'
                        'TURN-8656-5-01\t5\tSHOULD NOT\tclient\tThree\tsend it\t3\n',
    'coverage.tsv': 'SCTP-9260-3.3.9-01\ttest\t%s\tPairTest.ShakesHands\n'
                    'SCTP-9260-3.3.9-01\ttest\t%s\tPairTest.C1_IsNotFooled\n'
                    'SCTP-9260-3.3.10-01\tdeclined\tdocs/sctp.md#what-we-refuse\tmulti-homing\n' % (TEST, TEST),
    'hostile.tsv': 'S1\tshort\tdrop\nC1\tlong\tdrop\n',
    'hostile_coverage.tsv': 'S1\topen\t-\tTURN\nC1\ttest\t%s\tPairTest.C1_IsNotFooled\n' % TEST,
}
SOURCES = {
    'sctp/BUILD.bazel': 'jsp_cc_test(\n    name = "sctp_test",\n    srcs = ["pair_test.cc"],\n)\n'
                        'jsp_cc_library(\n    name = "sctp",\n    srcs = ["pair.cc"],\n)\n',
    'sctp/pair_test.cc': 'TEST(PairTest, ShakesHands) {}\nTEST_F(PairTest, C1_IsNotFooled) {}\n',
    'test/interop/BUILD.bazel': '[jsp_sh_test(\n    name = browser + "_test",\n    srcs = ["run.sh"],\n) for browser in B]\n',
    'test/interop/cases.mjs': "await runner.run('echoesStrings', echo);\n",
    'docs/sctp.md': '# sctp\nText.\n\n## What we refuse\n| multi-homing | one path |\n\n## Limits\n| packet drop |\n',
}
SECTIONS = {'9260': {'3.3.9', '3.3.10'}, '8656': None}


def tree_of(changes):
    tables = dict(GOOD)
    sources = dict(SOURCES)
    for path, (before, after) in changes.items():
        into = tables if path in tables else sources
        assert before in into[path], (path, before)
        into[path] = into[path].replace(before, after)
    texts = {}
    for table, rows in tables.items():
        texts['test/conformance/' + table] = '\t'.join(generate.COLUMNS[table]) + '\n' + rows
    try:
        parsed = generate.Tables(lambda table: texts['test/conformance/' + table])
        texts[generate.DOCUMENT] = generate.render(parsed)
    except generate.Malformed:
        pass
    return SourceTree({**texts, **sources})


def found_in(path, before, after):
    return [str(v) for v in conformance.check(tree_of({path: (before, after)}), SECTIONS)]


class ConformanceTest(unittest.TestCase):

    def expect_one(self, path, before, after, message):
        violations = found_in(path, before, after)
        self.assertEqual(len(violations), 1, violations)
        self.assertIn(message, violations[0])

    def test_accepts_what_agrees(self):
        self.assertEqual(conformance.check(tree_of({}), SECTIONS), [])

    def test_rejects_malformed_tables(self):
        self.expect_one('coverage.tsv', '\tPairTest.ShakesHands', '', 'each line has 4 columns')
        self.expect_one('requirements.tsv', '\tOne', '\t One', 'each line has 7 columns')
        self.expect_one('requirements.tsv', 'PROC', 'PERHAPS', "the level 'PERHAPS'")
        self.expect_one('requirements.tsv', 'send it\t3', 'send it\thigh', "the priority 'high'")
        self.expect_one('families.tsv', 'complete', 'done', "not 'done'")

    def test_rejects_unknown_ids_sections_and_families(self):
        self.expect_one('requirements.tsv', '\t3.3.9\t', '\t3.3.99\t', 'has no section 3.3.99')
        self.expect_one('families.tsv', 'TURN-8656\t', 'TURN-5766\t', 'TURN-8656-5-01 is of no family')
        self.expect_one('coverage.tsv', 'SCTP-9260-3.3.9-01\ttest\t%s\tPairTest.S' % TEST,
                        'SCTP-9260-3.3.9-02\ttest\t%s\tPairTest.S' % TEST, 'no SCTP-9260-3.3.9-02')
        self.expect_one('hostile_coverage.tsv', 'S1\topen\t-\tTURN\n', 'S1\topen\t-\tTURN\nS2\topen\t-\tTURN\n', 'no S2')

    def test_rejects_rows_out_of_order_or_twice(self):
        def swapped(table):
            lines = GOOD[table].splitlines(keepends=True)
            return GOOD[table], ''.join(lines[1:2] + lines[:1] + lines[2:])

        self.assertEqual(len(found_in('requirements.tsv', *swapped('requirements.tsv'))), 2)  # and the coverage of both
        self.expect_one('hostile_coverage.tsv', *swapped('hostile_coverage.tsv'), 'rows are sorted')
        self.expect_one('hostile.tsv', 'S1\tshort\tdrop\n', 'S1\tshort\tdrop\nS1\tshort\tdrop\n', 'stands here twice')

    def test_rejects_tests_that_do_not_exist(self):
        self.expect_one('coverage.tsv', 'PairTest.ShakesHands', 'PairTest.ShakesFeet', 'has no test PairTest.ShakesFeet')
        self.expect_one('coverage.tsv', TEST + '\tPairTest.S', '//sctp:other_test\tPairTest.S', 'no test //sctp:other_test')
        self.expect_one('coverage.tsv', TEST + '\tPairTest.S', '//sctp:sctp\tPairTest.S', 'no test //sctp:sctp')
        self.expect_one('sctp/pair_test.cc', 'ShakesHands', 'ShakesHandsAndFeet', 'has no test PairTest.ShakesHands')
        self.expect_one('sctp/pair_test.cc', 'TEST(PairTest, ShakesHands', '// TEST(PairTest, ShakesHands', 'has no test')

    def test_knows_the_cases_of_scripts(self):
        good = '//test/interop:firefox_test\techoesStrings'
        self.assertEqual(found_in('coverage.tsv', TEST + '\tPairTest.ShakesHands', good), [])
        self.expect_one('coverage.tsv', TEST + '\tPairTest.ShakesHands', good.replace('Strings', 'String'),
                        'names no echoesString')
        self.expect_one('coverage.tsv', TEST + '\tPairTest.ShakesHands', good.replace('test\t', 'bench\t'), 'there is no test')

    def test_rejects_refusals_that_are_not_documented(self):
        refusal = 'docs/sctp.md#what-we-refuse\tmulti-homing'
        self.expect_one('coverage.tsv', refusal, refusal.replace('sctp.md', 'sip.md'), 'no page docs/sip.md')
        self.expect_one('coverage.tsv', refusal, refusal.replace('refuse', 'like'), 'has no heading #what-we-like')
        self.expect_one('coverage.tsv', refusal, refusal.replace('multi-homing', 'packet drop'), "says 'packet drop'")
        self.expect_one('coverage.tsv', refusal, refusal.replace('docs/sctp.md#what-we-refuse', 'sctp/pair.cc'), 'no page')
        self.expect_one('docs/sctp.md', '## What we refuse', '## Refusals', 'has no heading')
        self.expect_one('coverage.tsv', 'declined', 'ignored', 'the kind is one of')

    def test_rejects_an_open_row_of_a_complete_family(self):
        self.expect_one('coverage.tsv', GOOD['coverage.tsv'].splitlines(keepends=True)[2], '', 'open in a family')
        self.expect_one('families.tsv', 'RFC 8656\topen', 'RFC 8656\tcomplete', 'TURN-8656-5-01 is open')

    def test_rejects_hostile_inputs_without_their_test(self):
        self.expect_one('hostile_coverage.tsv', 'S1\topen\t-\tTURN\n', '', 'S1 has neither')
        self.expect_one('hostile_coverage.tsv', 'TURN', '', 'say what it waits for')
        self.expect_one('hostile_coverage.tsv', 'C1_IsNotFooled', 'ShakesHands', 'does not carry C1')
        self.assertEqual(len(found_in('hostile_coverage.tsv', 'PairTest.C1_', 'PairTest.C11_')), 2)

    def test_rejects_a_page_that_is_not_what_the_generator_prints(self):
        tree = tree_of({})
        texts = {path: tree.text(path) for path in tree.paths}
        texts[generate.DOCUMENT] += 'By hand.\n'
        self.assertEqual(len(conformance.check(SourceTree(texts), SECTIONS)), 1)
        del texts[generate.DOCUMENT]
        self.assertEqual(len(conformance.check(SourceTree(texts), SECTIONS)), 1)


class GenerateTest(unittest.TestCase):

    def test_counts_and_escapes(self):
        text = tree_of({}).text(generate.DOCUMENT)
        self.assertIn('| [SCTP-9260](#sctp-9260) | RFC 9260 | 2 | 1 | 1 | 0 | complete |', text)
        self.assertIn('| all |  | 3 | 1 | 1 | 1 |  |', text)
        self.assertIn('Two \\| &lt;b>', text)
        self.assertIn('declined: multi-homing ([sctp.md](sctp.md#what-we-refuse))', text)

    def test_sorts_sections_as_numbers(self):
        self.assertLess(generate.natural('SCTP-9260-3.3.9-01'), generate.natural('SCTP-9260-3.3.10-01'))
        self.assertLess(generate.natural('SCTP-9260-3.3-02'), generate.natural('SCTP-9260-3.3.1-01'))


if __name__ == '__main__':
    unittest.main()
