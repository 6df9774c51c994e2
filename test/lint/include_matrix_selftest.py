"""Every row of the include matrix can fail."""

import unittest

import include_matrix
from source_tree import SourceTree

HEADERS = ['base/time.h', 'stun/client.h', 'ice/agent.h', 'turn/client.h', 'dtls/session.h', 'sctp/types.h', 'sctp/message.h',
           'sctp/association.h', 'sctp/rx/tracker.h', 'sctp/tx/queue.h', 'datachannel/channel.h', 'transport/peer.h',
           'transport/asio/driver.h', 'transport/webrtc_transport.h', 'transport/signaling/http.h', 'netsim/world.h',
           'test/support/pair.h']


def reasons(path, *lines, build=''):
    texts = {header: '' for header in HEADERS}
    texts[path] = '\n'.join(lines)
    if build:
        texts[path.split('/')[0] + '/BUILD.bazel'] = build
    return [v.message for v in include_matrix.check(SourceTree(texts)) if v.path in (path, path.split('/')[0] + '/BUILD.bazel')]


class IncludesTest(unittest.TestCase):

    def accepts(self, path, line):
        self.assertEqual(reasons(path, line), [], '%s in %s' % (line, path))

    def rejects(self, path, line):
        self.assertEqual(len(reasons(path, line)), 1, '%s in %s' % (line, path))

    def test_layers(self):
        for path, header in (('base/x.cc', 'stun/client.h'), ('stun/x.cc', 'ice/agent.h'), ('ice/x.cc', 'turn/client.h'),
                             ('turn/x.cc', 'ice/agent.h'), ('dtls/x.cc', 'stun/client.h'), ('sctp/x.cc', 'dtls/session.h'),
                             ('datachannel/x.cc', 'dtls/session.h'), ('transport/x.cc', 'netsim/world.h')):
            self.rejects(path, '#include "%s"' % header)
        for path, header in (('stun/x.cc', 'base/time.h'), ('ice/x.cc', 'stun/client.h'), ('turn/x.cc', 'stun/client.h'),
                             ('transport/x.cc', 'sctp/association.h'), ('netsim/x.cc', 'transport/peer.h'),
                             ('tools/x.cc', 'netsim/world.h'), ('bench/x.cc', 'transport/asio/driver.h')):
            self.accepts(path, '#include "%s"' % header)

    def test_receive_and_transmit_never_meet(self):
        self.rejects('sctp/rx/x.cc', '#include "sctp/tx/queue.h"')
        self.rejects('sctp/tx/x_test.cc', '#include "sctp/rx/tracker.h"')
        self.accepts('sctp/association.cc', '#include "sctp/tx/queue.h"')

    def test_datachannel_sees_two_headers_of_sctp(self):
        self.accepts('datachannel/x.cc', '#include "sctp/types.h"')
        self.rejects('datachannel/x.cc', '#include "sctp/association.h"')
        self.rejects('datachannel/x_test.cc', '#include "sctp/association.h"')

    def test_asio_stays_at_the_edge(self):
        for path in ('transport/peer.cc', 'transport/connection_progress.cc', 'netsim/x.cc', 'ice/x.h', 'ice/x_test.cc'):
            self.rejects(path, '#include <boost/asio.hpp>')
        self.rejects('stun/x.cc', '#include <boost/beast/http.hpp>')
        for path in ('transport/asio/x.cc', 'transport/signaling/x.cc', 'transport/webrtc_config.cc', 'transport/connection.h',
                     'tools/jsp/x.cc'):
            self.accepts(path, '#include <boost/asio.hpp>')

    def test_a_core_does_not_include_the_edge(self):
        self.rejects('transport/peer.cc', '#include "transport/asio/driver.h"')
        self.rejects('netsim/world.cc', '#include "transport/webrtc_transport.h"')
        self.accepts('transport/webrtc_transport.cc', '#include "transport/asio/driver.h"')

    def test_containers_go_everywhere(self):
        self.accepts('sctp/x.cc', '#include <boost/container/small_vector.hpp>')
        self.accepts('base/x.cc', '#include <boost/unordered/unordered_flat_map.hpp>')

    def test_tls_library(self):
        self.accepts('dtls/x.cc', '#include <openssl/ssl.h>')
        self.accepts('base/crypto.cc', '#include <openssl/evp.h>')
        self.accepts('bench/compare/x.cc', '#include <openssl/ssl.h>')
        for path in ('base/rng.cc', 'stun/x.cc', 'transport/asio/x.cc', 'tools/x.cc'):
            self.rejects(path, '#include <openssl/rand.h>')

    def test_system_headers(self):
        self.rejects('ice/x.cc', '#include <sys/socket.h>')
        self.rejects('ice/x.cc', '#include <gtest/gtest.h>')
        self.accepts('ice/x_test.cc', '#include <gtest/gtest.h>')
        self.rejects('sctp/x.cc', '#include <tl/expected.hpp>')

    def test_paths(self):
        self.rejects('ice/x.cc', '#include "agent.h"')
        self.rejects('ice/x.cc', '#include "ice/no_such_file.h"')
        self.accepts('ice/x.cc', '// #include "sctp/types.h"')
        self.accepts('ice/x_test.cc', '#include "test/support/pair.h"')
        self.rejects('ice/x.cc', '#include "test/support/pair.h"')


class BuildFilesTest(unittest.TestCase):

    def rejects(self, directory, build, word):
        found = reasons(directory + '/x.cc', '', build=build)
        self.assertEqual(len(found), 1, found)
        self.assertIn(word, found[0])

    def test_dependencies(self):
        self.rejects('stun', 'jsp_cc_library(name = "x", srcs = ["x.cc"], deps = ["//ice"])', 'may depend on')
        self.rejects('datachannel', 'jsp_cc_library(name = "x", deps = ["//sctp"])', 'sees only')
        self.rejects('transport', 'jsp_cc_library(name = "x", srcs = ["peer.cc"], deps = ["@boost//:asio"])', 'edge')
        self.rejects('dtls', 'jsp_cc_library(name = "x", deps = ["@openssl//:ssl"])', '//dtls:tls')
        self.rejects('sctp', 'jsp_cc_library(name = "x", deps = select({"//c:d": ["//dtls"]}))', 'may depend on')

    def test_rules_and_attributes(self):
        self.rejects('stun', 'cc_library(name = "x")', 'jsp_cc_library')
        self.rejects('stun', 'jsp_cc_library(name = "x", includes = ["."])', 'leaks')
        self.rejects('stun', 'package(default_visibility = ["//visibility:public"])', 'private by default')

    def test_accepts_what_the_layers_allow(self):
        build = '''
jsp_cc_library(name = "x", srcs = ["x.cc"], deps = ["//base", "//stun:client", "@boost//:container"])
jsp_cc_test(name = "x_test", srcs = ["x_test.cc"], deps = [":x", "//test/support"])
'''
        self.assertEqual(reasons('ice/x.cc', '', build=build), [])


if __name__ == '__main__':
    unittest.main()
