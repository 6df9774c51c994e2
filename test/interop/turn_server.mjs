// A `jsp turn-server` of one test, with a certificate of its own.

import {execFileSync, spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const READY_MS = 20000;
const TRANSPORTS = ['udp', 'tcp', 'tls'];

export class TurnServer {
  static username = 'u';
  static credential = 'p';

  // Listens and relays on `address`, with every transport.
  static async start(jsp, address) {
    const scratch = await mkdtemp(path.join(process.env.TEST_TMPDIR ?? os.tmpdir(), 'turn-'));
    const key = path.join(scratch, 'key.pem');
    const certificate = path.join(scratch, 'cert.pem');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-keyout', key, '-out', certificate, '-subj', `/CN=${address}`, '-addext', `subjectAltName=IP:${address}`], {stdio: 'ignore'});
    const listeners = TRANSPORTS.flatMap((transport) => ['--listen', `${transport}://${address}:0`]);
    const child = spawn(jsp, ['turn-server', ...listeners, '--cert', certificate, '--key', key, '--realm', 'r',
      '--user', `${TurnServer.username}:${TurnServer.credential}`, '--allow-peer', `${address}/32`],
    {stdio: ['ignore', 'pipe', 'inherit']});
    const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
    const ports = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('jsp turn-server does not become ready')), READY_MS);
      let text = '';
      child.stdout.on('data', (data) => {
        text += data;
        const found = [...text.matchAll(/^listening on (\w+):\/\/\S+:(\d+)$/gm)];
        if (found.length < TRANSPORTS.length) return;
        clearTimeout(timer);
        resolve(Object.fromEntries(found.map(([, transport, port]) => [transport, Number(port)])));
      });
      exited.then((code) => reject(new Error(`jsp turn-server ended with exit code ${code}`)));
    });
    return Object.assign(new TurnServer(), {child, exited, scratch, address, ports, certificate});
  }

  // As RTCIceServer.urls and --ice-server have it.
  url(transport) {
    const place = `${this.address}:${this.ports[transport]}`;
    return transport === 'tls' ? `turns:${place}?transport=tcp` : `turn:${place}?transport=${transport}`;
  }

  // What Chromium's --ignore-certificate-errors-spki-list has: the SHA-256 of the public key.
  keyHash() {
    const publicKey = execFileSync('openssl', ['x509', '-in', this.certificate, '-noout', '-pubkey']);
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'der'], {input: publicKey});
    return execFileSync('openssl', ['dgst', '-sha256', '-binary'], {input: der}).toString('base64');
  }

  // The exit code after SIGTERM.
  async stop() {
    this.child.kill('SIGTERM');
    const code = await this.exited;
    await rm(this.scratch, {recursive: true, force: true});
    return code;
  }
}
