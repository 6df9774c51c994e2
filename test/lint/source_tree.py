"""The files that lint reads: the runfiles of the test, or a checkout when a script is run by hand."""

import functools
import os
import pathlib
import re

import build_files

CORE_DIRECTORIES = ('base', 'stun', 'ice', 'turn', 'portmap', 'dtls', 'sctp', 'datachannel', 'transport', 'netsim')
CPP_DIRECTORIES = CORE_DIRECTORIES + ('bench', 'test', 'tools', 'examples')
_SKIPPED_DIRECTORIES = {'.git', 'node_modules', '__pycache__', 'corpus'}


class SourceTree:
    """Repository-relative paths and their texts. Tests build one from a dict."""

    def __init__(self, texts):
        self._texts = texts  # path -> text, or a callable that reads it
        self.paths = sorted(texts)

    @classmethod
    def of_directory(cls, root):
        texts = {}
        for directory, names, files in os.walk(root, followlinks=False):
            relative = os.path.relpath(directory, root)
            names[:] = [n for n in names if n not in _SKIPPED_DIRECTORIES and not (n.startswith('bazel-'))]
            for name in files:
                path = os.path.normpath(os.path.join(relative, name))
                texts[path] = functools.partial(_read, os.path.join(directory, name))
        return cls(texts)

    def text(self, path):
        text = self._texts[path]
        if callable(text):
            text = self._texts[path] = text()
        return text

    def lines(self, path):
        return self.text(path).count('\n')

    def exists(self, path):
        return path in self._texts

    def cpp_paths(self, directories=CPP_DIRECTORIES):
        return [p for p in self.paths if p.endswith(('.h', '.cc')) and p.split('/')[0] in directories
                and not p.startswith('test/consumer/')]

    @functools.cached_property
    def build_targets(self):
        """Every rule of every BUILD.bazel, as build_files.Target."""
        targets = []
        for path in self.paths:
            if os.path.basename(path) == 'BUILD.bazel':
                targets.extend(build_files.targets(os.path.dirname(path), self.text(path), self.paths))
        return targets

    @functools.cached_property
    def _test_files(self):
        files = set()
        for target in self.build_targets:
            if target.is_test or target.testonly:
                files.update(target.files)
        return files

    def is_test(self, path):
        """True for tests and what only tests use: by name, by place, or because its target is testonly."""
        name = os.path.basename(path)
        return (path.startswith('test/') or '/testing/' in path or path in self._test_files
                or bool(re.search(r'_(?:test|fuzz|bench)\.(?:cc|h)$|_test_support\.', name)))


def _read(path):
    return pathlib.Path(path).read_text(encoding='utf-8', errors='replace')


def default_root():
    runfiles = os.environ.get('TEST_SRCDIR')
    if runfiles:
        return os.path.join(runfiles, os.environ.get('TEST_WORKSPACE', 'jsp'))
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
