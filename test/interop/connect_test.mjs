// `jsp connect` against jsp serve, Chromium and Firefox: every job and every channel option.
//
// usage: node connect_test.mjs jsp|BROWSER JSP

import assert from 'node:assert/strict';
import {execFile, execFileSync, spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {AnsweringPage} from './answering_page.mjs';
import {withChromium, withFirefox} from './browsers.mjs';
import {Runner} from './cases.mjs';
import {ServedPeer, until} from './served_peer.mjs';

const [other, jsp] = process.argv.slice(2);
const DEADLINE_MS = 30000;
const scratch = await mkdtemp(path.join(process.env.TEST_TMPDIR ?? os.tmpdir(), 'connect-'));

// The exit code, the report, and what was printed.
function connect(url, ...args) {
  return new Promise((resolve) => {
    execFile(jsp, ['connect', url, ...args, '--json', '-'], {timeout: DEADLINE_MS}, (error, stdout, stderr) => {
      resolve({code: error ? error.code ?? error.signal : 0, report: stdout ? JSON.parse(stdout) : null, stderr});
    });
  });
}

const isTime = (ms) => typeof ms === 'number' && ms >= 0 && ms < DEADLINE_MS;

function expectShape({code, report, stderr}) {
  assert.equal(code, 0, stderr);
  assert.equal(report.ok, true);
  assert.equal(report.error, null);
  assert.equal(report.state, 'completed');
  const {timings_ms: timings, selected_pair: pair} = report;
  const steps = ['first_check', 'ice_connected', 'dtls_connected', 'sctp_connected', 'channel_open'];
  for (const step of ['gathered', ...steps]) assert.ok(isTime(timings[step]), `${step}: ${timings[step]}`);
  for (let i = 1; i < steps.length; ++i) assert.ok(timings[steps[i - 1]] <= timings[steps[i]], JSON.stringify(timings));
  for (const end of [pair.local, pair.remote]) {
    assert.match(end.type, /^(host|srflx|prflx|relay)$/);
    assert.equal(end.protocol, 'udp');
    assert.equal(end.relay_protocol, null);
    assert.ok(end.address.length > 0 && end.port > 0 && end.port < 65536);
  }
  assert.ok(isTime(pair.rtt_ms));
}

function expectJob({report}, {bytes, messages}) {
  assert.ok(isTime(report.timings_ms.first_message));
  if (bytes !== undefined) assert.equal(report.job.bytes, bytes);
  if (messages !== undefined) assert.equal(report.job.messages, messages);
  assert.ok(report.job.seconds >= 0);
}

function expectRate(result, seconds) {
  const {job} = result.report;
  expectJob(result, {});
  // Data flowed; how fast is for a benchmark to say, on a machine that has nothing else to do.
  assert.ok(job.bytes > 100_000, `${job.bytes} octets`);
  assert.ok(job.messages > 1);
  assert.ok(job.seconds >= seconds * 0.9 && job.seconds < seconds + 10, `${job.seconds} s`);
  const rate = job.bytes / 1e6 / job.seconds;
  assert.ok(Math.abs(job.mbytes_per_s - rate) < 0.02 * rate + 0.01, `${job.mbytes_per_s} MB/s, not ${rate}`);
  console.log(`        ${job.mbytes_per_s.toFixed(1)} MB/s`);
}

// Options of one channel and what the other end has to see of them.
const CHANNELS = [
  {args: [], seen: {label: 'echo'}},
  {args: ['--label', 'echo with a längere label', '--protocol', 'jsp.v1'],
    seen: {label: 'echo with a längere label', protocol: 'jsp.v1'}},
  {args: ['--unordered'], seen: {ordered: false}},
  {args: ['--max-retransmits', '0'], seen: {max_retransmits: 0}},
  {args: ['--max-retransmits', '65535'], seen: {max_retransmits: 65535}},
  {args: ['--unordered', '--max-retransmits', '3'], seen: {ordered: false, max_retransmits: 3}},
  {args: ['--max-lifetime', '5000'], seen: {max_lifetime_ms: 5000}},
  {args: ['--unordered', '--max-lifetime', '60000'], seen: {ordered: false, max_lifetime_ms: 60000}},
];

// `peer`: url, channelOf(args) (what the other end saw of the channel), waitForClose(), withNegotiated(id, label, job).
async function runConnectCases(runner, peer) {
  for (const {args, seen} of CHANNELS) {
    await runner.run(`channel ${args.join(' ') || 'by default'}`, async () => {
      const result = await connect(peer.url, ...args, '--message', 'hello', '--message', 'grüße 🙂');
      if (result.code !== 0 && peer.received) console.log(`        the peer received ${await peer.received()} octets`);
      expectShape(result);
      expectJob(result, {bytes: 5 + Buffer.byteLength('grüße 🙂'), messages: 2});
      const channel = await peer.channelOf(args);
      assert.deepEqual(channel, {label: 'echo', protocol: '', ordered: true, max_retransmits: null, max_lifetime_ms: null, ...seen});
    });
  }
  await runner.run('a negotiated channel', () => peer.withNegotiated(7, 'echo', async (url) => {
    const result = await connect(url, '--negotiated', '7', '--message', 'by agreement');
    expectShape(result);
    expectJob(result, {bytes: 12, messages: 1});
  }));
  await runner.run('without a job', async () => {
    const result = await connect(peer.url);
    expectShape(result);
    assert.equal(result.report.job, null);
    await peer.waitForClose();
  });

  const sent = path.join(scratch, 'sent');
  const back = path.join(scratch, 'back');
  for (const [size, messageSize] of [[0, 65536], [1, 65536], [3_000_001, 65536], [3_000_000, 262144], [100_000, 1000]]) {
    await runner.run(`a file of ${size} in messages of ${messageSize}`, async () => {
      const content = randomBytes(size);
      const sha256 = createHash('sha256').update(content).digest('hex');
      await writeFile(sent, content);
      const both = await connect(peer.url, '--send', sent, '--receive', back, '--size', `${messageSize}`);
      expectShape(both);
      assert.equal(both.report.job.bytes, size);
      assert.equal(both.report.job.sha256, sha256);
      assert.ok(content.equals(await readFile(back)));
      const alone = await connect(peer.url, '--send', sent, '--size', `${messageSize}`);
      expectShape(alone);
      expectJob(alone, {bytes: size, messages: Math.ceil(size / messageSize)});
      assert.equal(alone.report.job.sha256, sha256);
    });
  }

  for (const [seconds, ...args] of [
    [2, '--size', '65536', '--unordered', '--max-retransmits', '0'],
    [1, '--size', '65536'],
    [1, '--size', '262144', '--unordered'],
    [1, '--size', '1000', '--max-lifetime', '500'],
    [1, '--size', '65536', '--direction', 'down'],
    [1, '--size', '1200', '--direction', 'down', '--unordered', '--max-retransmits', '0'],
  ]) {
    await runner.run(`a benchmark of ${seconds} s ${args.join(' ')}`, async () => {
      const result = await connect(peer.url, '--bench', `${seconds}`, ...args);
      expectShape(result);
      expectRate(result, seconds);
    });
  }
}

async function runAgainstJsp(runner) {
  const served = await ServedPeer.start(jsp);
  const peer = {
    url: served.url,
    // jsp serve forgets a channel with its session, so once more, with a source that lasts until we have seen it.
    async channelOf(args) {
      const child = spawn(jsp, ['connect', served.url, ...args, '--bench', '20', '--direction', 'down', '--size', '1000'], {stdio: 'ignore'});
      const exited = new Promise((resolve) => child.on('exit', resolve));
      const {channels} = await until('a channel', async () => (await served.stats()).sessions.find((s) => s.channels.length > 0));
      child.kill('SIGINT');
      await exited;
      const [{label, protocol, ordered, max_retransmits, max_lifetime_ms}] = channels;
      return {label: label.replace(/^source:.*/, 'echo'), protocol, ordered, max_retransmits, max_lifetime_ms};
    },
    waitForClose: () => until('the session ends', async () => (await served.stats()).sessions.length === 0),
    async withNegotiated(id, label, job) {
      const agreed = await ServedPeer.start(jsp, ['--negotiated', `${id}`, '--negotiated-label', label]);
      let code;
      try {
        await job(agreed.url);
      } finally {
        code = await agreed.stop();
      }
      assert.equal(code, 0);
    },
  };
  try {
    await runConnectCases(runner, peer);
  } finally {
    await served.stop();
  }
}

async function runAgainstPage(runner, page) {
  const answering = await AnsweringPage.start(page);
  await runner.run('asks a sink again that missed the question', async () => {
    const result = await connect(answering.url, '--label', 'deaf sink', '--max-retransmits', '0', '--bench', '1', '--size', '1000');
    expectShape(result);
    expectRate(result, 1);
  });
  await runner.run('sends a message again that got no echo', async () => {
    const result = await connect(answering.url, '--label', 'deaf echo', '--max-retransmits', '0', '--message', 'hello', '--message', 'again');
    expectShape(result);
    expectJob(result, {bytes: 10, messages: 2});
  });
  // With a browser there is no renomination: an address that comes needs a restart (RFC 8445 §9).
  await runner.run('restarts ICE when the network changes', async () => {
    const before = answering.lastId;
    const running = connect(answering.url, '--bench', '4', '--size', '65536');
    await until('a channel', async () => answering.lastId !== before && (await answering.lastChannel().catch(() => null)) !== null);
    execFileSync('ip', ['address', 'add', '10.77.0.2/24', 'dev', 'eth0']);
    const result = await running;
    execFileSync('ip', ['address', 'del', '10.77.0.2/24', 'dev', 'eth0']);
    expectShape(result);
    expectRate(result, 4);
    assert.ok(result.report.ice_restarts >= 1, `${result.report.ice_restarts} restarts`);
    console.log(`        longest gap ${result.report.job.gap_ms} ms`);
  });
  await runConnectCases(runner, {
    url: answering.url,
    channelOf: () => answering.lastChannel(),
    received: () => answering.lastReceived(),
    waitForClose: () => answering.waitForClose(),
    async withNegotiated(id, label, job) {
      answering.negotiated = {id, label};
      await job(answering.url);
      answering.negotiated = null;
    },
  });
  await answering.stop();
}

const runner = new Runner();
if (other === 'jsp') {
  await runAgainstJsp(runner);
} else if (/chromium/.test(other)) {
  await runner.run('chromium answers', () => withChromium(other, {mdns: false}, (page) => runAgainstPage(runner, page)));
} else {
  await runner.run('firefox answers', () => withFirefox(other, (page) => runAgainstPage(runner, page)));
}
await rm(scratch, {recursive: true, force: true});
process.exit(runner.failures === 0 ? 0 : 1);
