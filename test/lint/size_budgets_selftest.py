"""The reader of C++ sees functions, members and state, and every budget can fail."""

import unittest

import cpp_source
import size_budgets
from source_tree import SourceTree


def messages(path, code):
    return [v.message for v in size_budgets.check(SourceTree({path: code})) if v.path == path]


class OutlineTest(unittest.TestCase):

    def test_functions(self):
        outline = cpp_source.outline('''
namespace jsp {
template <typename T, class = std::enable_if_t<(sizeof(T) > 1)>>
int F(int a, std::map<int, int> b = {{1, 2}}, int (*c)(int, int) = nullptr) {
  auto g = [](int x, int y) { return x < y; };
  return 0;
}
struct S {
  explicit S(int a) : a_{a}, b_(a) {}
  bool operator()(int a, int b) const { return a < b; }
  friend bool operator<(const S& l, const S& r) { return l.a_ < r.a_; }
  int a_;
  int b_ = 0;
};
}  // namespace jsp
TEST(A, B) {
}
''')
        self.assertEqual([(f.name, f.parameters) for f in outline.functions],
                         [('F', 3), ('S', 1), ('operator_name', 2), ('operator_name', 2), ('TEST(A, B)', 0)])
        self.assertEqual(outline.functions[0].lines, 5)
        self.assertEqual(len(outline.classes[0].members), 2)
        self.assertEqual(outline.variables, [])

    def test_members(self):
        outline = cpp_source.outline('''
class A final : public B<int, int> {
 public:
  A();
  int F() const;
  static constexpr int kX = 1;
  using T = int;
  enum class E { kA, kB };
  struct Inner { int x, y; };
 private:
  std::array<int, 3> a_{}, b_;
  std::function<void(int, int)> c_ = [](int, int) {};
  int (*d_)(int) = nullptr;
  uint8_t e_ : 4 = 0;
  [[nodiscard]] std::optional<Inner> f_;
  struct { int z; } g_;
};
''')
        by_name = {c.name: len(c.members) for c in outline.classes}
        self.assertEqual(by_name, {'A': 7, 'Inner': 2, '(anonymous)': 1})

    def test_state(self):
        def variables(code):
            return [v.name for v in cpp_source.outline(code).variables]

        self.assertEqual(variables('namespace { int counter = 0; }'), ['counter'])
        self.assertEqual(variables('const char* name = "x";'), ['name'])
        self.assertEqual(variables('std::vector<int> table{1, 2};'), ['table'])
        self.assertEqual(variables('void F() { static int calls = 0; }'), ['calls'])
        self.assertEqual(variables('struct S { static inline int n = 0; };'), ['n'])
        self.assertEqual(variables('thread_local int depth;'), ['depth'])
        for constant in ('constexpr int kX = 1;', 'const char* const kName = "x";', 'inline constexpr std::array<int, 2> kA{1, 2};',
                         'void F() { static const int kY = 2; static_assert(true); }', 'extern int x;', 'class C;',
                         'struct S { static constexpr int kX = 1; static S Make(int a); };', 'using T = int;',
                         'template <> struct std::hash<S>;', 'int F(int a);', 'enum class E : int { kA };',
                         'constexpr auto kTable = [] { std::array<int, 2> t{}; return t; }();'):
            self.assertEqual(variables(constant), [], constant)

    def test_linkage(self):
        outline = cpp_source.outline('extern "C" int F(int a) {\n  x->y = 1;\n  return 0;\n}\nextern "C" {\nint G();\n}')
        self.assertEqual([f.name for f in outline.functions], ['F', 'G'])
        self.assertEqual(outline.variables, [])

    def test_literals_and_comments(self):
        code = 'int F() { return g("{ // \\" ", \'{\', R"x({{")x", 1\'000); /* } */ }\nint G() { return 1; }'
        self.assertEqual([f.name for f in cpp_source.outline(code).functions], ['F', 'G'])


class BudgetsTest(unittest.TestCase):

    def test_file_lines(self):
        self.assertEqual(messages('base/a.cc', '\n' * 500), [])
        self.assertEqual(messages('base/a.cc', '\n' * 501), ['501 lines; the limit is 500'])
        self.assertEqual(messages('base/a_test.cc', '\n' * 800), [])
        self.assertEqual(len(messages('base/a_test.cc', '\n' * 801)), 1)
        self.assertEqual(len(messages('ice/agent.cc', '\n' * 401)), 1)

    def test_function_lines(self):
        self.assertEqual(messages('base/a.cc', 'void F() {' + '\n' * 59 + '}'), [])
        self.assertEqual(messages('base/a.cc', 'void F() {' + '\n' * 60 + '}'), ['F has 61 lines; the limit is 60'])

    def test_members(self):
        def of_size(n):
            return 'struct S {\n%s};' % ''.join('int m%d;\n' % i for i in range(n))

        self.assertEqual(messages('base/a.h', of_size(15)), [])
        self.assertEqual(messages('base/a.h', of_size(16)), ['S has 16 data members; the limit is 15'])

    def test_parameters(self):
        self.assertEqual(messages('base/a.h', 'void F(int a, int b, int c, int d, int e);'), [])
        self.assertEqual(len(messages('base/a.h', 'void F(int a, int b, int c, int d, int e, int f);')), 1)
        self.assertEqual(len(messages('base/a.h', 'struct S { S(int a, int b, int c, int d, int e, int f); };')), 1)

    def test_global_state(self):
        self.assertEqual(len(messages('base/a.cc', 'int counter = 0;')), 1)
        self.assertEqual(messages('base/a_test.cc', 'int counter = 0;'), [])
        self.assertEqual(messages('tools/a.cc', 'int counter = 0;'), [])
        self.assertEqual(messages('dtls/clock_shim.cc', 'thread_local Timestamp now;'), [])

    def test_ratio(self):
        def found(test_lines):
            tree = SourceTree({'stun/a.cc': '\n' * 10, 'stun/a_test.cc': '\n' * test_lines})
            return [v.path for v in size_budgets.check(tree)]

        self.assertEqual(found(10), [])
        self.assertEqual(found(9), ['stun'])


if __name__ == '__main__':
    unittest.main()
