"""Reads BUILD.bazel files without Bazel. Starlark's BUILD dialect parses as Python."""

import ast
import dataclasses
import fnmatch
import os


@dataclasses.dataclass
class Target:
    package: str
    kind: str
    name: str
    line: int
    deps: list
    files: list  # srcs and hdrs, repository-relative
    testonly: bool
    attributes: dict  # name -> ast node

    @property
    def is_test(self):
        return self.kind.endswith('_test')

    @property
    def label(self):
        return '//%s:%s' % (self.package, self.name)


def _strings(node):
    """String constants of an expression; of a select only the values, not the conditions."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Dict):
        return [s for value in node.values for s in _strings(value)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'glob':
        return []
    return [s for child in ast.iter_child_nodes(node) for s in _strings(child)]


def _globs(node, package, paths):
    found = []
    for call in ast.walk(node):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == 'glob'):
            continue
        patterns = _strings(call.args[0]) if call.args else []
        for path in paths:
            if package and not path.startswith(package + '/'):
                continue
            inside = path[len(package) + 1:] if package else path
            if any(_glob_matches(inside, pattern) for pattern in patterns):
                found.append(path)
    return found


def _glob_matches(path, pattern):
    path_parts, pattern_parts = path.split('/'), pattern.split('/')

    def match(i, j):
        if j == len(pattern_parts):
            return i == len(path_parts)
        if pattern_parts[j] == '**':
            return any(match(k, j + 1) for k in range(i, len(path_parts) + 1))
        return i < len(path_parts) and fnmatch.fnmatchcase(path_parts[i], pattern_parts[j]) and match(i + 1, j + 1)

    return match(0, 0)


def normalise(label, package):
    """`label` as it stands in `package`, written as //package:name or @repository//package:name."""
    if label.startswith(':'):
        return '//%s%s' % (package, label)
    repository, separator, rest = label.partition('//')
    if not separator:
        if label.startswith('@'):
            return '%s//:%s' % (label, label[1:])
        return '//%s:%s' % (package, label)
    if ':' not in rest:
        rest = '%s:%s' % (rest, os.path.basename(rest))
    return '%s//%s' % (repository, rest)


def targets(package, text, paths):
    found = []
    for call in ast.walk(ast.parse(text)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        attributes = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        if 'name' not in attributes:
            continue
        files = []
        for attribute in ('srcs', 'hdrs', 'textual_hdrs'):
            node = attributes.get(attribute)
            if node is not None:
                files += [os.path.join(package, s.lstrip(':')) for s in _strings(node) if not s.startswith('//')]
                files += _globs(node, package, paths)
        deps = [normalise(s, package) for a in ('deps', 'implementation_deps') if a in attributes
                for s in _strings(attributes[a])]
        testonly = attributes.get('testonly')
        found.append(Target(
            package=package,
            kind=call.func.id,
            name=''.join(_strings(attributes['name'])),
            line=call.lineno,
            deps=deps,
            files=files,
            testonly=isinstance(testonly, ast.Constant) and bool(testonly.value),
            attributes=attributes,
        ))
    return found


def strings(node):
    return _strings(node)


def calls(text):
    """(function name, line) of every call in a BUILD file."""
    return [(call.func.id, call.lineno) for call in ast.walk(ast.parse(text))
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)]


def default_visibility(text):
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == 'package':
            for keyword in call.keywords:
                if keyword.arg == 'default_visibility':
                    return _strings(keyword.value), call.lineno
    return [], 0
