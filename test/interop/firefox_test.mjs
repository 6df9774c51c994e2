// Firefox as the offering peer of `jsp serve`, over WebDriver BiDi.
//
// usage: node firefox_test.mjs FIREFOX JSP

import {mkdtemp, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import {clickThrough, runPageCases, Runner} from './cases.mjs';
import {ServedPeer} from './served_peer.mjs';

const [executablePath, jsp] = process.argv.slice(2);

async function withBrowser(job) {
  const profile = await mkdtemp(path.join(process.env.TEST_TMPDIR ?? os.tmpdir(), 'firefox-'));
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    userDataDir: profile,
    extraPrefsFirefox: {
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'app.update.enabled': false,
      'datareporting.healthreport.uploadEnabled': false,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'dom.push.connection.enabled': false,
    },
    env: {...process.env, HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: '1', MOZ_CRASHREPORTER_DISABLE: '1'},
  });
  try {
    await job(await browser.newPage());
  } finally {
    await browser.close();
    await rm(profile, {recursive: true, force: true});
  }
}

const runner = new Runner();
const server = await ServedPeer.start(jsp);
await runner.run('firefox', () => withBrowser(async (page) => {
  await runPageCases(runner, page, server);
  await runner.run('a person clicks through the page', () => clickThrough(page, server, 'firefox', async (file) => {
    const field = await page.$('#file');
    await field.uploadFile(file);
  }));
}));
await runner.run('jsp serve stops cleanly', async () => {
  const code = await server.stop();
  if (code !== 0) throw new Error(`exit code ${code}`);
});
process.exit(runner.failures === 0 ? 0 : 1);
