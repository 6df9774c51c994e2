'use strict';
// The page of `jsp serve`: connects on a click, and uses the served peer's channels (echo, sink, source).

const $ = (id) => document.getElementById(id);
const HIGH_WATER = 1024 * 1024;
const CHUNK = 65536;
const CONNECT_TIMEOUT_MS = 20000;

let session = null;  // {pc, text, location, startedAt}
const totals = {sent: 0, received: 0};

// ---- what the person sees ----

function setStep(name, state, text) {
  const item = $('step-' + name);
  item.className = state;
  item.querySelector('span').textContent = text;
}

function showError(text) {
  $('error').textContent = text;
  $('error').hidden = !text;
}

function setConnected(connected) {
  $('connect').disabled = connected || session !== null;
  $('disconnect').disabled = session === null;
  for (const id of ['bench-up', 'bench-down', 'text', 'send-text', 'file']) $(id).disabled = !connected;
}

function addMessage(kind, text) {
  const item = document.createElement('li');
  item.className = kind;
  item.textContent = text;
  $('messages').prepend(item);
}

function resetSteps() {
  for (const name of ['gathering', 'signalling', 'ice', 'dtls', 'channel']) setStep(name, '', '–');
  for (const id of ['pair', 'rtt', 'connect-time']) $(id).textContent = '–';
}

// ---- connecting ----

function gathered(pc) {
  return new Promise((resolve) => {
    const check = () => { if (pc.iceGatheringState === 'complete') resolve(); };
    pc.addEventListener('icegatheringstatechange', check);
    pc.addEventListener('icecandidate', (event) => { if (!event.candidate) resolve(); });
    setTimeout(resolve, 3000);  // a dead server must not delay the rest
    check();
  });
}

async function signal(pc) {
  let response;
  try {
    response = await fetch('offer', {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: pc.localDescription.sdp});
  } catch {
    throw new Error('The server cannot be reached. Is `jsp serve` still running?');
  }
  const body = await response.text();
  if (response.status !== 201) throw new Error(`The server refused the offer (${response.status}): ${body.trim()}`);
  return {sdp: body, location: response.headers.get('Location')};
}

function watch(pc) {
  pc.addEventListener('iceconnectionstatechange', () => {
    const state = pc.iceConnectionState;
    const kind = {connected: 'done', completed: 'done', failed: 'failed', disconnected: 'failed'}[state] || 'busy';
    setStep('ice', kind, state);
    if (state === 'failed') {
      fail('No path to the peer was found. A firewall may block UDP between this browser and the server.');
    }
  });
  pc.addEventListener('connectionstatechange', () => {
    const state = pc.connectionState;
    if (state === 'connected') setStep('dtls', 'done', 'connected');
    if (state === 'failed') setStep('dtls', 'failed', state);
    if (state === 'failed' && pc.iceConnectionState !== 'failed') {
      fail('The encrypted connection could not be set up, or it broke.');
    }
    if (state === 'disconnected') showError('Nothing is heard from the peer. Waiting for it to come back.');
    if (state === 'connected') showError('');
  });
}

async function connect() {
  showError('');
  resetSteps();
  const pc = new RTCPeerConnection({iceServers: []});
  session = {pc, text: null, location: null, startedAt: performance.now()};
  setConnected(false);
  watch(pc);
  const text = pc.createDataChannel('echo text');
  session.text = text;
  text.addEventListener('message', (event) => addMessage('received', event.data));
  text.addEventListener('close', () => { if (session) fail('The peer closed the connection.'); });
  text.addEventListener('open', () => {
    clearTimeout(session.timer);
    setStep('channel', 'done', 'open');
    $('connect-time').textContent = `${(performance.now() - session.startedAt).toFixed(0)} ms`;
    setConnected(true);
  });
  session.timer = setTimeout(() => fail('The peer did not answer within 20 seconds.'), CONNECT_TIMEOUT_MS);
  try {
    setStep('gathering', 'busy', 'gathering');
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    if (!session || session.pc !== pc) return;
    setStep('gathering', 'done', `${(pc.localDescription.sdp.match(/^a=candidate/gm) || []).length} found`);
    setStep('signalling', 'busy', 'waiting');
    const answer = await signal(pc);
    if (!session || session.pc !== pc) return;
    session.location = answer.location;
    setStep('signalling', 'done', 'answered');
    setStep('channel', 'busy', 'opening');
    setStep('dtls', 'busy', 'waiting');
    await pc.setRemoteDescription({type: 'answer', sdp: answer.sdp});
  } catch (error) {
    fail(error.message);
  }
}

function fail(text) {
  showError(text);
  for (const item of document.querySelectorAll('.steps .busy')) item.className = 'failed';
  hangUp();
}

function hangUp() {
  if (!session) return;
  const {pc, location, timer} = session;
  session = null;
  clearTimeout(timer);
  pc.close();
  if (location) fetch(location, {method: 'DELETE'}).catch(() => {});
  setConnected(false);
}

function disconnect() {
  hangUp();
  resetSteps();
  showError('');
}

// ---- channels ----

function room(channel) {
  if (channel.bufferedAmount < HIGH_WATER) return Promise.resolve();
  channel.bufferedAmountLowThreshold = HIGH_WATER / 2;
  return new Promise((resolve, reject) => {
    channel.addEventListener('bufferedamountlow', resolve, {once: true});
    channel.addEventListener('close', () => reject(new Error('The channel closed.')), {once: true});
  });
}

function opened(channel) {
  return new Promise((resolve, reject) => {
    channel.addEventListener('open', resolve, {once: true});
    channel.addEventListener('close', () => reject(new Error('The channel closed before it opened.')), {once: true});
  });
}

async function benchUp() {
  const channel = session.pc.createDataChannel('sink');
  await opened(channel);
  const payload = new Uint8Array(CHUNK);
  const end = performance.now() + 5000;
  while (performance.now() < end) {
    await room(channel);
    channel.send(payload);
    totals.sent += CHUNK;
  }
  const done = new Promise((resolve) => channel.addEventListener('message', resolve, {once: true}));
  channel.send('done');
  const report = JSON.parse((await done).data);
  addMessage('received', `sink: ${(report.bytes / 1e6).toFixed(1)} MB in ${report.messages} messages`);
  channel.close();
}

async function benchDown() {
  const channel = session.pc.createDataChannel(`source:1000000000000:${CHUNK}`);
  channel.binaryType = 'arraybuffer';
  let bytes = 0;
  channel.addEventListener('message', (event) => {
    if (typeof event.data === 'string') return;
    bytes += event.data.byteLength;
    totals.received += event.data.byteLength;
  });
  await opened(channel);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  channel.close();
  addMessage('received', `source: ${(bytes / 1e6).toFixed(1)} MB`);
}

async function sha256(bytes) {
  if (!crypto.subtle) return null;  // only on https and localhost
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
}

function sameBytes(a, b) {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

async function sendFile(file) {
  const original = new Uint8Array(await file.arrayBuffer());
  const channel = session.pc.createDataChannel('echo file');
  channel.binaryType = 'arraybuffer';
  const back = new Uint8Array(original.length);
  let received = 0;
  $('file-result').textContent = `Sending ${file.name} …`;
  const complete = new Promise((resolve, reject) => {
    channel.addEventListener('message', (event) => {
      const part = new Uint8Array(event.data);
      if (received + part.length > back.length) return reject(new Error('More came back than was sent.'));
      back.set(part, received);
      received += part.length;
      totals.received += part.length;
      $('file-progress').value = received / Math.max(original.length, 1);
      if (received === original.length) resolve();
    });
    channel.addEventListener('close', () => reject(new Error('The channel closed before the file was back.')));
  });
  await opened(channel);
  if (original.length === 0) channel.send(original);
  for (let at = 0; at < original.length; at += CHUNK) {
    await room(channel);
    channel.send(original.subarray(at, at + CHUNK));
    totals.sent += Math.min(CHUNK, original.length - at);
  }
  if (original.length > 0) await complete;
  channel.close();
  const [sent, got] = await Promise.all([sha256(original), sha256(back)]);
  const equal = sent === null ? sameBytes(original, back) : sent === got;
  $('file-result').textContent = `${file.name}: ${original.length} bytes there and back, ` +
      (equal ? `equal${sent ? ', SHA-256 ' + sent : ''}` : 'but they differ');
}

function run(job) {
  job().catch((error) => showError(error.message));
}

// ---- the live part ----

const history = [];  // {up, down} in MB/s, newest last

function draw() {
  const canvas = $('chart');
  const style = getComputedStyle(document.documentElement);
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = 220;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const g = canvas.getContext('2d');
  g.scale(ratio, ratio);
  const top = Math.max(1, ...history.map((h) => Math.max(h.up, h.down))) * 1.1;
  g.strokeStyle = style.getPropertyValue('--line');
  g.fillStyle = style.getPropertyValue('--faint');
  g.font = '12px system-ui, sans-serif';
  for (let i = 0; i <= 4; ++i) {
    const y = 10 + (height - 30) * i / 4;
    g.beginPath();
    g.moveTo(56, y);
    g.lineTo(width, y);
    g.stroke();
    g.fillText((top * (4 - i) / 4).toFixed(top < 10 ? 1 : 0), 4, y + 4);
  }
  g.fillText('MB/s, last 30 s', 56, height - 4);
  for (const [key, color] of [['up', '--up'], ['down', '--down']]) {
    g.strokeStyle = style.getPropertyValue(color);
    g.lineWidth = 2;
    g.beginPath();
    history.forEach((h, i) => {
      const x = 56 + (width - 60) * (i + 120 - history.length) / 119;
      const y = 10 + (height - 30) * (1 - h[key] / top);
      if (i === 0) g.moveTo(x, y); else g.lineTo(x, y);
    });
    g.stroke();
  }
}

async function describePair(pc) {
  const stats = await pc.getStats();
  let pair = null;
  stats.forEach((s) => {
    if (s.type === 'transport' && s.selectedCandidatePairId) pair = stats.get(s.selectedCandidatePairId);
  });
  stats.forEach((s) => {
    if (!pair && s.type === 'candidate-pair' && (s.selected || (s.nominated && s.state === 'succeeded'))) pair = s;
  });
  if (!pair) return;
  const local = stats.get(pair.localCandidateId);
  const remote = stats.get(pair.remoteCandidateId);
  const name = (c) => c ? `${c.candidateType} ${c.address || c.ip || '(hidden)'}:${c.port}` : '?';
  $('pair').textContent = `${name(local)} ↔ ${name(remote)}`;
  if (pair.currentRoundTripTime !== undefined) $('rtt').textContent = `${(pair.currentRoundTripTime * 1000).toFixed(1)} ms`;
}

let last = {at: performance.now(), sent: 0, received: 0};
setInterval(() => {
  const now = performance.now();
  const seconds = (now - last.at) / 1000;
  const rates = {up: (totals.sent - last.sent) / 1e6 / seconds, down: (totals.received - last.received) / 1e6 / seconds};
  last = {at: now, sent: totals.sent, received: totals.received};
  history.push(rates);
  if (history.length > 120) history.shift();
  $('rate-up').textContent = rates.up.toFixed(1);
  $('rate-down').textContent = rates.down.toFixed(1);
  draw();
  if (session) describePair(session.pc).catch(() => {});
}, 250);

$('connect').addEventListener('click', connect);
$('disconnect').addEventListener('click', disconnect);
$('bench-up').addEventListener('click', () => run(benchUp));
$('bench-down').addEventListener('click', () => run(benchDown));
$('file').addEventListener('change', (event) => { if (event.target.files[0]) run(() => sendFile(event.target.files[0])); });
$('text-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value;
  if (!text || !session || session.text.readyState !== 'open') return;
  session.text.send(text);
  addMessage('sent', text);
  $('text').value = '';
});
window.addEventListener('pagehide', hangUp);
