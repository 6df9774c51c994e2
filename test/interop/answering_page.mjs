// POST /offer answered by a browser: what jsp serve is for jsp connect, with somebody else's stack behind it.

import http from 'node:http';
import {readFileSync} from 'node:fs';
import {until} from './served_peer.mjs';

const PAGE_ANSWERS = readFileSync(new URL('page_answers.js', import.meta.url), 'utf8');

async function bodyOf(request) {
  let body = '';
  for await (const part of request) body += part;
  return body;
}

export class AnsweringPage {
  negotiated = null;  // of the next offers
  lastId = null;

  static async start(page) {
    const self = new AnsweringPage(page);
    self.server = http.createServer((request, response) => {
      self.handle(request, response).catch((error) => response.writeHead(500).end(`${error}\n`));
    });
    await new Promise((resolve) => self.server.listen(0, '127.0.0.1', resolve));
    self.url = `http://127.0.0.1:${self.server.address().port}`;
    await page.goto(self.url);
    await page.evaluate(PAGE_ANSWERS);
    return self;
  }

  constructor(page) {
    this.page = page;
  }

  async handle(request, response) {
    const [, collection, id] = request.url.split('/');
    if (request.method === 'POST' && collection === 'offer') {
      const offer = JSON.stringify(await bodyOf(request));
      const answer = await this.page.evaluate(`jspAnswers.answer(${offer}, ${JSON.stringify(this.negotiated)})`);
      this.lastId = answer.id;
      response.writeHead(201, {'Content-Type': 'application/sdp', Location: `/session/${answer.id}`}).end(answer.sdp);
    } else if (request.method === 'PATCH' && collection === 'session' && request.headers['if-match'] === '*') {
      const fragment = JSON.stringify(await bodyOf(request));
      const ours = await this.page.evaluate(`jspAnswers.restart(${JSON.stringify(id)}, ${fragment})`);
      response.writeHead(200, {'Content-Type': 'application/trickle-ice-sdpfrag'}).end(ours);
    } else if (request.method === 'DELETE' && collection === 'session') {
      const closed = await this.page.evaluate(`jspAnswers.close(${JSON.stringify(id)})`);
      response.writeHead(closed ? 200 : 404).end();
    } else {
      response.writeHead(request.method === 'GET' ? 200 : 405, {'Content-Type': 'text/html'}).end('<!doctype html>');
    }
  }

  // The only channel of the last connection, with the names of GET /stats.
  async lastChannel() {
    const channels = await this.page.evaluate(`jspAnswers.channels(${JSON.stringify(this.lastId)})`);
    if (channels.length !== 1) throw new Error(`${channels.length} channels`);
    const [{label, protocol, ordered, maxRetransmits, maxPacketLifeTime}] = channels;
    return {label, protocol, ordered, max_retransmits: maxRetransmits ?? null, max_lifetime_ms: maxPacketLifeTime ?? null};
  }

  // Octets that came over it, whatever became of them.
  async lastReceived() {
    const channels = await this.page.evaluate(`jspAnswers.channels(${JSON.stringify(this.lastId)})`);
    return channels.map(({received}) => received).join(', ');
  }

  waitForClose() {
    return until('the channel closes', async () => {
      const [channel] = await this.page.evaluate(`jspAnswers.channels(${JSON.stringify(this.lastId)})`);
      return channel.closed;
    });
  }

  stop() {
    const stopped = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();  // browsers keep some open that never asked for anything
    return stopped;
  }
}
