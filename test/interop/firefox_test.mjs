// Firefox as the offering peer of `jsp serve`.
//
// usage: node firefox_test.mjs FIREFOX JSP

import {withFirefox} from './browsers.mjs';
import {clickThrough, expectFeatures, runPageCases, Runner} from './cases.mjs';
import {ServedPeer} from './served_peer.mjs';

const [executablePath, jsp] = process.argv.slice(2);

const runner = new Runner();
const server = await ServedPeer.start(jsp);
await runner.run('firefox', () => withFirefox(executablePath, async (page) => {
  await runPageCases(runner, page, server);
  await runner.run('a person clicks through the page', () => clickThrough(page, server, 'firefox', async (file) => {
    const field = await page.$('#file');
    await field.uploadFile(file);
  }));
  // Firefox 153 interleaves (RFC 8260) and announces no zero checksums (RFC 9653).
  await runner.run('SCTP features', () => expectFeatures(page, server, {interleaving: true, zero_checksum: false}));
}));
await runner.run('jsp serve stops cleanly', async () => {
  const code = await server.stop();
  if (code !== 0) throw new Error(`exit code ${code}`);
});
process.exit(runner.failures === 0 ? 0 : 1);
