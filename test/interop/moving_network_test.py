#!/usr/bin/python3
"""A running `jsp connect --bench` whose networks change under it: interfaces that go down and come back, addresses of the
client, of the server, of both at once, a route, a firewall and an MTU that are there for a while.

Two hosts, with two interfaces each to a router between them, in network namespaces of their own. The server's HTTP
listens on an address of no interface, as a name would: signalling survives what the candidates do not.

usage: moving_network_test.py JSP-BINARY
"""

import ctypes
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

SERVICE = '203.0.113.1'  # on loopback of the server
SECONDS = 60
PATIENCE = 20


def skip(why):
    print('JSP-SKIPPED: ' + why)
    sys.exit(0)


def enter_namespace(jsp):
    """Everything happens in namespaces that end with this process: nothing has to be cleaned up."""
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    flags = ['-nm'] if os.getuid() == 0 else ['-Urnm']
    probe = ('mount -t tmpfs none /run && ip netns add a && ip -n a link add eth0 type veth peer name eth1 && '
             'ip netns exec a nft add table ip t')
    if subprocess.run(['unshare'] + flags + ['bash', '-c', probe], stderr=subprocess.DEVNULL).returncode != 0:
        skip('this user may not make network namespaces with veth pairs and nftables')
    os.environ['JSP_IN_NAMESPACE'] = '1'
    os.execvp('unshare', ['unshare'] + flags + ['--kill-child', '--fork', '--pid', '--mount-proc', sys.executable,
                                                os.path.abspath(__file__), jsp])


def run(*commands):
    for command in commands:
        subprocess.run(command.split() if isinstance(command, str) else command, check=True)


def try_to(*commands):
    for command in commands:
        subprocess.run(command.split(), stderr=subprocess.DEVNULL, check=False)


class Host:
    """Interfaces eth0 and eth1, each to a leg of the router that has the first address of its network."""

    def __init__(self, name, number):
        self.name = name
        self.networks = ['10.%d.%d' % (number, leg) for leg in (0, 1)]
        run('ip netns add ' + name, 'ip -n %s link set lo up' % name)
        for leg, network in enumerate(self.networks):
            run('ip link add %s%d netns router type veth peer name eth%d netns %s' % (name, leg, leg, name),
                'ip -n router address add %s.1/24 dev %s%d' % (network, name, leg),
                'ip -n router link set %s%d up' % (name, leg),
                'ip -n %s link set eth%d up' % (name, leg))
        self.host = [2, 2]
        for leg in (0, 1):
            run('ip -n %s address add %s dev eth%d' % (name, self.address(leg), leg))
        # A socket that is bound to an address leaves by its interface; what is not bound prefers the first that is up.
        for leg, network in enumerate(self.networks):
            run('ip -n %s rule add from %s.0/24 table 10%d' % (name, network, leg))
        self.add_routes()

    def address(self, leg):
        return '%s.%d/24' % (self.networks[leg], self.host[leg])

    def add_routes(self):
        for leg, network in enumerate(self.networks):
            try_to('ip -n %s route replace default via %s.1 dev eth%d table 10%d' % (self.name, network, leg, leg),
                   'ip -n %s route replace default via %s.1 dev eth%d metric 1%d' % (self.name, network, leg, leg))

    def down(self, leg):
        run('ip -n %s link set eth%d down' % (self.name, leg))

    def up(self, leg):
        run('ip -n %s link set eth%d up' % (self.name, leg))
        self.add_routes()

    def renumber(self, leg):
        run('ip -n %s address del %s dev eth%d' % (self.name, self.address(leg), leg))
        self.host[leg] += 1
        run('ip -n %s address add %s dev eth%d' % (self.name, self.address(leg), leg))
        self.add_routes()

    def remove_routes(self):
        for leg, network in enumerate(self.networks):
            try_to('ip -n %s route flush table 10%d' % (self.name, leg),
                   'ip -n %s route del default' % self.name)

    def forbid_datagrams(self):
        run(in_host(self.name, 'nft', 'add table ip t'),
            in_host(self.name, 'nft', 'add chain ip t o { type filter hook output priority 0; }'),
            in_host(self.name, 'nft', 'add rule ip t o meta l4proto udp drop'))

    def allow_datagrams(self):
        run(in_host(self.name, 'nft', 'delete table ip t'))


def in_host(name, *command):
    return ['ip', 'netns', 'exec', name] + list(command)


class Session:
    """What the server says of its only session, and of its progress."""

    def __init__(self, url):
        self.url = url
        self.longest_ms = 0
        # From the server's own host: it sees what arrived, whatever the networks do.
        with open('/run/netns/server') as namespace:
            if ctypes.CDLL(None).setns(namespace.fileno(), 0) != 0:
                sys.exit('cannot enter the namespace of the server')

    def stats(self):
        with urllib.request.urlopen(self.url + '/stats', timeout=PATIENCE) as reply:
            return json.load(reply)

    def received(self):
        sessions = self.stats()['sessions']
        return sum(channel['bytes_received'] for session in sessions for channel in session['channels'])

    def wait_for_silence(self, what):
        """Until nothing came for a second. Returns when it began."""
        start = since = time.monotonic()
        before = None
        while time.monotonic() - start < PATIENCE:
            now = self.received()
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > 1:
                return start
        sys.exit('%s: it went on' % what)

    def wait_for_flow(self, what, start=None):
        """Until octets arrive that were not sent before the call."""
        start = start or time.monotonic()
        # What was under way when the network changed still arrives.
        before = None
        while time.monotonic() - start < PATIENCE:
            now = self.received()
            if before is not None and now > before + 8 * 1024 * 1024:
                took = (time.monotonic() - start) * 1000
                self.longest_ms = max(self.longest_ms, took)
                print('%-58s flows again after %5.0f ms' % (what, took), flush=True)
                return
            before = now if before is None else before
        sys.exit('%s: nothing came for %d s' % (what, PATIENCE))


def main(jsp):
    run('mount -t tmpfs none /run', 'ip netns add router')
    run('ip netns exec router sysctl -qw net.ipv4.ip_forward=1')
    client, server = Host('client', 1), Host('server', 2)
    run('ip -n server address add %s/32 dev lo' % SERVICE)
    run('ip -n router route add %s/32 nexthop via %s.2 nexthop via %s.2' % (SERVICE, *server.networks))
    for name in ('client', 'server', 'router'):
        # The legs are one network of several ways, and a packet may come back by another.
        run('ip netns exec %s sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0' % name)

    serve = subprocess.Popen(in_host('server', jsp, 'serve', '--http', SERVICE + ':0', '--interface', 'eth0', 'eth1'), stdout=subprocess.PIPE, text=True)
    url = re.match(r'listening on (\S+)', serve.stdout.readline()).group(1)
    connect = subprocess.Popen(in_host('client', jsp, 'connect', url, '--bench', str(SECONDS), '--json', '-'),
                               stdout=subprocess.PIPE, text=True)
    session = Session(url)
    session.wait_for_flow('the beginning')

    def route_of_service():
        run('ip -n router route replace %s/32 nexthop via %s nexthop via %s' %
            (SERVICE, server.address(0)[:-3], server.address(1)[:-3]))

    for what, end, begin in [
            ('a firewall forbids all datagrams (EPERM)', client.allow_datagrams, client.forbid_datagrams),
            ('there is no route (ENETUNREACH)', client.add_routes, client.remove_routes)]:
        begin()
        start = session.wait_for_silence(what)
        end()
        session.wait_for_flow(what + ', for a while', start)
    run('ip -n client link set eth0 mtu 1280', 'ip -n client link set eth1 mtu 1280')
    session.wait_for_flow('packets are too large for the interface (EMSGSIZE)')

    events = [
        ('an interface of the client goes down', lambda: client.down(0)),
        ('it comes back', lambda: client.up(0)),
        ('the other one goes down', lambda: client.down(1)),
        ('the client has another address', lambda: client.renumber(0)),
        ('the server has other addresses', lambda: (server.renumber(0), server.renumber(1), route_of_service())),
        # Nothing passes meanwhile: what a check found out in between would make a restart unnecessary.
        ('both have other addresses at once',
         lambda: (client.forbid_datagrams(), client.renumber(0), server.renumber(0), server.renumber(1), route_of_service(),
                  client.allow_datagrams())),
    ]
    for what, happen in events:
        happen()
        session.wait_for_flow(what)

    report = json.loads(connect.communicate(timeout=120)[0])
    print(json.dumps(report))
    gap = report['job']['gap_ms']
    assert report['ok'], report['error']
    assert connect.returncode == 0
    assert report['ice_restarts'] >= 1, 'both at once needs one'
    assert report['selected_pair']['local']['address'] == client.address(0)[:-3]
    # What was silent for a second was so at least that long, and nothing stood longer than it was seen to.
    assert 1000 <= gap <= session.longest_ms + 1000, (gap, session.longest_ms)
    serve.terminate()


if __name__ == '__main__':
    if os.environ.get('JSP_IN_NAMESPACE') != '1':
        enter_namespace(os.path.realpath(sys.argv[1]))
    main(sys.argv[1])
