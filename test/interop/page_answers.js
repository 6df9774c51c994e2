// Runs inside the page: the browser answers offers and serves channels by their labels, as jsp serve does.
'use strict';

globalThis.jspAnswers = (() => {
  const connections = new Map();
  let lastId = 0;

  const event = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, {once: true}));
  const sizeOf = (data) => (typeof data === 'string' ? new Blob([data]).size : data.byteLength);

  async function report(parts) {
    const blob = new Blob(parts);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
    const sha256 = Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
    return JSON.stringify({bytes: blob.size, messages: parts.length, sha256});
  }

  // A deaf one misses the first message, as an unreliable channel may.
  function echo(channel, isDeaf) {
    let messages = 0;
    channel.onmessage = ({data}) => {
      if (isDeaf && ++messages === 1) return undefined;
      return channel.send(data);
    };
  }

  // Asked again with nothing new it repeats its answer. A deaf one misses the first question, as an unreliable channel may.
  function sink(channel, isDeaf) {
    let parts = [];
    let last = null;
    let questions = 0;
    channel.onmessage = async ({data}) => {
      if (data !== 'done') return parts.push(data);
      if (isDeaf && ++questions === 1) return undefined;
      if (parts.length > 0 || !last) last = report(parts);
      parts = [];
      return channel.send(await last);
    };
  }

  async function source(channel, total, size) {
    channel.bufferedAmountLowThreshold = 1 << 20;
    const parts = [];
    for (let sent = 0; sent < total && channel.readyState === 'open';) {
      if (channel.bufferedAmount > 4 << 20) await Promise.race([event(channel, 'bufferedamountlow'), event(channel, 'close')]);
      if (channel.readyState !== 'open') return;
      const part = new Uint8Array(Math.min(size, total - sent)).fill(sent % 251);
      if (total < 1 << 30) parts.push(part);
      channel.send(part);
      sent += part.length;
    }
    if (channel.readyState === 'open') channel.send(await report(parts));
  }

  // Keeps what `jsp connect` asked for, for the test to look at.
  function serve(connection, channel) {
    channel.binaryType = 'arraybuffer';
    const {label, protocol, ordered, maxRetransmits, maxPacketLifeTime, negotiated, id} = channel;
    const seen = {label, protocol, ordered, maxRetransmits, maxPacketLifeTime, negotiated, id, received: 0};
    connection.channels.push(seen);
    channel.addEventListener('message', ({data}) => { seen.received += sizeOf(data); });
    channel.addEventListener('close', () => { seen.closed = true; });
    const [kind, total, size] = label.split(':');
    if (kind === 'sink' || kind === 'deaf sink') return sink(channel, kind === 'deaf sink');
    if (kind !== 'source') return echo(channel, kind === 'deaf echo');
    if (channel.readyState === 'open') source(channel, Number(total), Number(size));
    else channel.onopen = () => source(channel, Number(total), Number(size));
  }

  return {
    // The answer with all candidates. `negotiated`: a channel that both sides open with this id.
    async answer(offer, negotiated) {
      const pc = new RTCPeerConnection({iceServers: []});
      const connection = {pc, channels: []};
      const id = `${++lastId}`;
      connections.set(id, connection);
      pc.ondatachannel = ({channel}) => serve(connection, channel);
      await pc.setRemoteDescription({type: 'offer', sdp: offer});
      if (negotiated) serve(connection, pc.createDataChannel(negotiated.label, {negotiated: true, id: negotiated.id}));
      await pc.setLocalDescription(await pc.createAnswer());
      while (pc.iceGatheringState !== 'complete') await event(pc, 'icegatheringstatechange');
      return {id, sdp: pc.localDescription.sdp};
    },
    // A restart of the other side's: its fragment in, ours out (RFC 8840).
    async restart(id, fragment) {
      const {pc} = connections.get(id);
      const isIce = /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/;
      const linesOf = (text) => text.split(/\r?\n/).filter((line) => line !== '');
      const kept = linesOf(pc.remoteDescription.sdp).filter((line) => !isIce.test(line));
      const fresh = linesOf(fragment).filter((line) => isIce.test(line));
      // What was an answer to nobody is an offer again.
      const offer = [...kept, ...fresh, ''].join('\r\n').replace(/a=setup:\w+/, 'a=setup:actpass');
      await pc.setRemoteDescription({type: 'offer', sdp: offer});
      await pc.setLocalDescription(await pc.createAnswer());
      while (pc.iceGatheringState !== 'complete') await event(pc, 'icegatheringstatechange');
      const ours = linesOf(pc.localDescription.sdp);
      return [...ours.filter((line) => /^a=ice-(ufrag|pwd)/.test(line)), ...ours.filter((line) => /^(m=|a=mid:)/.test(line)),
        ...ours.filter((line) => /^a=(candidate|end-of-candidates)/.test(line)), ''].join('\r\n');
    },
    channels(id) {
      return connections.get(id).channels;
    },
    close(id) {
      connections.get(id)?.pc.close();
      return connections.has(id);
    },
  };
})();
