// Chromium that may use nothing but relays (iceTransportPolicy), through `jsp turn-server` over UDP, TCP and TLS.
//
// usage: node chromium_relay_test.mjs CHROMIUM JSP

import assert from 'node:assert/strict';
import {withChromium} from './browsers.mjs';
import {openCases, Runner} from './cases.mjs';
import {ServedPeer} from './served_peer.mjs';
import {TurnServer} from './turn_server.mjs';

const [executablePath, jsp] = process.argv.slice(2);
const ADDRESS = '10.77.0.1';

const runner = new Runner();
const turn = await TurnServer.start(jsp, ADDRESS);
const server = await ServedPeer.start(jsp);
await runner.run('chromium through our relay', () => withChromium(executablePath, {mdns: false, trustedKey: turn.keyHash()},
  async (page) => {
    await openCases(page, server);
    for (const transport of ['udp', 'tcp', 'tls']) {
      await runner.run(`relayed over ${transport}`, async () => {
        const {username, credential} = TurnServer;
        const iceServer = {urls: turn.url(transport), username, credential};
        const {local, remote, candidates} = await page.evaluate(`jspCases.relayedOnly(${JSON.stringify(iceServer)})`);
        assert.equal(local.candidateType, 'relay');
        assert.equal(local.relayProtocol, transport);
        assert.equal(local.address, ADDRESS);
        assert.match(remote.candidateType, /^(host|prflx)$/);
        assert.ok(candidates.length > 0 && candidates.every((line) => / typ relay /.test(line)), candidates.join('\n'));
      });
    }
  }));
await runner.run('jsp serve stops cleanly', async () => assert.equal(await server.stop(), 0));
await runner.run('jsp turn-server stops cleanly', async () => assert.equal(await turn.stop(), 0));
process.exit(runner.failures === 0 ? 0 : 1);
