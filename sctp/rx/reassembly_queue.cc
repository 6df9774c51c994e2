#include "sctp/rx/reassembly_queue.h"

#include <utility>
namespace jsp::sctp {

using Result = ReassemblyQueue::AddResult;

Result ReassemblyQueue::Add(UnwrappedTsn tsn, const DataChunk& chunk) {
  if (chunk.payload.empty()) return Result::kNoUserData;
  if (chunk.stream.value >= limits_.incoming_streams) return Result::kInvalidStream;
  if (IsInterleaved()) {
    switch (interleaved_.Add(chunk, limits_.max_message_size)) {
      case InterleavedStreams::Result::kAccepted:
        return Result::kAccepted;
      case InterleavedStreams::Result::kMessageTooLarge:
        return Result::kMessageTooLarge;
      case InterleavedStreams::Result::kProtocolViolation:
        return Result::kProtocolViolation;
    }
  }
  auto assembled = assembler_.Add(tsn, chunk, limits_.max_message_size);
  if (!assembled) {
    return assembled.error() == AssemblyError::kMessageTooLarge ? Result::kMessageTooLarge : Result::kProtocolViolation;
  }
  if (!assembled->has_value()) return Result::kAccepted;
  return sequencer_.Add(std::move(**assembled)) ? Result::kAccepted : Result::kProtocolViolation;
}

Result ReassemblyQueue::CheckProgress(UnwrappedTsn cumulative) {
  return assembler_.CheckProgress(cumulative) ? Result::kAccepted : Result::kProtocolViolation;
}

Result ReassemblyQueue::HandleForwardTsn(UnwrappedTsn new_cumulative, const WireList<SkippedStream>& skipped) {
  assembler_.Skip(new_cumulative);
  for (const SkippedStream& skip : skipped) {
    if (skip.stream.value >= limits_.incoming_streams) continue;
    if (!sequencer_.Skip(skip.stream, skip.ssn)) return Result::kProtocolViolation;
  }
  return Result::kAccepted;
}

void ReassemblyQueue::HandleIForwardTsn(const WireList<SkippedMessages>& skipped) {
  using Order = InterleavedStreams::Order;
  for (const SkippedMessages& skip : skipped) {
    if (skip.stream.value >= limits_.incoming_streams) continue;
    interleaved_.Skip(skip.stream, skip.is_unordered() ? Order::kUnordered : Order::kOrdered, skip.mid);
  }
}

void ReassemblyQueue::ResetStreams(std::span<const StreamId> streams) {
  if (IsInterleaved()) {
    if (streams.empty()) interleaved_.ResetAll();
    for (StreamId stream : streams) interleaved_.Reset(stream);
    return;
  }
  if (streams.empty()) sequencer_.ResetAll();
  for (StreamId stream : streams) sequencer_.Reset(stream);
}

}  // namespace jsp::sctp
