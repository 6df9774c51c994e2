#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/boxed.h"
#include "base/time.h"
#include "sctp/association/capabilities.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/parameter/reconfig_response.h"
#include "sctp/packet/tlv.h"
#include "sctp/types.h"
namespace jsp::sctp {

// What an association remembers of RFC 6525. Data only: reconfig_requester, reconfig_responder, deferred_reset and
// association_reset are its behaviour.

constexpr ReconfigSn Next(ReconfigSn sn) { return ReconfigSn(sn.value + 1); }
constexpr ReconfigSn Previous(ReconfigSn sn) { return ReconfigSn(sn.value - 1); }

// Streams in one request, ours or one that the peer wants from us, so that it fits any packet beside a SACK.
inline constexpr size_t kMaxStreamsPerRequest = 128;

// The parameters, one behind the other.
template <class... Parameters>
std::vector<uint8_t> WriteParameters(const Parameters&... parameters) {
  std::vector<uint8_t> octets((PaddedSize(parameters.Size()) + ... + size_t{0}));
  ByteWriter writer(octets);
  (parameters.Write(writer), ...);
  octets.resize(writer.size());
  return octets;
}

// DATA that was acknowledged and whose turn has not come: it may belong behind a reset.
class HeldChunks {
 public:
  struct HeldChunk {
    UnwrappedTsn tsn;
    DataChunk chunk;  // its payload views `payload`
    std::vector<uint8_t> payload;
  };
  // What a held chunk costs beyond its payload.
  static constexpr size_t kOverhead = sizeof(HeldChunk) + 32;

  void Add(UnwrappedTsn tsn, const DataChunk& data) {
    auto& held =
        chunks_.emplace_back(HeldChunk{tsn, data, std::vector<uint8_t>(data.payload.begin(), data.payload.end())});
    held.chunk.payload = held.payload;
    octets_ += held.payload.size() + kOverhead;
  }
  void DropUpTo(UnwrappedTsn tsn) {
    std::erase_if(chunks_, [&](const HeldChunk& held) {
      if (held.tsn > tsn) return false;
      octets_ -= held.payload.size() + kOverhead;
      return true;
    });
  }
  std::vector<HeldChunk> Take() {
    octets_ = 0;
    return std::exchange(chunks_, {});
  }
  size_t octets() const { return octets_; }

 private:
  std::vector<HeldChunk> chunks_;
  size_t octets_ = 0;
};

// What one request parameter of ours asks for (RFC 6525 §4.1 to §4.3, §4.5, §4.6). No streams listed: all of them.
struct OutgoingReset {
  std::vector<StreamId> streams;
  std::optional<ReconfigSn> answers;  // the peer's request that this answers (RFC 6525 §5.1.2 A4)
  Tsn last_assigned_tsn{};
};
struct IncomingReset {
  std::vector<StreamId> streams;
};
struct AssociationReset {};
struct MoreOutgoing {
  uint16_t streams;
};
struct MoreIncoming {
  uint16_t streams;
};
using ReconfigWish = std::variant<OutgoingReset, IncomingReset, AssociationReset, MoreOutgoing, MoreIncoming>;

struct ReconfigRequest {
  ReconfigSn sn;
  ReconfigWish wish;
  uint32_t in_progress = 0;                            // answers that said so
  std::optional<uint32_t> sent_before_acknowledged{};  // transmissions before the peer had all up to last_assigned_tsn
  bool starts_over = false;                            // with a new number when the timer expires
};

// The RE-CONFIG chunk in flight: RFC 6525 §5.1.1 allows one.
struct ReconfigFlight {
  std::vector<ReconfigRequest> requests;  // not answered yet: one or two
  std::vector<uint8_t> octets;            // its parameters, the same at every transmission
  bool due = true;                        // to be sent or sent again
  bool answered = false;  // since it was last sent: the timer's expiry is no error (RFC 6525 §5.2.7 H2)
  Duration timeout{};     // doubles at every expiry (RFC 6525 §5.1.1)
  uint32_t sent = 0;
  uint32_t restarts = 0;  // with new numbers
};

// What is wanted of the peer and has to wait for its turn.
struct ReconfigWishes {
  std::vector<StreamId> drained;  // streams of ours with nothing left to deliver
  bool all_outgoing = false;
  Boxed<IncomingReset> incoming;
  bool association = false;
  uint32_t outgoing_streams = 0;
  uint32_t incoming_streams = 0;
};

struct ReconfigRequester {
  ReconfigSn next_sn;  // RFC 6525 §4.1: begins with the initial TSN
  Boxed<ReconfigFlight> flight;
  // A request for a reset that the peer has, and will answer; it rests while ours for the peer is in flight.
  Boxed<ReconfigFlight> parked;
  ReconfigWishes wishes;
  HeldChunks held;  // which side of an SSN/TSN reset it belongs to is not known yet
  std::optional<Timestamp> last_association_reset;
};

// What the peer asked for, and what it was answered.
struct ReconfigResponder {
  struct Answer {
    ReconfigSn sn;
    ReconfigResult result;
    std::optional<NextTsns> next_tsns{};
    bool by_request = false;  // the Outgoing SSN Reset Request in flight is the answer (RFC 6525 §5.2.3 F1)
  };
  // RFC 6525 §5.2.2 E2: a reset that waits for earlier TSNs.
  struct Deferred {
    ReconfigSn sn;
    UnwrappedTsn last_assigned_tsn;
    std::vector<StreamId> streams;  // none: all
    HeldChunks held;
  };
  // RFC 6525 §5.2.3: streams of ours that the peer wants reset, until our request for it is answered.
  struct Asked {
    ReconfigSn sn;
    std::vector<StreamId> streams;  // none: all
    bool in_flight = false;
  };
  // The deferred reset that was performed last.
  struct Performed {
    Tsn last_assigned_tsn;
    std::vector<StreamId> streams;
  };

  ReconfigSn expected_sn;       // the peer's next one
  std::vector<Answer> answers;  // to the last RE-CONFIG with requests: at most two (RFC 6525 §3.1)
  Boxed<Deferred> deferred;
  Boxed<Asked> asked;
  Boxed<Performed> performed;
};

struct ReconfigState {
  explicit ReconfigState(const Agreement& agreement)
      : mine{.next_sn = ReconfigSn(agreement.my_initial_tsn.value),
             .flight = {},
             .parked = {},
             .wishes = {},
             .held = {},
             .last_association_reset = {}},
        peers{.expected_sn = ReconfigSn(agreement.peer_initial_tsn.value),
              .answers = {},
              .deferred = {},
              .asked = {},
              .performed = {}} {}

  size_t held_octets() const { return mine.held.octets() + (peers.deferred ? peers.deferred->held.octets() : 0); }

  ReconfigRequester mine;
  ReconfigResponder peers;
};

// Whether `streams`, which are all when none is listed, contain `stream`.
inline bool Lists(std::span<const StreamId> streams, StreamId stream) {
  return streams.empty() || std::ranges::find(streams, stream) != streams.end();
}

}  // namespace jsp::sctp
