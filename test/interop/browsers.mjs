// The browsers under test: withChromium and withFirefox start one with a profile of its own and end it.

import {mkdtemp, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const QUIET = 'MediaRouter,OptimizationHints,Translate';

async function withProfile(name, job) {
  const profile = await mkdtemp(path.join(process.env.TEST_TMPDIR ?? os.tmpdir(), `${name}-`));
  try {
    await job(profile);
  } finally {
    await rm(profile, {recursive: true, force: true});
  }
}

// With `mdns` the browser hides its addresses behind names, as it does for its users. `trials` switches features on.
// A server whose key has the hash `trustedKey` is believed, whoever signed its certificate.
export function withChromium(executablePath, {mdns, trials, trustedKey}, job) {
  return withProfile('chromium', async (profile) => {
    const {chromium} = await import('playwright-core');
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      chromiumSandbox: false,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
        `--disable-features=${mdns ? '' : 'WebRtcHideLocalIpsWithMdns,'}${QUIET}`,
        ...(trustedKey ? [`--ignore-certificate-errors-spki-list=${trustedKey}`] : []),
        ...(trials ? [`--force-fieldtrials=${trials}`] : [])],
    });
    try {
      await job(context.pages()[0] ?? await context.newPage());
    } finally {
      await context.close();
    }
  });
}

// Over WebDriver BiDi.
export function withFirefox(executablePath, job) {
  return withProfile('firefox', async (profile) => {
    const {default: puppeteer} = await import('puppeteer-core');
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
    }
  });
}
