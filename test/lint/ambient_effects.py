#!/usr/bin/env python3
"""A core is told the time, the randomness and the bytes; it never asks.

Read over base, stun, ice, turn, dtls, sctp, datachannel, transport (without its I/O edge) and netsim, with comments and
strings removed. Two files are exempt from the ban on clocks, as the one documented impurity of the design: OpenSSL reads
gettimeofday itself, so dtls/clock_shim.* and netsim/virtual_gettimeofday.cc define it.
"""

import re

import cpp_source
import include_matrix
import lint
import source_tree

# What nobody in these directories may do, tests included.
EVERYWHERE = {
    'a clock': r'\b(?:steady_clock|system_clock|high_resolution_clock|gettimeofday|clock_gettime|timespec_get)\b'
               r'|(?<![.>\w])time\s*\(\s*(?:nullptr|NULL|0|&\w+)\s*\)',
    'a source of randomness': r'\brandom_device\b|(?<![\w.>:])(?:std\s*::\s*)?s?rand\s*\(|\bgetrandom\b|\barc4random\w*\b',
    'the environment': r'\b(?:secure_)?getenv\s*\(',
    'a thread': r'\bstd\s*::\s*(?:jthread|thread|async)\b|\bpthread_\w+',
    'a lock': r'\bstd\s*::\s*(?:\w*mutex|lock_guard|unique_lock|scoped_lock|shared_lock|condition_variable\w*|once_flag)\b',
}
# What production code there may not do.
IN_PRODUCTION = {
    'an atomic': r'\bstd\s*::\s*atomic\w*\b|#\s*include\s*<atomic>',
    'a random number generator other than Rng': r'\bmt19937\w*\b|\bdefault_random_engine\b|\bRAND_(?:priv_)?bytes\b',
    'an exception': r'\bthrow\b',
    'an iostream': r'\bstd\s*::\s*(?:cout|cerr|clog|cin|[io]?f?stream|[io]?stringstream)\b'
                   r'|#\s*include\s*<(?:iostream|fstream|sstream|ostream|istream)>',
    'std::function': r'\bstd\s*::\s*(?:function|move_only_function)\b',
    'a virtual function': r'\bvirtual\b',
}
CLOCK_FILES = re.compile(r'dtls/clock_shim(?:_test)?\.(?:h|cc)$|netsim/virtual_gettimeofday\.cc$')
SEED_FILE = 'base/crypto.cc'


def _exempt(path, effect):
    if effect == 'a clock':
        return bool(CLOCK_FILES.match(path))
    return effect.startswith('a random number generator') and path == SEED_FILE


def check(tree):
    violations = []
    for path in tree.cpp_paths(source_tree.CORE_DIRECTORIES):
        if include_matrix.is_edge(path):
            continue
        rules = dict(EVERYWHERE) if tree.is_test(path) else {**EVERYWHERE, **IN_PRODUCTION}
        code = cpp_source.strip_comments(tree.text(path))
        for effect, pattern in rules.items():
            if _exempt(path, effect):
                continue
            for match in re.finditer(pattern, code):
                line = code.count('\n', 0, match.start()) + 1
                violations.append(lint.Violation(path, line, 'a core uses %s: %s' % (effect, ' '.join(match.group(0).split()))))
    return violations


if __name__ == '__main__':
    lint.main('ambient_effects', check)
