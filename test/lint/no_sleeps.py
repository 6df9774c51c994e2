#!/usr/bin/env python3
"""No C++ test sleeps, and only tests of what does I/O open sockets."""

import re

import cpp_source
import include_matrix
import lint

SLEEPS = re.compile(r'\bsleep_(?:for|until)\b|\bstd\s*::\s*this_thread\b|\b(?:u|nano)sleep\s*\(|(?<![\w.>:])sleep\s*\(')
SOCKETS = re.compile(
    r'\b(?:ip\s*::\s*(?:udp|tcp)|local\s*::\s*\w+_protocol)\s*::\s*(?:socket|acceptor|resolver)\b'
    r'|(?<![\w.>])(?:::)?(?:socket|recvfrom|sendto|recvmsg|sendmsg|accept4?)\s*\(\s*\w'
    r'|#\s*include\s*<(?:sys/socket|netinet/\w+|arpa/inet)\.h>')
SOCKET_PLACES = re.compile(r'test/interop/|bench/wall/|tools/|transport/(?:asio|signaling)/|examples/')


def _may_open_sockets(path):
    return bool(SOCKET_PLACES.match(path)) or include_matrix.is_edge(path)


def check(tree):
    violations = []
    for path in tree.cpp_paths():
        if not tree.is_test(path):
            continue
        code = cpp_source.strip_comments(tree.text(path))
        rules = [(SLEEPS, 'a test sleeps; drive virtual time or wait for the event')]
        if not _may_open_sockets(path):
            rules.append((SOCKETS, 'a test of a core opens a socket'))
        for pattern, message in rules:
            for match in pattern.finditer(code):
                line = code.count('\n', 0, match.start()) + 1
                violations.append(lint.Violation(path, line, '%s: %s' % (message, ' '.join(match.group(0).split()))))
    return violations


if __name__ == '__main__':
    lint.main('no_sleeps', check)
