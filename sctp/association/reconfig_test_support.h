// What the tests of RFC 6525 share: RE-CONFIG chunks that the peer sends, and what the core's say.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sctp/packet/chunk/reconfig.h"
#include "sctp/packet/parameter/add_incoming_streams.h"
#include "sctp/packet/parameter/add_outgoing_streams.h"
#include "sctp/packet/parameter/incoming_ssn_reset_request.h"
#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/reconfig_response.h"
#include "sctp/packet/parameter/ssn_tsn_reset_request.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {

inline Tsn Plus(Tsn tsn, uint32_t n) { return Tsn(tsn.value + n); }

template <class Parameter>
struct Reconfig {
  Parameter parameter;
  size_t Size() const { return kTlvHeaderSize + parameter.Size(); }
  void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, ChunkType::kReconfig, 0, Size());
    parameter.Write(writer);
  }
};
template <class First, class Second>
struct ReconfigPair {
  First first;
  Second second;
  size_t Size() const { return kTlvHeaderSize + PaddedSize(first.Size()) + second.Size(); }
  void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, ChunkType::kReconfig, 0, Size());
    first.Write(writer);
    writer.Pad4();
    second.Write(writer);
  }
};

// All parameters of one type in the RE-CONFIG chunks of `packets`.
template <class Parameter>
std::vector<Parameter> ParametersOf(const std::vector<SentPacket>& packets) {
  std::vector<Parameter> result;
  for (const ReconfigChunk& chunk : ChunksOf<ReconfigChunk>(packets)) {
    for (const ParameterView view : chunk.parameters) {
      if (const auto parsed = Parameter::Parse(view)) result.push_back(*parsed);
    }
  }
  return result;
}

inline std::vector<ReconfigResult> ResultsOf(const std::vector<SentPacket>& packets) {
  std::vector<ReconfigResult> results;
  for (const ReconfigResponse& response : ParametersOf<ReconfigResponse>(packets)) results.push_back(response.result());
  return results;
}
using Results = std::vector<ReconfigResult>;

inline Reconfig<ReconfigResponse> Respond(ReconfigSn sn, ReconfigResult result) {
  return {{.response_sn = sn, .result_code = static_cast<uint32_t>(result), .next_tsns = {}}};
}

inline std::vector<StreamId> List(const WireList<StreamId>& streams) { return {streams.begin(), streams.end()}; }
inline const std::array<StreamId, 1> kOne{StreamId(1)};
inline const std::array<StreamId, 2> kOneAndTwo{StreamId(1), StreamId(2)};

// The peer's request to reset its streams, with the sequence number `ahead` of its first one.
inline Reconfig<OutgoingSsnResetRequest> Reset(const ScriptedPeer& peer, uint32_t ahead, Tsn last_assigned,
                                               std::span<const StreamId> streams) {
  return {{.request_sn = ReconfigSn(peer.config.initial_tsn.value + ahead),
           .response_sn = ReconfigSn(peer.core_initial_tsn.value - 1),
           .last_assigned_tsn = last_assigned,
           .streams = streams}};
}

// The number of the request that is `ahead` of the first one: the core's, and the peer's.
inline ReconfigSn CoreSn(const ScriptedPeer& peer, uint32_t ahead = 0) {
  return ReconfigSn(peer.core_initial_tsn.value + ahead);
}
inline ReconfigSn PeerSn(const ScriptedPeer& peer, uint32_t ahead = 0) {
  return ReconfigSn(peer.config.initial_tsn.value + ahead);
}

}  // namespace jsp::sctp
