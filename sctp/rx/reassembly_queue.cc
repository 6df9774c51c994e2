#include "sctp/rx/reassembly_queue.h"

#include <utility>
namespace jsp::sctp {

using Result = ReassemblyQueue::AddResult;

Result ReassemblyQueue::Add(UnwrappedTsn tsn, const DataChunk& chunk) {
  if (chunk.payload.empty()) return Result::kNoUserData;
  if (chunk.stream.value >= limits_.incoming_streams) return Result::kInvalidStream;
  // Unordered messages are always whole.
  const Delivery delivery = chunk.unordered ? Delivery::kWhole : DeliveryOf(chunk.stream);
  const size_t limit = delivery == Delivery::kPieces ? limits_.max_size_in_pieces : limits_.max_message_size;
  if (interleaved_) {
    switch (interleaved_->Add(chunk, limit, delivery)) {
      case InterleavedStreams::Result::kAccepted:
        return Result::kAccepted;
      case InterleavedStreams::Result::kMessageTooLarge:
        return Result::kMessageTooLarge;
      case InterleavedStreams::Result::kProtocolViolation:
        return Result::kProtocolViolation;
    }
  }
  return AddToAssembler(tsn, chunk, limit, delivery);
}

Result ReassemblyQueue::AddToAssembler(UnwrappedTsn tsn, const DataChunk& chunk, size_t max_message_size,
                                       Delivery delivery) {
  auto& [assembler, sequencer] = *plain_;
  auto assembled = assembler.Add(tsn, chunk, max_message_size);
  DeliverAborted();
  if (!assembled) {
    return assembled.error() == AssemblyError::kMessageTooLarge ? Result::kMessageTooLarge : Result::kProtocolViolation;
  }
  if (assembled->has_value()) {
    return sequencer.Add(std::move(**assembled)) ? Result::kAccepted : Result::kProtocolViolation;
  }
  if (delivery == Delivery::kPieces && sequencer.IsNext(chunk.stream, chunk.ssn)) {
    if (auto piece = assembler.TakePiece(tsn)) sequencer.DeliverPiece(std::move(*piece));
  }
  return Result::kAccepted;
}

void ReassemblyQueue::DeliverAborted() {
  for (Message& mark : plain_->assembler.TakeAborted()) plain_->sequencer.DeliverPiece(std::move(mark));
}

Delivery ReassemblyQueue::DeliveryOf(StreamId stream) const {
  if (deliveries_.empty()) return limits_.delivery;
  const auto found = deliveries_.find(stream.value);
  return found == deliveries_.end() ? limits_.delivery : found->second;
}

void ReassemblyQueue::SetDelivery(StreamId stream, Delivery delivery) {
  if (delivery == limits_.delivery) {
    deliveries_.erase(stream.value);
  } else {
    deliveries_.insert_or_assign(stream.value, delivery);
  }
  if (interleaved_ && delivery == Delivery::kPieces) interleaved_->HandOver(stream);
}

Result ReassemblyQueue::CheckProgress(UnwrappedTsn cumulative) {
  if (!plain_) return Result::kAccepted;
  const bool may_continue = plain_->assembler.CheckProgress(cumulative);
  DeliverAborted();
  return may_continue ? Result::kAccepted : Result::kProtocolViolation;
}

void ReassemblyQueue::HandleForwardTsn(UnwrappedTsn new_cumulative, const WireList<SkippedStream>& skipped) {
  if (!plain_) return;
  plain_->assembler.Skip(new_cumulative);
  DeliverAborted();
  for (const SkippedStream& skip : skipped) {
    if (skip.stream.value >= limits_.incoming_streams) continue;
    plain_->sequencer.Skip(skip.stream, skip.ssn);
  }
}

void ReassemblyQueue::HandleIForwardTsn(const WireList<SkippedMessages>& skipped) {
  using Order = InterleavedStreams::Order;
  if (!interleaved_) return;
  for (const SkippedMessages& skip : skipped) {
    if (skip.stream.value >= limits_.incoming_streams) continue;
    interleaved_->Skip(skip.stream, skip.is_unordered() ? Order::kUnordered : Order::kOrdered, skip.mid,
                       DeliveryOf(skip.stream));
  }
}

void ReassemblyQueue::ResetStreams(std::span<const StreamId> streams) {
  // The next user of a stream asks anew.
  if (streams.empty()) deliveries_.clear();
  for (StreamId stream : streams) deliveries_.erase(stream.value);
  if (interleaved_) {
    if (streams.empty()) interleaved_->ResetAll();
    for (StreamId stream : streams) interleaved_->Reset(stream);
    return;
  }
  plain_->assembler.ResetStreams(streams);
  DeliverAborted();
  if (streams.empty()) plain_->sequencer.ResetAll();
  for (StreamId stream : streams) plain_->sequencer.Reset(stream);
}

}  // namespace jsp::sctp
