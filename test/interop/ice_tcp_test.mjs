// A browser reaches `jsp serve --ice-tcp passive` over TCP (RFC 6544): with nothing but TCP in the descriptions, and where
// the network drops UDP and the descriptions know nothing of it.
//
// usage: node ice_tcp_test.mjs chromium|firefox-esr|jsp JSP

import assert from 'node:assert/strict';
import {execFile, execFileSync} from 'node:child_process';
import {withChromium, withFirefox} from './browsers.mjs';
import {openCases, Runner} from './cases.mjs';
import {ServedPeer, until} from './served_peer.mjs';

const [other, jsp] = process.argv.slice(2);
const runner = new Runner();
const server = await ServedPeer.start(jsp, ['--ice-tcp', 'passive']);

// The network of this namespace takes TCP only, but for the loopback that signalling uses.
function dropUdp() {
  const rules = 'table inet jsp_block { chain out { type filter hook output priority 0; meta l4proto udp drop; }; }';
  execFileSync('nft', ['-f', '-'], {input: rules});
}

async function expectTcp(location) {
  const id = location.split('/').pop();
  const session = (await server.stats()).sessions.find((s) => s.id === id);
  assert.equal(session.selected_pair.local.protocol, 'tcp');
  assert.equal(session.selected_pair.remote.protocol, 'tcp');
  assert.ok(session.paths.tcp.bytes_received > 1_000_000, JSON.stringify(session.paths));
  assert.equal(session.paths.direct.bytes_received, 0);
}

// A browser's close() may end its TCP connection before DTLS and SCTP have said goodbye (Firefox: one time in ten). Then the
// session says so at once, and is kept for as long as its client could restart it (RFC 7675 §5.1).
async function isOver(location) {
  const id = location.split('/').pop();
  const session = (await server.stats()).sessions.find((s) => s.id === id);
  return !session || (session.state === 'disconnected' && session.state_reason === 'ICE: the TCP connection is gone');
}

async function browse(page) {
  await openCases(page, server);
  for (const [name, kept] of [['with nothing but TCP in the descriptions', 'tcp'], ['where UDP is dropped', 'all']]) {
    if (kept === 'all') dropUdp();
    await runner.run(`${other} ${name}`, async () => {
      const {local, location} = await page.evaluate(`jspCases.overTcp(${JSON.stringify(kept)})`);
      assert.equal(local.protocol, 'tcp');
      await expectTcp(location);
      await page.evaluate('jspCases.closeKept()');
      await until('the loss is noticed', () => isOver(location));
    });
  }
}

function connect(...args) {
  return new Promise((resolve) => {
    execFile(jsp, ['connect', server.url, ...args, '--json', '-'], {timeout: 60000}, (error, stdout, stderr) => {
      resolve({code: error ? error.code ?? error.signal : 0, report: stdout ? JSON.parse(stdout) : null, stderr});
    });
  });
}

async function connectItself() {
  dropUdp();
  await runner.run('jsp connect where UDP is dropped', async () => {
    for (const args of [['--message', 'over tcp'], ['--bench', '2', '--direction', 'up'], ['--bench', '2', '--direction', 'down']]) {
      const {code, report, stderr} = await connect('--ice-tcp', 'active', ...args);
      assert.equal(code, 0, stderr);
      assert.equal(report.selected_pair.local.protocol, 'tcp');
      if (report.job.mbytes_per_s) console.log(`        ${args.join(' ')}: ${report.job.mbytes_per_s} MB/s`);
    }
  });
  await runner.run('jsp connect without TCP says that there is no way', async () => {
    const {code, report} = await connect('--message', 'x', '--timeout', '8');
    assert.notEqual(code, 0);
    assert.equal(report.ok, false);
  });
}

if (other === 'jsp') {
  await connectItself();
} else if (other.includes('firefox')) {
  await withFirefox(other, browse);
} else {
  await withChromium(other, {mdns: false}, browse);
}
await runner.run('jsp serve stops cleanly', async () => assert.equal(await server.stop(), 0));
process.exit(runner.failures === 0 ? 0 : 1);
