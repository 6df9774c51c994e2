#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/time.h"
#include "sctp/message.h"
#include "sctp/metrics.h"
#include "sctp/options.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/tx/retransmission_queue.h"
#include "sctp/tx/send_queue.h"
namespace jsp::sctp {

inline Timestamp At(Duration d) { return Timestamp::FromEpoch(std::chrono::seconds(1) + d); }

inline Message MessageOf(uint16_t stream, size_t size, uint8_t fill = 1) {
  Message message;
  message.stream = StreamId(stream);
  message.ppid = Ppid(53);
  message.payload.assign(size, fill);
  return message;
}
inline SendOptions MaxRetransmits(uint16_t n) {
  SendOptions options;
  options.max_retransmits = n;
  return options;
}
inline SendOptions Lifetime(Duration lifetime) {
  SendOptions options;
  options.lifetime = lifetime;
  return options;
}
inline SendOptions UnorderedOptions() {
  SendOptions options;
  options.unordered = true;
  return options;
}

// What a packet of DATA looked like; payloads are gone.
struct SentChunk {
  uint32_t tsn;
  uint16_t stream;
  uint16_t ssn;
  size_t size;
  bool begins;
  bool ends;
  bool immediate;
};
using SentChunks = std::vector<SentChunk>;

// A sender with nobody on the other side but the test. TSNs are counted from 0 at `initial_tsn`.
class Sender {
 public:
  struct Config {
    Options options = Options::Rfc9260();
    uint32_t initial_tsn = 0xfffffffe;
    uint32_t peer_a_rwnd = 1 << 20;
    Reliability reliability = Reliability::kPartial;
    Framing framing = Framing::kData;
  };
  Sender() : Sender(Config{}) {}
  explicit Sender(const Config& given)
      : config(given),
        messages(given.options.max_send_buffer, StreamScheduler::Policy::kRoundRobin, metrics),
        queue(given.options,
              {.initial_tsn = Tsn(given.initial_tsn),
               .peer_a_rwnd = given.peer_a_rwnd,
               .reliability = given.reliability,
               .framing = given.framing},
              messages, metrics) {}

  void Send(size_t size, const SendOptions& options = {}, uint16_t stream = 0, Part part = Part::kWhole) {
    Message message = MessageOf(stream, size);
    message.part = part;
    messages.Add(now, std::move(message), options);
    queue.AllowBurst();
  }
  // One entry per packet.
  std::vector<SentChunks> Drain() {
    std::vector<SentChunks> packets;
    while (queue.BeginPacket(now)) {
      SentChunks chunks;
      size_t room = kRoom;
      while (const auto data = queue.NextChunk(now, room)) {
        chunks.push_back({data->tsn.value - config.initial_tsn, data->stream.value, data->ssn.value,
                          data->payload.size(), data->beginning, data->end, data->immediate});
        room -= PaddedSize(data->Size());
      }
      queue.EndPacket(now);
      if (chunks.empty()) break;
      packets.push_back(std::move(chunks));
    }
    return packets;
  }
  // All TSNs of Drain(), in order.
  std::vector<uint32_t> DrainTsns() {
    std::vector<uint32_t> tsns;
    for (const SentChunks& packet : Drain()) {
      for (const SentChunk& chunk : packet) tsns.push_back(chunk.tsn);
    }
    return tsns;
  }
  // Acknowledges the first `count` TSNs, and gap blocks given as TSNs.
  using Blocks = std::vector<std::pair<uint32_t, uint32_t>>;
  RetransmissionQueue::SackOutcome Sack(uint32_t count, const Blocks& blocks = {},
                                        const std::vector<uint32_t>& duplicates = {}) {
    std::vector<GapAckBlock> gaps;
    for (const auto& [first, last] : blocks) {
      gaps.push_back({static_cast<uint16_t>(first - count + 1), static_cast<uint16_t>(last - count + 1)});
    }
    std::vector<Tsn> repeated;
    for (const uint32_t tsn : duplicates) repeated.push_back(Tsn(config.initial_tsn + tsn));
    SackChunk sack;
    sack.duplicate_tsns = std::span<const Tsn>(repeated);
    sack.cumulative_tsn_ack = Tsn(config.initial_tsn + count - 1);
    sack.a_rwnd = a_rwnd;
    sack.gap_ack_blocks = std::span<const GapAckBlock>(gaps);
    return queue.HandleSack(now, sack);
  }
  // Lets T3-rtx run out.
  RetransmissionQueue::Expiry ExpireT3() {
    now = queue.NextTimeout();
    return queue.HandleTimeout(now);
  }

  // Octets for chunks in a packet of 1191, and of user data in the largest chunk.
  static constexpr size_t kRoom = 1176;
  static constexpr size_t kFull = 1160;

  Config config;
  Metrics metrics;
  SendQueue messages;
  RetransmissionQueue queue;
  Timestamp now = At(Duration::zero());
  uint32_t a_rwnd = 1 << 20;
};

}  // namespace jsp::sctp
