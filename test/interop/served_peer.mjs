// A `jsp serve` of one test: started, asked for its statistics, stopped.

import {spawn} from 'node:child_process';

const READY_MS = 20000;

export class ServedPeer {
  static async start(jsp, args = []) {
    const child = spawn(jsp, ['serve', '--http', '127.0.0.1:0', ...args], {stdio: ['ignore', 'pipe', 'inherit']});
    const url = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('jsp serve does not become ready')), READY_MS);
      let text = '';
      child.stdout.on('data', (data) => {
        text += data;
        const ready = /^listening on (http:\/\/\S+)$/m.exec(text);
        if (!ready) return;
        clearTimeout(timer);
        resolve(ready[1]);
      });
      child.on('exit', (code) => reject(new Error(`jsp serve ended with exit code ${code}`)));
    });
    return new ServedPeer(child, url);
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
    this.exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  }

  async stats() {
    const response = await fetch(`${this.url}/stats`);
    return response.json();
  }

  // The exit code after SIGTERM.
  stop() {
    this.child.kill('SIGTERM');
    return this.exited;
  }
}

// Waits until check() gives something true; polls, because the other side is another process.
export async function until(what, check, timeoutMs = 15000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
