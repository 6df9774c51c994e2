// Chromium as the offering peer of `jsp serve`: all cases, the page, and mDNS candidates.
//
// usage: node chromium_test.mjs CHROMIUM JSP

import {withChromium} from './browsers.mjs';
import {clickThrough, expectFeatures, openCases, runCase, runPageCases, Runner} from './cases.mjs';
import {ServedPeer} from './served_peer.mjs';

const [executablePath, jsp] = process.argv.slice(2);

const runner = new Runner();
const server = await ServedPeer.start(jsp);
await runner.run('chromium without mDNS', () => withChromium(executablePath, {mdns: false}, async (page) => {
  await runPageCases(runner, page, server);
  await runner.run('a person clicks through the page',
    () => clickThrough(page, server, 'chromium', (file) => page.setInputFiles('#file', file)));
  // Chromium 156 announces neither zero checksums (RFC 9653) nor, unless told to, I-DATA.
  await runner.run('SCTP features', () => expectFeatures(page, server, {interleaving: false, zero_checksum: false}));
}));
await runner.run('chromium with I-DATA', () => withChromium(executablePath, {mdns: false, trials: 'WebRTC-DataChannelMessageInterleaving/Enabled/'},
  async (page) => {
    await runner.run('interleaves', () => expectFeatures(page, server, {interleaving: true, zero_checksum: false}));
    await runPageCases(runner, page, server);
  }));
await runner.run('chromium with mDNS', () => withChromium(executablePath, {mdns: true}, async (page) => {
  await openCases(page, server);
  await runner.run('echoes between mDNS candidates', () => runCase(page, 'echoesStringsAndBinariesOfEverySize'));
  await runner.run('serverResolvesLocalNames', () => runCase(page, 'serverResolvesLocalNames'));
}));
await runner.run('jsp serve stops cleanly', async () => {
  const code = await server.stop();
  if (code !== 0) throw new Error(`exit code ${code}`);
});
process.exit(runner.failures === 0 ? 0 : 1);
