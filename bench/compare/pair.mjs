// Two processes of one stack over loopback, each pinned to a core: what a channel carries, and what an idle connection
// holds. Prints one line of JSON, with the names of `jsp bench datachannel`.
//
// usage: node pair.mjs libdatachannel|libwebrtc SIZE SECONDS [IDLE-CONNECTIONS]
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stacks } from './stacks.mjs';

const [stack, size, seconds, idle] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const buffered = 1 << 20; // octets under way
const patience = 30_000;
const isChild = process.send !== undefined;
const Connection = await stacks[stack]();

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const usage = () => ({ at: performance.now() / 1e3, cpu: cpuSeconds(), rss: process.memoryUsage().rss });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function runReceiver() {
  const served = new Map();
  let octets = 0;
  let messages = 0;
  process.on('message', async ({ index, ask, message }) => {
    if (ask) return process.send({ report: { ...usage(), octets, messages } });
    if (!served.has(index)) {
      const made = new Connection((answer) => process.send({ index, message: answer }));
      served.set(index, made);
      made.answer((data) => {
        octets += data.byteLength ?? data.length;
        messages += 1;
      });
    }
    await served.get(index).hear(message);
  });
  process.on('disconnect', () => process.exit(0));
}

class Sender {
  constructor(child) {
    this.child = child;
    this.connections = [];
    child.on('message', ({ index, report, message }) => {
      if (report) return this.tell(report);
      return this.connections[index].hear(message);
    });
    child.on('exit', () => this.fail?.(new Error(`the receiver of ${stack} ended`)));
  }
  // Milliseconds from the first description to the open channel.
  connect() {
    const index = this.connections.length;
    const begin = performance.now();
    return new Promise((resolve, reject) => {
      this.fail = reject;
      const timer = setTimeout(() => reject(new Error(`${stack} did not connect`)), patience);
      const made = new Connection((message) => this.child.send({ index, message }));
      this.connections.push(made);
      made.offer(() => {
        clearTimeout(timer);
        resolve(performance.now() - begin);
      }, () => {});
    });
  }
  async reports() {
    const theirs = await new Promise((resolve) => {
      this.tell = resolve;
      this.child.send({ ask: true });
    });
    return { ours: usage(), theirs };
  }
  // A burst a turn of the loop, as libwebrtc's bufferedAmount follows only between turns; a look a millisecond when it is
  // full, as its event does not always come.
  pour(connection, bytes) {
    for (let sent = 0; sent < buffered / 4 && connection.buffered < buffered; sent += bytes.length) connection.send(bytes);
    const again = () => this.pour(connection, bytes);
    if (connection.buffered < buffered) setImmediate(again);
    else setTimeout(again, 1);
  }
  async bulk() {
    await this.connect();
    const [connection] = this.connections;
    const bytes = Buffer.alloc(size, 'x');
    this.pour(connection, bytes);
    await sleep(1000);
    const before = await this.reports();
    await sleep(seconds * 1000);
    const after = await this.reports();
    const octets = after.theirs.octets - before.theirs.octets;
    const spent = after.theirs.at - before.theirs.at;
    const perGigabyte = (side) => (after[side].cpu - before[side].cpu) / (octets / 1e9);
    return {
      mbytes_per_s: octets / 1e6 / spent,
      messages_per_s: (after.theirs.messages - before.theirs.messages) / spent,
      cpu_s_per_gb: { sender: perGigabyte('ours'), receiver: perGigabyte('theirs'), both: perGigabyte('ours') + perGigabyte('theirs') },
    };
  }
  async rest() {
    const setups = [await this.connect()];
    const before = await this.reports();
    for (let i = 0; i < idle; ++i) setups.push(await this.connect());
    await sleep(3000);
    const after = await this.reports();
    setups.sort((a, b) => a - b);
    const growth = Math.max(after.ours.rss - before.ours.rss, after.theirs.rss - before.theirs.rss);
    return {
      idle: { connections: idle, rss_bytes_per_connection: growth / idle },
      connect_ms: { p50: setups[Math.floor(setups.length / 2)], p99: setups[Math.floor(setups.length * 0.99)] },
    };
  }
}

if (isChild) {
  runReceiver();
} else {
  const script = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const child = spawn('taskset', ['-c', '1', process.execPath, ...script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'json',
  });
  const sender = new Sender(child);
  try {
    console.log(JSON.stringify(idle > 0 ? await sender.rest() : await sender.bulk()));
    child.kill();
    process.exit(0);
  } catch (error) {
    console.error(`error: ${error.message}`);
    child.kill();
    process.exit(1);
  }
}
