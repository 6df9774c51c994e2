"""A light reader of C++: comments, functions with their lines and parameters, classes with their data members,
variables at namespace scope. It knows declarations by their shape, not by their types, which is enough for budgets.
"""

import dataclasses
import re

_TOKEN = re.compile(
    r'//[^\n]*(?:\\\n[^\n]*)*'
    r'|/\*.*?\*/'
    r'|(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'
    r'|(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])(?:u8|[uUL])?'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)
_OPERATOR_NAME = re.compile(r'\boperator\s*(\(\s*\)|\[\s*\]|""\s*\w+|<=>|->\*?|[-+*/%^&|~!=<>]=?|<<=?|>>=?|&&|\|\||\+\+|--|,)')
_CALL_LIKE = r'(?:alignas|decltype|noexcept|explicit|requires|__attribute__|throw)'
_WORD = re.compile(r'[A-Za-z_]\w*')


def _blank(text):
    return re.sub(r'[^\n]', ' ', text)


def strip_comments(text, keep_strings=False):
    """`text` with comments (and contents of literals) blanked; every line stays where it was."""

    def replace(match):
        token = match.group(0)
        if token.startswith('//') or token.startswith('/*'):
            return _blank(token)
        if keep_strings:
            return token
        quote = '"' if token.endswith('"') else "'"
        lines = token.count('\n')
        return quote + ' ' * max(0, len(token.split('\n')[0]) - 2) + '\n' * lines + quote

    return _TOKEN.sub(replace, text)


def comments(text):
    """(line number, text) of every comment."""
    for match in _TOKEN.finditer(text):
        if match.group(0).startswith(('//', '/*')):
            yield text.count('\n', 0, match.start()) + 1, match.group(0)


def includes(text):
    """(line number, path, is_system) of every include directive."""
    stripped = strip_comments(text, keep_strings=True)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', stripped, re.MULTILINE):
        yield stripped.count('\n', 0, match.start()) + 1, match.group(1) or match.group(2), match.group(1) is None


def code_only(text):
    """`text` without comments, contents of literals and preprocessor directives."""
    stripped = strip_comments(text)
    return re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', lambda match: _blank(match.group(0)), stripped, flags=re.MULTILINE)


@dataclasses.dataclass
class Function:
    name: str
    line: int
    end_line: int
    parameters: int
    body: str = ''  # without its braces; empty for a declaration
    body_line: int = 0

    @property
    def lines(self):
        return self.end_line - self.line + 1


@dataclasses.dataclass
class Class:
    name: str
    line: int
    members: list


@dataclasses.dataclass
class Variable:
    name: str
    line: int
    declaration: str


@dataclasses.dataclass
class Outline:
    functions: list
    classes: list
    variables: list  # mutable, of namespace scope or static in a class or in a function


def split_at_commas(text):
    """Splits at commas that stand outside every kind of bracket."""
    parts, depth, start = [], 0, 0
    for position, character, angle in _walk(text):
        if character in '([{' or angle > 0:
            depth += 1
        elif character in ')]}' or angle < 0:
            depth -= 1
        elif character == ',' and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _walk(text):
    """(position, character, angle) where angle is +1 or -1 for a template bracket. A `<` opens one after a word."""
    open_angles = []  # bracket depth at which each was opened
    depth = 0
    for position, character in enumerate(text):
        angle = 0
        if character in '([{':
            depth += 1
        elif character in ')]}':
            depth -= 1
            while open_angles and open_angles[-1] > depth:
                open_angles.pop()
        elif character == '<' and re.search(r'\w\s*$', text[max(0, position - 40):position]):
            if _closes_as_template(text, position):
                open_angles.append(depth)
                angle = 1
        elif character == '>' and open_angles and open_angles[-1] == depth and text[position - 1:position] != '-':
            open_angles.pop()
            angle = -1
        yield position, character, angle


def _closes_as_template(text, position):
    depth = 0
    for index in range(position, min(len(text), position + 2000)):
        character = text[index]
        if character in '<([':
            depth += 1
        elif character in ')]' or (character == '>' and text[index - 1] != '-'):
            depth -= 1
            if depth == 0:
                return character == '>'
        elif character in ';{' and depth <= 1:
            return False
    return False


def _depth_zero_parens(head):
    """Spans (open, close) of the round brackets that stand outside every other bracket."""
    spans, depth, start = [], 0, None
    for position, character, angle in _walk(head):
        if angle > 0 or character in '([{':
            if depth == 0 and character == '(':
                start = position
            depth += 1
        elif angle < 0 or character in ')]}':
            depth -= 1
            if depth == 0 and character == ')' and start is not None:
                spans.append((start, position))
                start = None
    return spans


def _clean_head(head):
    """`head` without attributes, template prefixes, access labels and call-like specifiers."""
    head = re.sub(r'\[\[.*?\]\]', ' ', head, flags=re.DOTALL)
    head = re.sub(r'\b(?:public|private|protected)\s*:(?!:)', ' ', head)
    head = _OPERATOR_NAME.sub(' operator_name ', head)
    head = _drop_template_prefixes(head)
    head = re.sub(r'\brequires\b\s*\{\s*\}', ' ', head)
    while True:
        match = re.search(r'\b' + _CALL_LIKE + r'\s*\(', head)
        if not match:
            return head
        end = _matching(head, match.end() - 1)
        replacement = ' decltype_t ' if head[match.start():match.end()].startswith('decltype') else ' '
        head = head[:match.start()] + replacement + head[end + 1:]


def _drop_template_prefixes(head):
    while True:
        match = re.match(r'\s*template\s*<', head)
        if not match:
            return head
        depth = 0
        for index in range(match.end() - 1, len(head)):
            if head[index] in '<(':
                depth += 1
            elif head[index] in '>)' and head[index - 1] != '-':
                depth -= 1
                if depth == 0:
                    head = ' ' + head[index + 1:]
                    break
        else:
            return ''
        head = re.sub(r'^\s*requires\s+[\w:]+(?:<[^;{]*?>)?(?:\s*(?:&&|\|\|)\s*[\w:]+(?:<[^;{]*?>)?)*\s+(?=[\w\[:])', ' ', head)


def _matching(text, position):
    """Position of the bracket that closes the one at `position`, or the end."""
    pairs = {'(': ')', '{': '}', '[': ']'}
    opening, closing = text[position], pairs[text[position]]
    depth = 0
    for index in range(position, len(text)):
        if text[index] == opening:
            depth += 1
        elif text[index] == closing:
            depth -= 1
            if depth == 0:
                return index
    return len(text) - 1


def _assignment_position(head):
    """Position of the first `=` outside brackets, or None."""
    depth = 0
    for position, character, angle in _walk(head):
        if angle > 0 or character in '([{':
            depth += 1
        elif angle < 0 or character in ')]}':
            depth -= 1
        elif character == '=' and depth == 0 and head[position + 1:position + 2] != '=' and head[position - 1] not in '=!<>':
            return position
    return None


def _function_parens(head):
    """The span of the parameter list if `head` declares a function, else None."""
    spans = _depth_zero_parens(head)
    assignment = _assignment_position(head)
    for start, end in spans:
        if assignment is not None and start > assignment:
            return None
        if head[start + 1:].lstrip()[:1] == '*' and head[end + 1:].lstrip()[:1] == '(':
            return None  # a pointer to a function
        if re.search(r'(?:\w|\))\s*$', head[:start]):
            return start, end
    return None


def _parameter_count(text):
    parameters = split_at_commas(text)
    return 0 if len(parameters) == 1 and parameters[0].strip() == 'void' else len(parameters)


class _Parser:
    """Walks one file's scopes."""

    def __init__(self, code):
        self._code = code
        self._starts = [0]
        for match in re.finditer('\n', code):
            self._starts.append(match.end())
        self.outline = Outline([], [], [])

    def run(self):
        self._scope(0, len(self._code), None)
        return self.outline

    def _line(self, position):
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= position else (low, middle)
        return low + 1

    def _scope(self, start, end, current_class):
        """Reads the declarations of a namespace (current_class None) or class body."""
        position = head_start = start
        blanked = list(self._code[start:end])
        while position < end:
            character = self._code[position]
            if character in '([':
                position = _matching(self._code, position) + 1
            elif character == '{':
                head = ''.join(blanked[head_start - start:position - start])
                close = _matching(self._code, position)
                if self._block(head, head_start, position, close, current_class):
                    head_start = close + 1
                else:  # part of a declaration that goes on: an initialiser, or a type with a declarator behind it
                    for index in range(position, min(close + 1, end)):
                        if blanked[index - start] != '\n':
                            blanked[index - start] = ' '
                    blanked[position - start] = '{'
                    blanked[min(close, end - 1) - start] = '}'
                position = close + 1
            elif character == ';':
                head = ''.join(blanked[head_start - start:position - start])
                self._declaration(head, head_start, current_class)
                head_start = position = position + 1
            else:
                position += 1

    def _block(self, head, head_start, start, close, current_class):
        """Handles one `head { … }`. False when the declaration goes on behind the closing brace."""
        clean = _clean_head(head)
        if re.match(r'\s*(?:inline\s+)?namespace\b', clean) or re.fullmatch(r'\s*extern\s*"[^"]*"\s*', clean):
            self._scope(start + 1, close, None)
            return True
        words = _WORD.findall(clean)
        if 'enum' in words[:3] and not _depth_zero_parens(clean):
            return False
        parens = _function_parens(clean)
        if parens is None:
            if any(word in ('class', 'struct', 'union') for word in words) and _assignment_position(clean) is None:
                self._class(clean, head_start, head, start, close)
            elif 'concept' not in words and _assignment_position(clean) is not None and '[' in clean:
                return False
            return False
        if self._is_member_initialiser(clean, parens):
            return False
        self._function(clean, parens, self._first_line(head, head_start), start, close)
        return True

    @staticmethod
    def _is_member_initialiser(clean, parens):
        """True for the brace of `Foo::Foo() : a_{1}, b_{2} {` that belongs to a member."""
        tail = clean[parens[1] + 1:]
        colon = re.match(r'\s*(?:noexcept\s*)?:(?!:)', tail)
        if colon:
            return bool(re.search(r'(?:\w|>|\.\.\.)\s*$', tail))
        return False

    def _first_line(self, head, head_start):
        offset = len(head) - len(head.lstrip())
        label = re.match(r'(?:\s*(?:public|private|protected)\s*:(?!:))+\s*', head)
        return self._line(head_start + max(offset, label.end() if label else 0))

    def _class(self, clean, head_start, head, start, close):
        match = re.search(r'\b(?:class|struct|union)\s+((?:\w+::)*\w+)?', clean)
        name = (match.group(1) if match else None) or '(anonymous)'
        entry = Class(name, self._first_line(head, head_start), [])
        self.outline.classes.append(entry)
        self._scope(start + 1, close, entry)

    def _function(self, clean, parens, line, start, close):
        name = re.search(r'([~\w:]+)\s*$', clean[:parens[0]])
        name = name.group(1) if name else '(unnamed)'
        arguments = clean[parens[0] + 1:parens[1]]
        is_macro = bool(re.fullmatch(r'\s*[A-Z][A-Z0-9_]{2,}\s*', clean[:parens[0]]))
        count = 0 if is_macro else _parameter_count(arguments)
        label = '%s(%s)' % (name, arguments.strip()) if is_macro else name
        body = self._code[start + 1:close]
        self.outline.functions.append(Function(label, line, self._line(close), count, body, self._line(start)))
        self._static_locals(body, start + 1)

    def _static_locals(self, body, offset):
        for match in re.finditer(r'\b(?:static|thread_local)\b([^;{=(]*)', body):
            declaration = match.group(0).strip()
            if not _is_constant(declaration):
                self._variable(declaration, offset + match.start())

    def _variable(self, declaration, position):
        words = _WORD.findall(declaration)
        self.outline.variables.append(Variable(words[-1] if words else '?', self._line(position), ' '.join(declaration.split())))

    def _declaration(self, head, head_start, current_class):
        clean = _clean_head(head)
        words = _WORD.findall(clean)
        if not words or words[0] in ('using', 'typedef', 'friend', 'static_assert', 'namespace', 'concept', 'extern', 'template', 'enum'):
            return
        line = self._first_line(head, head_start)
        parens = _function_parens(clean)
        if parens is not None:
            if re.fullmatch(r'\s*[A-Z][A-Z0-9_]{2,}\s*', clean[:parens[0]]):
                return  # a macro
            name = re.search(r'([~\w:]+)\s*$', clean[:parens[0]])
            arguments = clean[parens[0] + 1:parens[1]]
            self.outline.functions.append(Function(name.group(1) if name else '?', line, line, _parameter_count(arguments)))
            return
        declarators = self._declarators(clean)
        if not declarators:
            return
        is_static = any(word in ('static', 'thread_local') for word in words)
        if current_class is None or is_static:
            if not _is_constant(clean):
                self._variable(declarators[0], head_start + len(head) - len(head.lstrip()))
        else:
            current_class.members.extend(_WORD.findall(re.split(r'[={:]', d.replace('::', '__'))[0])[-1:] or ['?'] for d in declarators)

    @staticmethod
    def _declarators(clean):
        """The variables that a statement declares; none for a forward declaration or a type alone."""
        type_block = re.match(r'\s*(?:(?:static|const|inline|mutable)\s+)*(?:class|struct|union)\b[^;{]*\{\s*\}?', clean)
        if type_block:
            rest = clean[type_block.end():]
            return split_at_commas(rest.replace('}', ' ')) if _WORD.search(rest) else []
        if re.match(r'\s*(?:class|struct|union)\s+[\w:]+\s*(?:<.*>)?\s*$', clean, re.DOTALL):
            return []
        return split_at_commas(clean)


def _is_constant(declaration):
    """True when the declared object itself cannot change (`const char*` can)."""
    left = re.split(r'=|\{', declaration, maxsplit=1)[0]
    if re.search(r'\bconstexpr\b', left):
        return True
    star = left.rfind('*')
    while star >= 0 and _inside_angles(left, star):
        star = left.rfind('*', 0, star)
    return bool(re.search(r'\bconst\b', left[star + 1:] if star >= 0 else left))


def _inside_angles(text, position):
    return text[:position].count('<') > text[:position].count('>')


def outline(text):
    """The functions, classes and mutable variables of static storage of one file."""
    return _Parser(code_only(text)).run()
