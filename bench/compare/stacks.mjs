// One connection of each stack, behind the same few calls. What is measured is the native library: the calls into it are
// as few as its interface allows.

// libdatachannel: usrsctp and OpenSSL, with threads of its own.
async function openLibdatachannel() {
  const { PeerConnection } = (await import('node-datachannel')).default;
  return class {
    constructor(signal) {
      this.peer = new PeerConnection('bench', { iceServers: [], bindAddress: '127.0.0.1' });
      this.peer.onLocalDescription((sdp, type) => signal({ sdp, type }));
      this.peer.onLocalCandidate((candidate, mid) => signal({ candidate, mid }));
    }
    async hear(message) {
      if (message.sdp) this.peer.setRemoteDescription(message.sdp, message.type);
      if (message.candidate) this.peer.addRemoteCandidate(message.candidate, message.mid);
    }
    offer(onOpen, onMessage) {
      this.channel = this.peer.createDataChannel('bench');
      this.channel.onOpen(onOpen);
      this.channel.onMessage(onMessage);
    }
    answer(onMessage) {
      this.peer.onDataChannel((channel) => {
        this.channel = channel;
        channel.onMessage(onMessage);
      });
    }
    send(bytes) {
      this.channel.sendMessageBinary(bytes);
    }
    get buffered() {
      return this.channel.bufferedAmount();
    }
  };
}

// libwebrtc, as browsers have it.
async function openLibwebrtc() {
  const { RTCPeerConnection } = (await import('@roamhq/wrtc')).default;
  return class {
    constructor(signal) {
      this.peer = new RTCPeerConnection({ iceServers: [] });
      this.signal = signal;
      this.peer.onicecandidate = ({ candidate }) => candidate && signal({ candidate: candidate.toJSON() });
    }
    async describe() {
      await this.peer.setLocalDescription(this.isOfferer ? await this.peer.createOffer() : await this.peer.createAnswer());
      this.signal({ sdp: this.peer.localDescription.sdp, type: this.peer.localDescription.type });
    }
    async hear(message) {
      if (message.candidate) return this.peer.addIceCandidate(message.candidate);
      await this.peer.setRemoteDescription(message);
      if (!this.isOfferer) await this.describe();
    }
    take(channel, onMessage) {
      this.channel = channel;
      channel.binaryType = 'arraybuffer';
      channel.onmessage = ({ data }) => onMessage(data);
    }
    offer(onOpen, onMessage) {
      this.isOfferer = true;
      this.take(this.peer.createDataChannel('bench'), onMessage);
      this.channel.onopen = onOpen;
      this.describe();
    }
    answer(onMessage) {
      this.peer.ondatachannel = ({ channel }) => this.take(channel, onMessage);
    }
    send(bytes) {
      this.channel.send(bytes);
    }
    get buffered() {
      return this.channel.bufferedAmount;
    }
  };
}

export const stacks = { libdatachannel: openLibdatachannel, libwebrtc: openLibwebrtc };
