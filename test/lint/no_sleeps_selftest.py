"""A sleep and a socket in a test are found."""

import unittest

import no_sleeps
from source_tree import SourceTree


def count(path, code):
    return len(no_sleeps.check(SourceTree({path: code})))


class NoSleepsTest(unittest.TestCase):

    def test_rejects_sleeps_in_every_test(self):
        for code in ('std::this_thread::yield();', 'sleep_for(1ms);', 'usleep(10);', 'sleep(1);', '::nanosleep(&t, 0);'):
            self.assertEqual(count('transport/asio/a_test.cc', code), 1, code)
            self.assertEqual(count('test/integration/a.cc', code), 1, code)

    def test_rejects_sockets_in_tests_of_cores(self):
        for code in ('boost::asio::ip::udp::socket s(io);', 'int fd = socket(AF_INET, SOCK_DGRAM, 0);', '::recvfrom(fd, b, n);'):
            self.assertEqual(count('stun/client_test.cc', code), 1, code)
            self.assertEqual(count('transport/asio/a_test.cc', code), 0, code)
            self.assertEqual(count('test/interop/a.cc', code), 0, code)
            self.assertEqual(count('transport/webrtc_transport_test.cc', code), 0, code)

    def test_accepts(self):
        for code in ('// sleep(1)', 'world.sleep(1);', 'Socket s(1);', 'pair.socket();', 'timer.async_wait(token);'):
            self.assertEqual(count('stun/client_test.cc', code), 0, code)
        self.assertEqual(count('tools/jsp/main.cc', 'sleep_for(1s);'), 0)


if __name__ == '__main__':
    unittest.main()
