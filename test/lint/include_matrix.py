#!/usr/bin/env python3
"""Who may include whom: the layers of ARCHITECTURE.md, executed over #include lines and over the deps of BUILD files.

Bazel's own layering_check needs clang, so under gcc only this test sees a header that is reached through somebody
else's dependency. Tests obey the rules of the directory that they stand in, and may also include test/support.
"""

import re

import build_files
import cpp_source
import lint
import source_tree

# Directory -> directories whose headers it may include (and whose targets it may depend on).
LAYERS = {
    'base': {'base'},
    'stun': {'base', 'stun'},
    'ice': {'base', 'stun', 'ice'},
    'turn': {'base', 'stun', 'turn'},
    'portmap': {'base', 'portmap'},
    'dtls': {'base', 'dtls'},
    'sctp': {'base', 'sctp'},
    'datachannel': {'base', 'sctp', 'datachannel'},
    'transport': {'base', 'stun', 'ice', 'turn', 'portmap', 'dtls', 'sctp', 'datachannel', 'transport'},
    'netsim': {'base', 'stun', 'ice', 'turn', 'dtls', 'sctp', 'datachannel', 'transport', 'netsim'},
}
OUTER = ('test', 'bench', 'tools', 'examples')  # these may include anything public

# The seam between data channels and SCTP: two headers, and the targets that carry them.
DATACHANNEL_SCTP_HEADERS = {'sctp/types.h', 'sctp/message.h'}
DATACHANNEL_SCTP_TARGETS = {'//sctp:types', '//sctp:message'}

EDGE = re.compile(r'transport/(?:asio/|signaling/|webrtc_[^/]*$|connection(?:_config)?(?:_test)?\.[^/]*$)')
# bench/compare has another stack's parts in a program of their own.
TLS_FILES = re.compile(r'dtls/|base/crypto(?:_test)?\.cc$|bench/compare/')
CONTAINERS = ('boost/container/', 'boost/circular_buffer', 'boost/intrusive/', 'boost/unordered')
OS_HEADERS = re.compile(r'(?:sys/(?:socket|epoll|un|ioctl|select|uio)\.h|netinet/|arpa/|net/|netdb\.h|poll\.h|ifaddrs\.h|unistd\.h)')
TEST_HEADERS = re.compile(r'(?:gtest|gmock)/')


def is_edge(path):
    """The part of transport/ that does I/O: the Asio driver, signalling, and the user's façade."""
    return bool(EDGE.match(path))


def _our_include(path, included):
    """The reason why `path` may not include our header `included`, or None."""
    source, target = path.split('/')[0], included.split('/')[0]
    if target not in LAYERS and target not in OUTER:
        return 'an include in quotes is a path from the repository root'
    if source in OUTER:
        return None
    if included.startswith('test/support/') and re.search(r'_test\.(?:cc|h)$', path):
        return None
    if target not in LAYERS[source]:
        return '%s/ may include %s' % (source, ', '.join(sorted(LAYERS[source])))
    if source == 'datachannel' and target == 'sctp' and included not in DATACHANNEL_SCTP_HEADERS:
        return 'datachannel/ sees only %s of sctp/' % ' and '.join(sorted(DATACHANNEL_SCTP_HEADERS))
    for here, there in (('sctp/rx/', 'sctp/tx/'), ('sctp/tx/', 'sctp/rx/')):
        if path.startswith(here) and included.startswith(there):
            return 'rx and tx never meet'
    if is_edge(included) and not is_edge(path):
        return 'only transport/asio, transport/signaling and the façade include the part of transport/ that does I/O'
    return None


def _system_include(path, included, is_test):
    """The reason why `path` may not include the system header `included`, or None."""
    source = path.split('/')[0]
    outer = source in OUTER
    does_io = outer or is_edge(path)
    if included.startswith('openssl/'):
        return None if TLS_FILES.match(path) else 'only dtls/ and base/crypto.cc see the TLS library'
    if included.startswith('boost/') and not included.startswith(CONTAINERS):
        return None if does_io else 'Asio, Beast and the like stay in transport/asio, transport/signaling and the façade'
    if OS_HEADERS.match(included) and not does_io:
        return 'a core opens no socket and asks no operating system'
    if included.startswith('tl/'):
        return None if source == 'base' else 'tl::expected comes through base/expected.h'
    if included.startswith('CLI/'):
        return None if outer else 'a command line belongs to tools/'
    if included.startswith('benchmark/'):
        return None if source == 'bench' or outer else 'Google Benchmark belongs to bench/'
    if TEST_HEADERS.match(included):
        return None if is_test or source in ('test', 'bench') else 'GoogleTest belongs to tests'
    return None


def check_includes(tree):
    violations = []
    for path in tree.cpp_paths():
        is_test = tree.is_test(path)
        for line, included, is_system in cpp_source.includes(tree.text(path)):
            if is_system:
                reason = _system_include(path, included, is_test)
            else:
                reason = _our_include(path, included)
                if reason is None and not tree.exists(included):
                    reason = 'there is no such file'
            if reason:
                quoted = '<%s>' % included if is_system else '"%s"' % included
                violations.append(lint.Violation(path, line, '#include %s: %s' % (quoted, reason)))
    return violations


def _dependency(target, dep):
    """The reason why `target` may not depend on the label `dep`, or None."""
    source = target.package.split('/')[0]
    repository, _, rest = dep.partition('//')
    package, _, name = rest.partition(':')
    if repository == '@openssl' and target.package != 'bench/compare':
        return 'no target but the label_flag //dtls:tls names a TLS library; depend on //dtls:tls'
    if dep == '//dtls:tls':
        return None if source in ('base', 'dtls') else 'only dtls/ and base/ see the TLS library'
    if source in OUTER or source not in LAYERS:
        return None
    if repository == '@boost':
        containers = {'container', 'circular_buffer', 'intrusive', 'unordered'}
        edge = _is_edge_target(target)
        return None if name in containers or edge else 'Asio, Beast and the like stay at the edge of transport/'
    if repository:
        return None
    top = package.split('/')[0]
    if target.is_test or target.testonly:
        if package == 'test/support':
            return None
    if top not in LAYERS[source] and top not in ('bazel', 'third_party'):
        return '%s/ may depend on %s' % (source, ', '.join(sorted(LAYERS[source])))
    if source == 'datachannel' and top == 'sctp' and dep not in DATACHANNEL_SCTP_TARGETS:
        return 'datachannel/ sees only %s' % ' and '.join(sorted(DATACHANNEL_SCTP_TARGETS))
    for here, there in (('sctp/rx', 'sctp/tx'), ('sctp/tx', 'sctp/rx')):
        if target.package == here and package == there:
            return 'rx and tx never meet'
    return None


def _is_edge_target(target):
    return is_edge(target.package + '/') or bool(target.files and all(is_edge(f) for f in target.files))


def check_build_files(tree):
    violations = []
    for target in tree.build_targets:
        path = (target.package + '/' if target.package else '') + 'BUILD.bazel'
        if path.startswith('test/consumer/'):
            continue

        def report(message):
            violations.append(lint.Violation(path, target.line, '%s: %s' % (target.label, message)))

        for dep in target.deps:
            reason = _dependency(target, dep)
            if reason:
                report('depends on %s: %s' % (dep, reason))
        if re.match(r'(?:cc_(?:library|test|binary)|sh_test)$', target.kind):
            report('use jsp_%s of //bazel' % target.kind)
        for leaking in ('defines', 'includes'):
            if leaking in target.attributes and target.kind.startswith('jsp_cc'):
                report('`%s` leaks into every target that depends on this one' % leaking)
    for path in tree.paths:
        if path.endswith('BUILD.bazel') and path.split('/')[0] in LAYERS:
            labels, line = build_files.default_visibility(tree.text(path))
            if '//visibility:public' in labels:
                violations.append(lint.Violation(path, line, 'packages are private by default'))
    return violations


def check(tree):
    return check_includes(tree) + check_build_files(tree)


if __name__ == '__main__':
    lint.main('include_matrix', check)
