"""aiortc offers to `jsp serve` and answers `jsp connect`: another stack's ICE, DTLS, SCTP and data channels.

usage: aiortc_test.py JSP-BINARY
"""

import asyncio
import hashlib
import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import aiortc

DEADLINE_S = 30
SIZES = (0, 1, 1200, 65536)


async def event(emitter, name):
    """Waits for one event of a channel and gives its argument."""
    future = asyncio.get_running_loop().create_future()
    emitter.once(name, lambda *arguments: future.done() or future.set_result(arguments[0] if arguments else None))
    return await asyncio.wait_for(future, DEADLINE_S)


async def until(what, check):
    end = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < end, 'not in time: ' + what
        await asyncio.sleep(0.02)


def request(url, method, path, body=None):
    connection = http.client.HTTPConnection(url, timeout=DEADLINE_S)
    try:
        connection.request(method, path, body, {'Content-Type': 'application/sdp'} if body else {})
        response = connection.getresponse()
        return response.status, response.getheader('Location'), response.read().decode()
    finally:
        connection.close()


class Served:
    """A `jsp serve` and what its GET /stats says."""

    def __init__(self, jsp):
        self.process = subprocess.Popen([jsp, 'serve', '--http', '127.0.0.1:0'], stdout=subprocess.PIPE, text=True)
        self.url = re.fullmatch(r'listening on http://(\S+)\n', self.process.stdout.readline()).group(1)

    def sessions(self):
        return json.loads(request(self.url, 'GET', '/stats')[2])['sessions']

    def stop(self):
        self.process.terminate()
        assert self.process.wait(DEADLINE_S) == 0

    async def connect(self, label, **options):
        """A peer connection with one open channel, and the path of its session."""
        pc = offerer()
        channel = pc.createDataChannel(label, **options)
        opened = asyncio.ensure_future(event(channel, 'open'))
        await pc.setLocalDescription(await pc.createOffer())
        status, location, answer = await asyncio.to_thread(request, self.url, 'POST', '/offer', pc.localDescription.sdp)
        assert status == 201, answer
        await pc.setRemoteDescription(aiortc.RTCSessionDescription(answer, 'answer'))
        await opened
        return pc, channel, location


def offerer():
    """aiortc writes SCTP's lines as RFC 8841 has them in its answers only, and in offers as a draft before it had."""
    pc = aiortc.RTCPeerConnection()
    assert pc._sctpLegacySdp
    pc._sctpLegacySdp = False
    return pc


async def exchange(channel, message):
    answer = asyncio.ensure_future(event(channel, 'message'))
    await asyncio.sleep(0)
    channel.send(message)
    return await answer


CHANNELS = ({}, {'ordered': False}, {'maxRetransmits': 0}, {'ordered': False, 'maxRetransmits': 3},
            {'maxPacketLifeTime': 5000, 'protocol': 'jsp'})


async def offers_channels_of_all_kinds(served):
    for options in CHANNELS:
        pc, channel, _ = await served.connect('echo', **options)
        for size in SIZES:
            for message in ('x' * size, os.urandom(size)):
                assert await exchange(channel, message) == message, '%s of %d' % (type(message), size)
        assert await exchange(channel, 'grüße, 你好 🙂') == 'grüße, 你好 🙂'
        seen = served.sessions()[-1]['channels'][0]
        wanted = {'protocol': options.get('protocol', ''), 'ordered': options.get('ordered', True),
                  'max_retransmits': options.get('maxRetransmits'), 'max_lifetime_ms': options.get('maxPacketLifeTime')}
        assert {name: seen[name] for name in wanted} == wanted, seen
        await pc.close()


async def offers_and_negotiates_what_it_knows(served):
    pc, _, _ = await served.connect('echo')
    negotiated = served.sessions()[-1]['layers']['sctp']['negotiated']
    wanted = {'interleaving': False, 'zero_checksum': False, 'partial_reliability': True, 'stream_reset': True}
    assert {name: negotiated[name] for name in wanted} == wanted, negotiated
    await pc.close()


async def offers_and_fills_a_sink(served):
    pc, channel, _ = await served.connect('sink')
    content = os.urandom(1 << 20)
    for at in range(0, len(content), 65536):
        channel.send(content[at:at + 65536])
    report = json.loads(await exchange(channel, 'done'))
    assert report == {'bytes': len(content), 'messages': 16, 'sha256': hashlib.sha256(content).hexdigest()}, report
    assert json.loads(await exchange(channel, 'done')) == report  # asked again, it repeats itself
    channel.send(b'more')
    assert json.loads(await exchange(channel, 'done'))['bytes'] == 4
    await pc.close()


async def offers_and_drains_a_source(served):
    pc = offerer()
    channel = pc.createDataChannel('source:1000000:65536')
    parts, reports = [], []
    channel.on('message', lambda m: reports.append(json.loads(m)) if isinstance(m, str) else parts.append(m))
    await pc.setLocalDescription(await pc.createOffer())
    _, _, answer = await asyncio.to_thread(request, served.url, 'POST', '/offer', pc.localDescription.sdp)
    await pc.setRemoteDescription(aiortc.RTCSessionDescription(answer, 'answer'))
    await until('the report of the source', lambda: reports)
    content = b''.join(parts)
    assert len(content) == 1000000
    assert reports[0]['sha256'] == hashlib.sha256(content).hexdigest()
    await pc.close()


async def closes_one_channel_and_reuses_the_rest(served):
    pc, channel, _ = await served.connect('echo stays')
    for _ in range(3):
        other = pc.createDataChannel('echo goes')
        await event(other, 'open')
        assert await exchange(other, 'hello') == 'hello'
        closed = asyncio.ensure_future(event(other, 'close'))
        await asyncio.sleep(0)
        other.close()
        await closed
    assert await exchange(channel, 'still here') == 'still here'
    await pc.close()


async def sees_the_server_close(served):
    pc, channel, location = await served.connect('echo')
    closed = asyncio.ensure_future(event(channel, 'close'))
    status, _, _ = await asyncio.to_thread(request, served.url, 'DELETE', location)
    assert status == 200
    await closed
    await pc.close()


async def closes_the_connection(served):
    pc, _, location = await served.connect('echo')
    await pc.close()
    await until('the server forgets the session',
                lambda: location.split('/')[-1] not in [session['id'] for session in served.sessions()])


class Answering:
    """POST /offer answered by aiortc; its channels behave by their labels."""

    def __init__(self, loop):
        self.loop = loop
        self.connections = {}
        self.channels = []
        self.negotiated = None  # id of a channel that both sides open
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                offer = self.rfile.read(int(self.headers['Content-Length'])).decode()
                identity, sdp = asyncio.run_coroutine_threadsafe(outer.answer(offer), loop).result(DEADLINE_S)
                self.reply(201, sdp.encode(), Location='/session/' + identity)

            def do_DELETE(self):
                pc = outer.connections.pop(self.path.split('/')[-1], None)
                if pc:
                    asyncio.run_coroutine_threadsafe(pc.close(), loop).result(DEADLINE_S)
                self.reply(200 if pc else 404, b'')

            def reply(self, status, body, **headers):
                self.send_response(status)
                self.send_header('Content-Type', 'application/sdp')
                self.send_header('Content-Length', str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = 'http://127.0.0.1:%d' % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    async def answer(self, offer):
        pc = aiortc.RTCPeerConnection()
        identity = str(id(pc))
        self.connections[identity] = pc
        pc.on('datachannel', self.serve)
        await pc.setRemoteDescription(aiortc.RTCSessionDescription(offer, 'offer'))
        if self.negotiated is not None:
            self.serve(pc.createDataChannel('echo', negotiated=True, id=self.negotiated))
        await pc.setLocalDescription(await pc.createAnswer())
        return identity, pc.localDescription.sdp

    def serve(self, channel):
        self.channels.append(channel)
        parts = []

        def report(messages):
            content = b''.join(messages)
            return json.dumps({'bytes': len(content), 'messages': len(messages),
                               'sha256': hashlib.sha256(content).hexdigest()})

        async def source(total, size):
            sent = []
            while sum(map(len, sent)) < total and channel.readyState == 'open':
                sent.append(bytes(min(size, total - sum(map(len, sent)))))
                channel.send(sent[-1])
                while channel.bufferedAmount > 1 << 20 and channel.readyState == 'open':
                    await asyncio.sleep(0.005)
            if channel.readyState == 'open':
                channel.send(report(sent))

        def take(message):
            if channel.label != 'sink':
                channel.send(message)
            elif message == 'done':
                channel.send(report(parts))  # again when it is asked again
            else:
                parts.append(message)

        channel.on('message', take)
        if channel.label.startswith('source:'):
            asyncio.ensure_future(source(*map(int, channel.label.split(':')[1:])))


async def connect(jsp, answering, *arguments):
    process = await asyncio.create_subprocess_exec(jsp, 'connect', answering.url, *arguments, '--json', '-',
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    output, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 0, (output, errors)
    report = json.loads(output)
    assert report['ok'] and report['error'] is None and report['state'] == 'completed', report
    return report


async def answers_channels_of_all_kinds(jsp, answering):
    for arguments, wanted in (
            ((), {}), (('--unordered',), {'ordered': False}), (('--max-retransmits', '0'), {'maxRetransmits': 0}),
            (('--unordered', '--max-retransmits', '5'), {'ordered': False, 'maxRetransmits': 5}),
            (('--max-lifetime', '5000', '--protocol', 'jsp'), {'maxPacketLifeTime': 5000, 'protocol': 'jsp'}),
            (('--label', 'echo längst'), {'label': 'echo längst'})):
        report = await connect(jsp, answering, *arguments, '--message', 'hello', '--message', 'grüße 🙂')
        assert report['job']['messages'] == 2
        channel = answering.channels[-1]
        wanted = {'label': 'echo', 'protocol': '', 'ordered': True, 'maxRetransmits': None, 'maxPacketLifeTime': None, **wanted}
        seen = {name: getattr(channel, name) for name in wanted}
        assert seen == wanted, (seen, wanted)
        await until('the channel closes', lambda: channel.readyState == 'closed')


async def answers_with_a_negotiated_channel(jsp, answering):
    answering.negotiated = 7
    report = await connect(jsp, answering, '--negotiated', '7', '--message', 'by agreement')
    assert report['job']['messages'] == 1
    answering.negotiated = None


async def answers_and_returns_files(jsp, answering):
    with tempfile.TemporaryDirectory() as directory:
        sent, back = os.path.join(directory, 'sent'), os.path.join(directory, 'back')
        for size in (0, 1, 700001):
            content = os.urandom(size)
            with open(sent, 'wb') as file:
                file.write(content)
            report = await connect(jsp, answering, '--send', sent, '--receive', back)
            with open(back, 'rb') as file:
                assert file.read() == content
            assert report['job']['sha256'] == hashlib.sha256(content).hexdigest()
            report = await connect(jsp, answering, '--send', sent)
            assert report['job']['bytes'] == size


async def answers_benchmarks(jsp, answering):
    for arguments in ((), ('--direction', 'down'), ('--size', '1000', '--unordered', '--max-lifetime', '1000')):
        report = await connect(jsp, answering, '--bench', '1', *arguments)
        assert report['job']['bytes'] > 100000 and report['job']['mbytes_per_s'] > 0, report
        print('        %s: %.1f MB/s' % (' '.join(arguments) or 'up', report['job']['mbytes_per_s']))


async def main(jsp):
    failures = 0
    served = Served(jsp)
    answering = Answering(asyncio.get_running_loop())
    cases = [(case, (served,)) for case in (
        offers_channels_of_all_kinds, offers_and_negotiates_what_it_knows, offers_and_fills_a_sink,
        offers_and_drains_a_source, closes_one_channel_and_reuses_the_rest, sees_the_server_close, closes_the_connection)]
    cases += [(case, (jsp, answering)) for case in (
        answers_channels_of_all_kinds, answers_with_a_negotiated_channel, answers_and_returns_files, answers_benchmarks)]
    for case, arguments in cases:
        start = time.monotonic()
        try:
            await asyncio.wait_for(case(*arguments), 3 * DEADLINE_S)
            print('ok      %s (%d ms)' % (case.__name__, 1000 * (time.monotonic() - start)), flush=True)
        except Exception:
            failures += 1
            print('FAILED  %s\n%s' % (case.__name__, traceback.format_exc()), flush=True)
    answering.server.shutdown()
    served.stop()
    return failures


if __name__ == '__main__':
    failed = asyncio.run(main(sys.argv[1]))
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # aiortc leaves threads
