// Runs inside the page, in the browser under test: every case connects a peer connection of its own.
'use strict';

globalThis.jspCases = (() => {
  const TIMEOUT_MS = 20000;

  function within(what, promise) {
    return Promise.race([
      promise,
      new Promise((_, reject) => setTimeout(() => reject(new Error(`timeout: ${what}`)), TIMEOUT_MS)),
    ]);
  }

  const event = (target, name) => within(name, new Promise((resolve) => target.addEventListener(name, resolve, {once: true})));

  function check(condition, what) {
    if (!condition) throw new Error(what);
  }

  async function gathered(pc) {
    while (pc.iceGatheringState !== 'complete') await event(pc, 'icegatheringstatechange');
  }

  // An offer to the server; `edit` may change the answer on its way, `editOffer` the offer.
  async function signal(pc, edit = (sdp) => sdp, editOffer = (sdp) => sdp) {
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    const offer = editOffer(pc.localDescription.sdp);
    const response = await fetch('offer', {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: offer});
    check(response.status === 201, `offer answered ${response.status}`);
    await pc.setRemoteDescription({type: 'answer', sdp: edit(await response.text())});
    return {offer, location: response.headers.get('Location')};
  }

  const lines = (sdp, ...names) => sdp.split(/\r?\n/).filter((line) => names.some((name) => line.startsWith(name)));

  // An application/trickle-ice-sdpfrag body (RFC 8840) of what a description says of ICE, or with these candidates.
  function fragmentOf(sdp, candidates = lines(sdp, 'a=candidate:', 'a=end-of-candidates')) {
    return [...lines(sdp, 'a=ice-ufrag:', 'a=ice-pwd:'), ...lines(sdp, 'm='), ...lines(sdp, 'a=mid:'), ...candidates, ''].join('\r\n');
  }

  function patch(location, body, headers = {}) {
    return fetch(location, {method: 'PATCH', headers: {'Content-Type': 'application/trickle-ice-sdpfrag', ...headers}, body});
  }

  // The description with the credentials and candidates of a fragment.
  function withFragment(sdp, fragment) {
    const kept = sdp.split(/\r?\n/).filter((line) => line !== '' && !/^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/.test(line));
    return [...kept, ...lines(fragment, 'a=ice-', 'a=candidate:', 'a=end-of-candidates'), ''].join('\r\n');
  }

  function open(pc, label, options = {}) {
    const channel = pc.createDataChannel(label, options);
    channel.binaryType = 'arraybuffer';
    return channel;
  }

  // The pair that carries data. Its state may be 'in-progress' at any moment, as browsers go on checking it.
  function selectedPair(stats) {
    const all = [...stats.values()];
    const transport = all.find((s) => s.type === 'transport');
    return stats.get(transport?.selectedCandidatePairId) ?? all.find((s) => s.type === 'candidate-pair' && (s.selected || s.nominated));
  }

  async function connected(label, options, configuration = {iceServers: []}) {
    const pc = new RTCPeerConnection(configuration);
    const channel = open(pc, label, options);
    const opened = event(channel, 'open');
    const {offer, location} = await signal(pc);
    await opened;
    return {pc, channel, offer, location};
  }

  async function exchange(channel, message) {
    const answer = event(channel, 'message');
    channel.send(message);
    return (await answer).data;
  }

  async function sha256(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
  }

  function noise(size) {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, size)));
    return bytes;
  }

  async function sendAll(channel, bytes) {
    channel.bufferedAmountLowThreshold = 1 << 20;
    for (let at = 0; at < bytes.length; at += 65536) {
      if (channel.bufferedAmount > 4 << 20) await event(channel, 'bufferedamountlow');
      channel.send(bytes.subarray(at, at + 65536));
    }
  }

  let kept = null;  // of staysConnected and overTcp
  const MEGABYTES_16 = 16 * 1024 * 1024;

  return {
    async echoesStringsAndBinariesOfEverySize() {
      const {pc, channel} = await connected('echo');
      for (const size of [0, 1, 1200, 65536, 262144]) {
        const text = 'x'.repeat(size);
        check(await exchange(channel, text) === text, `string of ${size}`);
        const bytes = noise(size);
        const back = await exchange(channel, bytes);
        check(back instanceof ArrayBuffer && back.byteLength === size, `binary of ${size}: size`);
        check(await sha256(back) === await sha256(bytes), `binary of ${size}: content`);
      }
      check(await exchange(channel, 'grüße, 你好 🙂') === 'grüße, 你好 🙂', 'string beyond ASCII');
      pc.close();
    },

    async sixteenMegabytesUpKeepTheirHash() {
      const {pc, channel} = await connected('sink');
      const bytes = noise(MEGABYTES_16);
      await sendAll(channel, bytes);
      const report = JSON.parse(await exchange(channel, 'done'));
      check(report.bytes === MEGABYTES_16 && report.messages === 256, `sink counted ${JSON.stringify(report)}`);
      check(report.sha256 === await sha256(bytes), 'SHA-256');
      pc.close();
    },

    async sixteenMegabytesDownKeepTheirHash() {
      const bytes = new Uint8Array(MEGABYTES_16);
      let received = 0;
      const pc = new RTCPeerConnection({iceServers: []});
      const channel = open(pc, `source:${MEGABYTES_16}:65536`);
      const report = within('the report', new Promise((resolve) => {
        channel.onmessage = ({data}) => {
          if (typeof data === 'string') return resolve(JSON.parse(data));
          bytes.set(new Uint8Array(data), received);
          received += data.byteLength;
        };
      }));
      await signal(pc);
      const {bytes: count, sha256: hash} = await report;
      check(received === MEGABYTES_16 && count === MEGABYTES_16, `received ${received} of ${count}`);
      check(hash === await sha256(bytes), 'SHA-256');
      pc.close();
    },

    // Candidates follow the offer one by one (RFC 8838), the last of them as the end.
    async browserTrickles() {
      const pc = new RTCPeerConnection({iceServers: []});
      const channel = open(pc, 'echo');
      const opened = event(channel, 'open');
      const candidates = [];
      let location = null;
      const tell = async (line) => {
        const response = await patch(location, fragmentOf(pc.localDescription.sdp, [line]));
        check(response.status === 204, `${line} answered ${response.status}`);
      };
      const all = within('all candidates', new Promise((resolve) => {
        pc.onicecandidate = ({candidate}) => {
          const line = candidate && candidate.candidate ? `a=${candidate.candidate}` : 'a=end-of-candidates';
          if (location) tell(line); else candidates.push(line);
          if (!candidate) resolve();
        };
      }));
      const offer = await pc.createOffer();
      const response = await fetch('offer', {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: offer.sdp});
      check(response.status === 201, `offer answered ${response.status}`);
      check(lines(offer.sdp, 'a=candidate:').length === 0, 'the offer has no candidates');
      await pc.setLocalDescription(offer);
      await pc.setRemoteDescription({type: 'answer', sdp: await response.text()});
      location = response.headers.get('Location');
      for (const line of candidates) await tell(line);
      await all;
      await opened;
      check(await exchange(channel, 'trickled') === 'trickled', 'echo');
      pc.close();
    },

    // RFC 8445 §9, over the session's resource as in WHIP (RFC 9725), while messages are under way.
    async browserRestartsIce() {
      const {pc, channel, location} = await connected('echo');
      for (let round = 1; round <= 3; ++round) {
        const before = pc.localDescription.sdp;
        const answered = pc.remoteDescription.sdp;
        const got = [];
        const done = within(`200 echoes in round ${round}`, new Promise((resolve) => {
          channel.onmessage = ({data}) => { if (got.push(data) === 200) resolve(); };
        }));
        for (let i = 0; i < 100; ++i) channel.send(`${i}`);
        pc.restartIce();
        await pc.setLocalDescription(await pc.createOffer());
        await gathered(pc);
        const response = await patch(location, fragmentOf(pc.localDescription.sdp), {'If-Match': '*'});
        check(response.status === 200, `restart answered ${response.status}: ${await response.clone().text()}`);
        const fragment = await response.text();
        for (let i = 100; i < 200; ++i) channel.send(`${i}`);
        await pc.setRemoteDescription({type: 'answer', sdp: withFragment(answered, fragment)});
        await done;
        check(got.every((data, i) => data === `${i}`), 'nothing was lost, and nothing overtook');
        check(lines(before, 'a=ice-ufrag:')[0] !== lines(pc.localDescription.sdp, 'a=ice-ufrag:')[0], 'new credentials');
        check(lines(answered, 'a=ice-ufrag:')[0] !== lines(fragment, 'a=ice-ufrag:')[0], 'new ones of the server');
        while (!['connected', 'completed'].includes(pc.iceConnectionState)) await event(pc, 'iceconnectionstatechange');
        channel.onmessage = null;
        check(await exchange(channel, `after ${round}`) === `after ${round}`, 'echo over the new pair');
      }
      pc.close();
    },

    async twentyChannelsAtOnce() {
      const {pc, channel} = await connected('echo 0');
      const channels = [channel];
      for (let i = 1; i < 20; ++i) channels.push(open(pc, `echo ${i}`));
      await Promise.all(channels.slice(1).map((c) => event(c, 'open')));
      const answers = await Promise.all(channels.map((c, i) => exchange(c, `from ${i}`)));
      check(answers.every((answer, i) => answer === `from ${i}`), `answers: ${answers}`);
      check(new Set(channels.map((c) => c.id)).size === 20, 'stream ids differ');
      pc.close();
    },

    async orderedUnorderedAndUnreliableChannels() {
      const {pc, channel} = await connected('echo ordered');
      const kinds = [channel, open(pc, 'echo unordered', {ordered: false}),
        open(pc, 'echo unreliable', {ordered: false, maxRetransmits: 0}),
        open(pc, 'echo timed', {maxPacketLifeTime: 5000, protocol: 'jsp'})];
      await Promise.all(kinds.slice(1).map((c) => event(c, 'open')));
      for (const one of kinds) {
        const got = [];
        const all = within(`100 echoes on ${one.label}`, new Promise((resolve) => {
          one.onmessage = ({data}) => { if (got.push(data) === 100) resolve(); };
        }));
        for (let i = 0; i < 100; ++i) one.send(`${i}`);
        await all;
        if (one.ordered) check(got.every((data, i) => data === `${i}`), `order of ${one.label}`);
        check(new Set(got).size === 100, `each once on ${one.label}`);
      }
      const {sessions} = await (await fetch('stats')).json();
      const seen = sessions.flatMap((s) => s.channels).filter((c) => c.label === 'echo unreliable');
      check(seen.length === 1 && seen[0].ordered === false && seen[0].max_retransmits === 0, JSON.stringify(seen));
      pc.close();
    },

    async browserClosesOneChannel() {
      const {pc, channel} = await connected('echo stays');
      const other = open(pc, 'echo goes');
      await event(other, 'open');
      const closed = event(other, 'close');
      other.close();
      await closed;
      check(await exchange(channel, 'still here') === 'still here', 'the other channel lives');
      pc.close();
    },

    async serverClosesTheConnection() {
      const {channel, location} = await connected('echo');
      const closed = event(channel, 'close');
      const response = await fetch(location, {method: 'DELETE'});
      check(response.status === 200, `DELETE answered ${response.status}`);
      await closed;
    },

    // Returns the session that the server has to forget once the browser has closed.
    async browserClosesTheConnection() {
      const {pc, location} = await connected('echo');
      pc.close();
      return location.split('/').pop();
    },

    // 4 MiB up and an echo, through the relay of `iceServer` and nothing else. Returns the ends of the pair that carried it
    // and the candidates that were told.
    // `candidates`: 'tcp' leaves nothing else in both descriptions. The connection stays until closeKept().
    async overTcp(candidates) {
      const onlyTcp = (sdp) => sdp.split('\r\n').filter((line) => !/^a=candidate:\S+ \d+ udp /i.test(line)).join('\r\n');
      const edit = candidates === 'tcp' ? onlyTcp : (sdp) => sdp;
      const pc = new RTCPeerConnection({iceServers: []});
      const channel = open(pc, 'sink');
      const opened = event(channel, 'open');
      // A Chromium that may not list its interfaces connects from an active candidate that it does not tell.
      const {location} = await signal(pc, edit, edit);
      await opened;
      const bytes = noise(MEGABYTES_16 / 4);
      await sendAll(channel, bytes);
      const report = JSON.parse(await exchange(channel, 'done'));
      check(report.bytes === bytes.length && report.sha256 === await sha256(bytes), `sink counted ${JSON.stringify(report)}`);
      const stats = await pc.getStats();
      const pair = selectedPair(stats);
      kept = {pc, channel};
      return {local: stats.get(pair.localCandidateId), location};
    },
    closeKept() {
      kept.pc.close();
      kept = null;
    },

    async relayedOnly(iceServer) {
      const {pc, channel, offer} = await connected('sink', {}, {iceServers: [iceServer], iceTransportPolicy: 'relay'});
      const bytes = noise(MEGABYTES_16 / 4);
      await sendAll(channel, bytes);
      const report = JSON.parse(await exchange(channel, 'done'));
      check(report.bytes === bytes.length && report.sha256 === await sha256(bytes), `sink counted ${JSON.stringify(report)}`);
      const stats = await pc.getStats();
      const pair = selectedPair(stats);
      const result = {local: stats.get(pair.localCandidateId), remote: stats.get(pair.remoteCandidateId),
        candidates: offer.match(/a=candidate:.*/g) ?? []};
      pc.close();
      return result;
    },

    async staysConnected() {
      kept = await connected('echo');
    },

    disconnects() {
      kept.pc.close();
    },

    // Without our candidates the browser never checks first: only a resolved ".local" name brings a connection.
    async serverResolvesLocalNames() {
      const pc = new RTCPeerConnection({iceServers: []});
      const channel = open(pc, 'echo');
      const opened = event(channel, 'open');
      const {offer} = await signal(pc, (sdp) => sdp.replace(/a=(candidate|end-of-candidates).*\r\n/g, ''));
      check(/\.local /.test(offer), `no .local candidate in ${offer}`);
      await opened;
      check(await exchange(channel, 'found') === 'found', 'echo');
      pc.close();
    },
  };
})();
