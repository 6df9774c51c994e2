#!/usr/bin/env python3
"""MODULE.bazel and third_party/deps.bzl name the same repositories, and every label's repository is one of them."""

import ast
import os
import re

import build_files
import lint

# What Bazel 4 must be given before it builds anything; newer ones bring it themselves.
ONLY_WORKSPACE = {'rules_java', 'rules_proto', 'remote_coverage_tools'}


def module_repositories(text):
    """Repository names that MODULE.bazel makes visible. A module that only feeds a hub of ours counts as the hub."""
    names = set()
    for call in ast.walk(ast.parse(text)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        arguments = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        if call.func.id == 'bazel_dep':
            names.add(arguments.get('repo_name') or arguments['name'])
        elif call.func.id == 'use_repo':
            names.update(a.value for a in call.args if isinstance(a, ast.Constant))
    return names


def workspace_repositories(text):
    """Repository names that jsp_dependencies() defines."""
    names = set()
    for call in ast.walk(ast.parse(text)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        strings = [a.value for a in call.args if isinstance(a, ast.Constant)]
        keywords = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        if call.func.id in ('_system_library', '_bazel_support') and strings:
            names.add(strings[0])
        elif 'name' in keywords:
            names.add(keywords['name'])
    return names


def _hub_of(name):
    """boost.asio feeds @boost; tl-expected feeds @tl_expected."""
    return name.split('.')[0].replace('-', '_')


def check(tree):
    module = module_repositories(tree.text('MODULE.bazel'))
    workspace = workspace_repositories(tree.text('third_party/deps.bzl'))
    feeding_hubs = {name for name in module if name != _hub_of(name) and _hub_of(name) in module}
    violations = []
    for name in sorted(module - feeding_hubs - workspace):
        violations.append(lint.Violation('third_party/deps.bzl', 0, 'does not define @%s, which MODULE.bazel names' % name))
    for name in sorted(workspace - module - ONLY_WORKSPACE):
        violations.append(lint.Violation('MODULE.bazel', 0, 'does not name @%s, which third_party/deps.bzl defines' % name))
    violations += _check_boost(tree, feeding_hubs)
    violations += _check_labels(tree, module & workspace)
    return violations


def _check_boost(tree, feeding_hubs):
    """@boost has the same libraries in both worlds."""
    debian = {t.name for t in build_files.targets('', tree.text('third_party/boost.BUILD'), [])}
    registry = {name.split('.')[1] for name in feeding_hubs if name.startswith('boost.')}
    hub = set(re.findall(r'^    "(\w+)",$', tree.text('third_party/extensions.bzl'), re.MULTILINE))
    for path, libraries in (('MODULE.bazel', registry), ('third_party/extensions.bzl', hub)):
        for name in sorted(debian ^ libraries):
            yield lint.Violation(path, 0, 'third_party/boost.BUILD and this file disagree about Boost library %r' % name)


def _check_labels(tree, known):
    for path in tree.paths:
        if os.path.basename(path) != 'BUILD.bazel' or path.startswith('test/consumer/'):
            continue
        for node in ast.walk(ast.parse(tree.text(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith('@'):
                repository = node.value[1:].split('//')[0]
                if repository and repository not in known:
                    yield lint.Violation(path, node.lineno, '@%s is in MODULE.bazel or WORKSPACE only, or in neither' % repository)


if __name__ == '__main__':
    lint.main('module_deps', check)
