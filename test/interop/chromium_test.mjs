// Chromium as the offering peer of `jsp serve`: all cases, the page, and mDNS candidates.
//
// usage: node chromium_test.mjs CHROMIUM JSP

import {withChromium} from './browsers.mjs';
import {clickThrough, openCases, runCase, runPageCases, Runner} from './cases.mjs';
import {ServedPeer} from './served_peer.mjs';

const [executablePath, jsp] = process.argv.slice(2);

const runner = new Runner();
const server = await ServedPeer.start(jsp);
await runner.run('chromium without mDNS', () => withChromium(executablePath, {mdns: false}, async (page) => {
  await runPageCases(runner, page, server);
  await runner.run('a person clicks through the page',
    () => clickThrough(page, server, 'chromium', (file) => page.setInputFiles('#file', file)));
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
