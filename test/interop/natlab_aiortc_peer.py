"""aiortc as a peer of `jsp natlab --engine netns`, by the contract of bench/natlab/README.md#foreign-stacks.

usage: jsp natlab --engine netns --peer-a 'python3 natlab_aiortc_peer.py'
"""

import asyncio
import json
import sys

import aiortc


def say(**line):
    print(json.dumps(line), flush=True)


class Peer:

    def __init__(self):
        self.pc = None

    def pair(self):
        """The selected pair; aioice has its name, and aiortc does not pass it on."""
        connection = self.pc.sctp.transport.transport._connection
        pair = connection._nominated.get(1)
        if pair is None:
            return {}
        return {'local': pair.local_candidate.type, 'remote': pair.remote_candidate.type}

    def gather(self, order):
        servers = []
        for server in order['ice_servers']:
            # aiortc takes one STUN and one TURN server, and the first of each.
            servers.append(aiortc.RTCIceServer(server['urls'], server.get('username'), server.get('credential')))
        self.pc = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(servers))
        # RFC 8841's lines in offers, not those of a draft before it.
        self.pc._sctpLegacySdp = False
        self.pc.on('connectionstatechange', self.tell_state)
        self.pc.on('datachannel', self.serve)

    def tell_state(self):
        if self.pc.connectionState == 'failed':
            say(failed='aiortc: the connection failed')

    def tell_connected(self):
        say(connected=self.pair())
        say(nominated=self.pair())

    def greet(self, channel):
        self.tell_connected()
        channel.on('message', lambda text: say(echo=text))
        channel.send('natlab')

    def serve(self, channel):
        self.tell_connected()

        def answer(text):
            say(message=text)
            channel.send(text)
        channel.on('message', answer)

    async def describe(self, description):
        await self.pc.setLocalDescription(description)
        return self.pc.localDescription.sdp

    async def obey(self, order):
        what = order['do']
        if what == 'gather':
            self.gather(order)
        elif what == 'offer':
            channel = self.pc.createDataChannel('natlab')
            channel.on('open', lambda: self.greet(channel))
            say(offer=await self.describe(await self.pc.createOffer()))
        elif what == 'answer':
            await self.pc.setRemoteDescription(aiortc.RTCSessionDescription(order['offer'], 'offer'))
            say(answer=await self.describe(await self.pc.createAnswer()))
        elif what == 'accept':
            await self.pc.setRemoteDescription(aiortc.RTCSessionDescription(order['answer'], 'answer'))
        elif what == 'candidate':
            await self.add(order['candidate'])
        elif what == 'stats':
            say(stats=self.pair())

    async def add(self, line):
        if not line:
            return
        candidate = aiortc.sdp.candidate_from_sdp(line.removeprefix('candidate:'))
        candidate.sdpMid = '0'
        candidate.sdpMLineIndex = 0
        await self.pc.addIceCandidate(candidate)


async def main():
    peer = Peer()
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        if order['do'] == 'stop':
            break
        await peer.obey(order)


if __name__ == '__main__':
    asyncio.run(main())
