// Headless Chromium as a peer of `jsp natlab --engine netns`, by the contract of bench/natlab/README.md#foreign-stacks.
// It trickles its candidates.
//
// usage: jsp natlab --engine netns --peer-a 'node natlab_chromium_peer.mjs CHROMIUM'

import readline from 'node:readline';
import {withChromium} from './browsers.mjs';

// Runs in the page. `natlabSay` goes to our standard output.
function install() {
  const SETTLED_MS = 1000;
  let pc;
  const say = (line) => window.natlabSay(JSON.stringify(line));

  async function pair() {
    const stats = await pc.getStats();
    const transport = [...stats.values()].find((s) => s.type === 'transport');
    const selected = transport && stats.get(transport.selectedCandidatePairId);
    if (!selected) return {};
    const local = stats.get(selected.localCandidateId);
    const remote = stats.get(selected.remoteCandidateId);
    return {local: local.candidateType, remote: remote.candidateType, relay_protocol: local.relayProtocol ?? null};
  }
  async function tellConnected() {
    say({connected: await pair()});
    setTimeout(async () => say({nominated: await pair()}), SETTLED_MS);
  }
  window.natlabObey = async (order) => {
    switch (order.do) {
      case 'gather':
        pc = new RTCPeerConnection({
          iceServers: order.ice_servers,
          iceTransportPolicy: order.policy,
        });
        pc.onicecandidate = ({candidate}) => {
          if (candidate?.candidate) say({candidate: candidate.candidate});
        };
        pc.onconnectionstatechange = () => {
          if (pc.connectionState === 'failed') say({failed: 'chromium: the connection failed'});
        };
        pc.ondatachannel = ({channel}) => {
          tellConnected();
          channel.onmessage = ({data}) => {
            say({message: data});
            channel.send(data);
          };
        };
        break;
      case 'offer': {
        const channel = pc.createDataChannel('natlab');
        channel.onopen = () => {
          tellConnected();
          channel.send('natlab');
        };
        channel.onmessage = ({data}) => say({echo: data});
        await pc.setLocalDescription(await pc.createOffer());
        say({offer: pc.localDescription.sdp});
        break;
      }
      case 'answer':
        await pc.setRemoteDescription({type: 'offer', sdp: order.offer});
        await pc.setLocalDescription(await pc.createAnswer());
        say({answer: pc.localDescription.sdp});
        break;
      case 'accept':
        await pc.setRemoteDescription({type: 'answer', sdp: order.answer});
        break;
      case 'candidate':
        if (order.candidate) await pc.addIceCandidate({candidate: order.candidate, sdpMLineIndex: 0});
        break;
      case 'stats':
        say({stats: await pair()});
        break;
    }
  };
}

await withChromium(process.argv[2] ?? '/usr/bin/chromium', {mdns: false}, async (page) => {
  await page.exposeFunction('natlabSay', (line) => process.stdout.write(`${line}\n`));
  await page.evaluate(install);
  for await (const line of readline.createInterface({input: process.stdin})) {
    const order = JSON.parse(line);
    if (order.do === 'stop') break;
    await page.evaluate((o) => window.natlabObey(o), order);
  }
});
