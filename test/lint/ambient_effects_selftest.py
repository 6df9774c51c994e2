"""Every ban on ambient effects can fail, and the two exemptions hold."""

import unittest

import ambient_effects
from source_tree import SourceTree


def count(path, code):
    return len(ambient_effects.check(SourceTree({path: code})))


class AmbientEffectsTest(unittest.TestCase):

    def test_rejects_in_production_and_tests(self):
        for code in ('auto t = std::chrono::steady_clock::now();', 'gettimeofday(&tv, nullptr);', 'time(nullptr);',
                     'std::random_device seed;', 'int x = rand();', 'getenv("X");', 'std::thread t(f);', 'std::mutex m;'):
            self.assertEqual(count('ice/agent.cc', code), 1, code)
            self.assertEqual(count('ice/agent_test.cc', code), 1, code)

    def test_rejects_in_production(self):
        for code in ('throw 1;', 'std::cout << 1;', 'std::function<void()> f;', 'virtual void F();', 'std::mt19937 g;',
                     'RAND_bytes(p, 4);', '#include <atomic>', 'std::atomic_int n;'):
            self.assertEqual(count('netsim/link.cc', code), 1, code)

    def test_accepts(self):
        for code in ('// steady_clock::now() is never called', 'auto s = "throw time(nullptr)";', 'Timestamp time() const;',
                     'packet.time(0);', 'a.operand(1);', 'FillRandom(bytes);'):
            self.assertEqual(count('sctp/association.cc', code), 0, code)

    def test_exempts_the_documented_impurity(self):
        self.assertEqual(count('dtls/clock_shim.cc', 'gettimeofday(&tv, nullptr);'), 0)
        self.assertEqual(count('netsim/virtual_gettimeofday.cc', 'int gettimeofday(timeval* tv, void* tz) {'), 0)
        self.assertEqual(count('dtls/session.cc', 'gettimeofday(&tv, nullptr);'), 1)
        self.assertEqual(count('base/crypto.cc', 'RAND_bytes(p, 4);'), 0)

    def test_does_not_read_the_edge(self):
        self.assertEqual(count('transport/asio/steady_clock.cc', 'std::chrono::steady_clock::now();'), 0)
        self.assertEqual(count('transport/peer.cc', 'std::chrono::steady_clock::now();'), 1)


if __name__ == '__main__':
    unittest.main()
