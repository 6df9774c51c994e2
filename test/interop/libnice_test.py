#!/usr/bin/python3
"""Debian's libnice against our ICE, without DTLS, over loopback: both roles, both ways to nominate, a conflict of roles,
candidates that trickle, data in both directions, and restarts from either side.

usage: libnice_test.py ICE-PEER-BINARY
"""

import ctypes
import os
import select
import subprocess
import sys
import time

REGULAR, TRICKLE, CONSENT = 1 << 0, 1 << 3, 1 << 5  # NiceAgentOption
STATES = ('disconnected', 'gathering', 'connecting', 'connected', 'ready', 'failed')  # NiceComponentState
PATIENCE = 20
ADDRESS = '127.0.0.1'


def skip(why):
    print('JSP-SKIPPED: ' + why)
    sys.exit(0)


def load(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        return skip('Debian\'s libnice10 is not installed')


nice = load('libnice.so.10')
glib = load('libglib-2.0.so.0')
gobject = load('libgobject-2.0.so.0')
P, U, I, S = ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_char_p
for library, function, result, arguments in [
    (glib, 'g_main_context_new', P, []), (glib, 'g_main_context_iteration', I, [P, I]), (glib, 'g_free', None, [P]),
    (glib, 'g_slist_append', P, [P, P]), (glib, 'g_slist_free', None, [P]),
    (gobject, 'g_object_unref', None, [P]),
    (nice, 'nice_agent_new_full', P, [P, I, I]), (nice, 'nice_agent_add_stream', U, [P, U]),
    (nice, 'nice_address_new', P, []), (nice, 'nice_address_set_from_string', I, [P, S]),
    (nice, 'nice_agent_add_local_address', I, [P, P]), (nice, 'nice_agent_attach_recv', I, [P, U, U, P, P, P]),
    (nice, 'nice_agent_gather_candidates', I, [P, U]),
    (nice, 'nice_agent_get_local_credentials', I, [P, U, ctypes.POINTER(P), ctypes.POINTER(P)]),
    (nice, 'nice_agent_set_remote_credentials', I, [P, U, S, S]),
    (nice, 'nice_agent_generate_local_sdp', P, [P]), (nice, 'nice_agent_parse_remote_candidate_sdp', P, [P, U, S]),
    (nice, 'nice_agent_set_remote_candidates', I, [P, U, U, P]), (nice, 'nice_candidate_free', None, [P]),
    (nice, 'nice_agent_peer_candidate_gathering_done', I, [P, U]), (nice, 'nice_agent_restart', I, [P]),
    (nice, 'nice_agent_get_component_state', I, [P, U, U]), (nice, 'nice_agent_send', I, [P, U, U, U, S]),
]:
    getattr(library, function).restype = result
    getattr(library, function).argtypes = arguments
RECEIVE = ctypes.CFUNCTYPE(None, P, U, U, U, P, P)


class Libnice:
    def __init__(self, controls, flags):
        self.context = glib.g_main_context_new()
        self.agent = nice.nice_agent_new_full(self.context, 0, flags)  # 0: NICE_COMPATIBILITY_RFC5245
        for name, value in ((b'controlling-mode', controls), (b'ice-tcp', 0), (b'upnp', 0)):
            gobject.g_object_set(P(self.agent), S(name), I(int(value)), P(None))
        self.stream = nice.nice_agent_add_stream(self.agent, 1)
        address = nice.nice_address_new()
        assert nice.nice_address_set_from_string(address, ADDRESS.encode())
        assert nice.nice_agent_add_local_address(self.agent, address)
        self.received = []
        self.receive = RECEIVE(lambda _a, _s, _c, size, data, _u: self.received.append(
            ctypes.string_at(data, size).decode()))
        assert nice.nice_agent_attach_recv(self.agent, self.stream, 1, self.context, self.receive, None)
        assert nice.nice_agent_gather_candidates(self.agent, self.stream)

    def close(self):
        gobject.g_object_unref(self.agent)
        self.turn()

    def turn(self):
        while glib.g_main_context_iteration(self.context, 0):
            pass

    def credentials(self):
        ufrag, password = P(), P()
        assert nice.nice_agent_get_local_credentials(self.agent, self.stream, ctypes.byref(ufrag),
                                                     ctypes.byref(password))
        texts = [ctypes.string_at(pointer.value).decode() for pointer in (ufrag, password)]
        for pointer in (ufrag, password):
            glib.g_free(pointer)
        return ' '.join(texts)

    def candidates(self):
        text = nice.nice_agent_generate_local_sdp(self.agent)
        lines = ctypes.string_at(text).decode().split('\n')
        glib.g_free(text)
        return [line[2:].strip() for line in lines if line.startswith('a=candidate:')]

    def describe(self, ufrag, password):
        assert nice.nice_agent_set_remote_credentials(self.agent, self.stream, ufrag.encode(), password.encode())

    def add(self, line):
        candidate = nice.nice_agent_parse_remote_candidate_sdp(self.agent, self.stream, ('a=' + line).encode())
        assert candidate, line
        candidates = glib.g_slist_append(None, candidate)
        assert nice.nice_agent_set_remote_candidates(self.agent, self.stream, 1, candidates) > 0, line
        glib.g_slist_free(candidates)
        nice.nice_candidate_free(candidate)

    def end(self):
        nice.nice_agent_peer_candidate_gathering_done(self.agent, self.stream)

    def restart(self):
        assert nice.nice_agent_restart(self.agent)

    def state(self):
        return STATES[nice.nice_agent_get_component_state(self.agent, self.stream, 1)]

    def send(self, text):
        return nice.nice_agent_send(self.agent, self.stream, 1, len(text), text.encode()) == len(text)


class Ours:
    def __init__(self, binary, role):
        self.process = subprocess.Popen([binary, role, ADDRESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ''
        self.lines = []

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(10) == 0

    def say(self, *lines):
        self.process.stdin.write(''.join(line + '\n' for line in lines).encode())
        self.process.stdin.flush()

    def turn(self):
        """Waits a little for what we say."""
        if select.select([self.process.stdout], [], [], 0.005)[0]:
            self.text += os.read(self.process.stdout.fileno(), 65536).decode()
            *lines, self.text = self.text.split('\n')
            self.lines += lines
            for line in lines:
                assert not line.startswith('error'), line

    def said(self, start, since=0):
        return [line for line in self.lines[since:] if line.startswith(start)]


class Session:
    def __init__(self, binary, ours, theirs_controls, flags):
        self.us = Ours(binary, ours)
        self.them = Libnice(theirs_controls, flags)
        self.mark = 0
        self.count = 0

    def until(self, what, done):
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, (what, self.us.lines[self.mark:], self.them.state())
            self.us.turn()
            self.them.turn()

    def signal(self):
        """Of what we said last; their candidates are there at once, ours trickle when the first check is under way."""
        self.until('our description', lambda: self.us.said('end', self.mark))
        ufrag, password = self.us.said('local', self.mark)[-1].split()[1:]
        self.us.say('remote ' + self.them.credentials(), *self.them.candidates(), 'end')
        self.them.describe(ufrag, password)
        for _ in range(20):
            self.us.turn()
            self.them.turn()
        for line in self.us.said('candidate', self.mark):
            self.them.add(line)
        self.them.end()

    def connect(self):
        self.signal()
        self.until('completed', lambda: self.us.said('state completed', self.mark) and self.them.state() == 'ready')
        self.exchange()

    def exchange(self):
        self.count += 1
        ours, theirs = 'from us %d' % self.count, 'from them %d' % self.count
        self.us.say('send ' + ours)
        assert self.them.send(theirs)
        self.until('data', lambda: ours in self.them.received and self.us.said('received ' + theirs))

    def restart(self, who):
        """The other side follows; data goes over the old pair meanwhile (RFC 8445 §12.1)."""
        self.us.turn()
        self.mark = len(self.us.lines)
        if who == 'us':
            self.us.say('restart')
            self.until('our description', lambda: self.us.said('end', self.mark))
            self.exchange()
            self.them.restart()
        else:
            self.them.restart()
            self.exchange()
            self.us.say('restart')
        self.signal()
        self.until('a new pair', lambda: [line for line in self.us.said('selected', self.mark) if 'nominated' in line]
                   and self.them.state() == 'ready')
        self.exchange()

    def close(self):
        self.us.close()
        self.them.close()


def main():
    binary = sys.argv[1]
    cases = [('controlling', False, REGULAR), ('controlled', True, REGULAR), ('controlled', True, 0),
             ('controlling', True, REGULAR), ('controlled', False, REGULAR)]
    for ours, theirs_controls, nomination in cases:
        session = Session(binary, ours, theirs_controls, nomination | TRICKLE | CONSENT)
        session.connect()
        for who in ('us', 'them'):
            session.restart(who)
        session.close()
        print('ok: we are %s, libnice %s, %s nomination, restarts from both sides' %
              (ours, 'controls' if theirs_controls else 'is controlled',
               'regular' if nomination == REGULAR else 'aggressive'))


if __name__ == '__main__':
    main()
