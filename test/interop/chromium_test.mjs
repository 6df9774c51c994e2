// Chromium as the offering peer of `jsp serve`: all cases, the page, and mDNS candidates.
//
// usage: node chromium_test.mjs CHROMIUM JSP

import {mkdtemp, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {chromium} from 'playwright-core';
import {clickThrough, openCases, runCase, runPageCases, Runner} from './cases.mjs';
import {ServedPeer} from './served_peer.mjs';

const [executablePath, jsp] = process.argv.slice(2);
const QUIET = 'MediaRouter,OptimizationHints,Translate';

async function withBrowser(disabledFeatures, job) {
  const profile = await mkdtemp(path.join(process.env.TEST_TMPDIR ?? os.tmpdir(), 'chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    chromiumSandbox: false,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', `--disable-features=${disabledFeatures}`],
  });
  try {
    await job(context.pages()[0] ?? await context.newPage());
  } finally {
    await context.close();
    await rm(profile, {recursive: true, force: true});
  }
}

const runner = new Runner();
const server = await ServedPeer.start(jsp);
await runner.run('chromium without mDNS', () => withBrowser(`WebRtcHideLocalIpsWithMdns,${QUIET}`, async (page) => {
  await runPageCases(runner, page, server);
  await runner.run('a person clicks through the page',
    () => clickThrough(page, server, 'chromium', (file) => page.setInputFiles('#file', file)));
}));
await runner.run('chromium with mDNS', () => withBrowser(QUIET, async (page) => {
  await openCases(page, server);
  await runner.run('echoes between mDNS candidates', () => runCase(page, 'echoesStringsAndBinariesOfEverySize'));
  await runner.run('serverResolvesLocalNames', () => runCase(page, 'serverResolvesLocalNames'));
}));
await runner.run('jsp serve stops cleanly', async () => {
  const code = await server.stop();
  if (code !== 0) throw new Error(`exit code ${code}`);
});
process.exit(runner.failures === 0 ? 0 : 1);
