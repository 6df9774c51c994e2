// The cases that every browser has to pass, whatever drives it.

import assert from 'node:assert/strict';
import {mkdir, writeFile} from 'node:fs/promises';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {until} from './served_peer.mjs';

const PAGE_CASES = readFileSync(new URL('page_cases.js', import.meta.url), 'utf8');

export const OUTPUTS = process.env.TEST_UNDECLARED_OUTPUTS_DIR ?? path.join(process.env.TEST_TMPDIR ?? '/tmp', 'outputs');

export class Runner {
  failures = 0;

  async run(name, job) {
    const start = Date.now();
    try {
      await job();
      console.log(`ok      ${name} (${Date.now() - start} ms)`);
    } catch (error) {
      ++this.failures;
      console.log(`FAILED  ${name} (${Date.now() - start} ms): ${error.stack ?? error}`);
    }
  }
}

// Opens the server's page with our cases in it; they use its origin.
export async function openCases(page, server) {
  await page.goto(server.url);
  await page.evaluate(PAGE_CASES);
}

export function runCase(page, name) {
  return page.evaluate(`jspCases.${name}()`);
}

export async function runPageCases(runner, page, server) {
  await openCases(page, server);
  for (const name of ['echoesStringsAndBinariesOfEverySize', 'sixteenMegabytesUpKeepTheirHash',
    'sixteenMegabytesDownKeepTheirHash', 'twentyChannelsAtOnce', 'orderedUnorderedAndUnreliableChannels',
    'browserTrickles', 'browserRestartsIce', 'browserClosesOneChannel', 'serverClosesTheConnection']) {
    await runner.run(name, () => runCase(page, name));
  }
  await runner.run('browserClosesTheConnection', async () => {
    const id = await runCase(page, 'browserClosesTheConnection');
    await until('the server forgets the session', async () => !(await server.stats()).sessions.some((s) => s.id === id));
  });
}

const text = (page, selector) => page.evaluate(`document.querySelector('${selector}')?.textContent ?? ''`);

// What a person does with the page. `chooseFile(path)` fills the file field.
export async function clickThrough(page, server, browserName, chooseFile) {
  await page.goto(server.url);
  const start = Date.now();
  await page.click('#connect');
  await until('the channel is open', async () => {
    const error = await page.evaluate("document.querySelector('#error').hidden ? '' : document.querySelector('#error').textContent");
    assert.equal(error, '');
    return await text(page, '#step-channel span') === 'open';
  });
  console.log(`        ${browserName}: connected ${Date.now() - start} ms after the click, says ${await text(page, '#connect-time')}`);
  await page.click('#text');
  await page.keyboard.type('hello from a person');
  await page.keyboard.press('Enter');
  await until('the echo', async () => (await text(page, '#messages .received')) === 'hello from a person');

  await mkdir(OUTPUTS, {recursive: true});
  const file = path.join(OUTPUTS, 'sent.bin');
  await writeFile(file, Buffer.alloc(3_000_000, 'jsp'));
  await chooseFile(file);
  await until('the file is back', async () => / equal, SHA-256 [0-9a-f]{64}/.test(await text(page, '#file-result')));

  for (const [button, name] of [['#bench-up', 'sink'], ['#bench-down', 'source']]) {
    await page.click(button);
    const line = await until(`${name} reports`, async () => {
      const first = await text(page, '#messages .received');
      return first.startsWith(`${name}: `) && first;
    }, 30000);
    console.log(`        ${browserName}: ${line} in 5 s`);
  }
  assert.match(await text(page, '#pair'), /10\.77\.0\.1|127\.0\.0\.1|prflx/);
  await page.screenshot({path: path.join(OUTPUTS, `${browserName}.png`), fullPage: true});
  await page.click('#disconnect');
  await until('the session ends', async () => (await server.stats()).sessions.length === 0);
}

// What SCTP agreed on with the browser, as GET /stats says it.
export async function expectFeatures(page, server, expected) {
  await openCases(page, server);
  await page.evaluate('jspCases.staysConnected()');
  const {sctp} = (await server.stats()).sessions.at(-1).layers;
  console.log(`        negotiated: ${JSON.stringify(sctp.negotiated)}`);
  const {incoming_streams: incoming, outgoing_streams: outgoing, ...features} = sctp.negotiated;
  assert.deepEqual(features, {partial_reliability: true, stream_reset: true, ecn: false, ...expected});
  assert.ok(incoming >= 256 && outgoing >= 256);
  await page.evaluate('jspCases.disconnects()');
}
