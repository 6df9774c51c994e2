#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/sans_io.h"
#include "dtls/certificate.h"
#include "transport/peer.h"
namespace jsp::transport::testing {

// Two peers, a (offers) and z (answers), with one wire of fixed delay between them, in virtual time. For what belongs
// to Peer alone; worlds with NATs and bad links are netsim's.
class PeerPair {
 public:
  struct Side {
    std::unique_ptr<Peer> peer;
    SocketAddress address;
    std::vector<Peer::Event> events;
    std::vector<datachannel::ReceivedMessage> messages;
    bool read = true;  // takes messages as they come
  };
  struct Packet {
    Timestamp due;
    bool to_z = false;
    SocketAddress from;
    SocketAddress to;
    std::vector<uint8_t> bytes;
    EcnMark ecn = EcnMark::kNotEct;
  };

  explicit PeerPair(uint64_t seed = 1, PeerOptions a_options = {}, PeerOptions z_options = {})
      : rng_(Rng::FromNumber(seed)) {
    Open(a, a_options, "192.0.2.1:5000");
    Open(z, z_options, "192.0.2.2:6000");
  }

  // Exchanges complete descriptions; `edit` may change the SDP on its way: edit(bool is_offer, std::string).
  template <class Edit>
  void Signal(Edit&& edit) {
    const auto offer = a.peer->CreateOffer(now);
    signalled_ = offer && z.peer->SetRemoteDescription(now, SdpType::kOffer, edit(true, *offer));
    const auto answer = z.peer->CreateAnswer(now);
    signalled_ = signalled_ && answer && a.peer->SetRemoteDescription(now, SdpType::kAnswer, edit(false, *answer));
    Settle();
  }
  bool Signal() {
    Signal([](bool, std::string sdp) { return sdp; });
    return signalled_;
  }

  // Runs until done() or until `limit` has passed; returns done().
  template <class Done>
  bool RunUntil(Done&& done, Duration limit = std::chrono::seconds(60)) {
    const Timestamp end = now + limit;
    Settle();
    while (!done()) {
      const Timestamp next = Next();
      if (next == Timestamp::Never() || next > end) {
        now = end;
        return done();
      }
      now = std::max(now, next);
      Step();
    }
    return true;
  }
  bool Connect() {
    return Signal() && RunUntil([&] {
             return a.peer->state() == ConnectionState::kCompleted && z.peer->state() == ConnectionState::kCompleted;
           });
  }
  // Drains both sides: output goes on the wire, events and messages to their side.
  void Settle() {
    DrainSide(a, true);
    DrainSide(z, false);
  }
  template <class Event>
  static size_t Count(const Side& side) {
    size_t n = 0;
    for (const auto& event : side.events) n += std::holds_alternative<Event>(event) ? 1 : 0;
    return n;
  }

  Side a;
  Side z;
  Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(100));
  Duration delay = std::chrono::milliseconds(10);
  bool cut = false;                                                                // loses everything
  std::function<bool(const Packet&)> passes = [](const Packet&) { return true; };  // when it arrives
  std::deque<Packet> wire;

 private:
  void Open(Side& side, PeerOptions options, const char* address) {
    if (!options.certificate) options.certificate = *dtls::Certificate::Generate();
    if (!options.sctp.initial_tsn) options.sctp.initial_tsn = sctp::Tsn(0xfffffffe);  // C19: they wrap in every test
    side.peer = std::make_unique<Peer>(options, rng_, now);
    side.address = *SocketAddress::Parse(address);
    side.peer->AddLocalAddress(now, {side.address});
    side.peer->EndOfLocalAddresses(now);
  }
  Timestamp Next() const {
    const Timestamp arrival = wire.empty() ? Timestamp::Never() : wire.front().due;
    return std::min({arrival, a.peer->NextTimeout(), z.peer->NextTimeout()});
  }
  void Step() {
    while (!wire.empty() && wire.front().due <= now) {
      const Packet packet = std::move(wire.front());
      wire.pop_front();
      if (!passes(packet)) continue;
      (packet.to_z ? z : a).peer->HandleDatagram(now, packet.to, packet.from, packet.bytes, packet.ecn);
    }
    if (a.peer->NextTimeout() <= now) a.peer->HandleTimeout(now);
    if (z.peer->NextTimeout() <= now) z.peer->HandleTimeout(now);
    Settle();
  }
  void DrainSide(Side& side, bool to_z) {
    std::array<uint8_t, Peer::kMaxDatagram> buffer;
    Drain(
        *side.peer, now, buffer,
        [&](const Peer::Transmit& t, std::span<const uint8_t> bytes) {
          const auto sent = bytes.first(t.size);
          if (!cut) wire.push_back({now + delay, to_z, t.local, t.remote, {sent.begin(), sent.end()}, t.ecn});
        },
        [&](Peer::Event event) { side.events.push_back(std::move(event)); });
    while (side.read) {
      auto message = side.peer->PollAnyMessage(now);
      if (!message) break;
      side.messages.push_back(std::move(*message));
    }
  }

  Rng rng_;
  bool signalled_ = false;
};

}  // namespace jsp::transport::testing
