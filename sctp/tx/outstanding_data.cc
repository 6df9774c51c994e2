#include "sctp/tx/outstanding_data.h"

#include <algorithm>

#include "base/check.h"
namespace jsp::sctp {
namespace {

// RFC 9260 §7.2.4: "a total of three missing reports".
constexpr uint8_t kMissesToLose = 3;
// RFC 6525 §5.2.4 G1 leaps by half the number space: what is further ahead than half of that is beyond the leap.
constexpr int64_t kBeyondLeap = int64_t{1} << 30;

// Calls `visit(first, last)` for every maximal run that is in `a` and not in `b`. Both ascend without overlap.
template <class Ranges, class Visit>
void ForEachDifference(const Ranges& a, const Ranges& b, Visit visit) {
  auto other = b.begin();
  for (const auto& [first, last] : a) {
    while (other != b.end() && other->second < first) ++other;
    UnwrappedTsn begin = first;
    for (auto overlap = other; overlap != b.end() && overlap->first <= last; ++overlap) {
      if (begin < overlap->first) visit(begin, UnwrappedTsn(overlap->first.DistanceFrom(UnwrappedTsn(1))));
      begin = overlap->second.Next();
    }
    if (begin <= last) visit(begin, last);
  }
}

template <class ForwardTsn>
size_t ItemsThatFit(size_t max_size) {
  return max_size < ForwardTsn::kHeaderSize ? 0 : (max_size - ForwardTsn::kHeaderSize) / ForwardTsn::kItemSize;
}

}  // namespace

OutstandingData::OutstandingData(Tsn initial_tsn, SendQueue& messages)
    : messages_(messages),
      // One cycle up, so that what lies before stays positive.
      first_(int64_t{initial_tsn.value} + (int64_t{1} << 32)),
      peer_ack_point_(Offset(first_, -1)),
      lost_floor_(first_),
      miss_floor_(first_) {}

UnwrappedTsn OutstandingData::Lift(Tsn tsn) const {
  const auto distance = static_cast<int32_t>(tsn.value - first_.Wrap().value);
  return Offset(first_, distance);
}

UnwrappedTsn OutstandingData::Add(const Fragment& fragment) {
  const UnwrappedTsn tsn = next_tsn();
  OutgoingMessage& message = messages_.message(fragment.message);
  Chunk chunk{.message = fragment.message,
              .offset = fragment.offset,
              .length = fragment.length,
              .begins = fragment.begins,
              .ends = fragment.ends,
              .fsn = fragment.fsn};
  if (mode_.framing == Framing::kIData) chunk.header_size = IDataChunk::kHeaderSize;
  Link(message, tsn, chunk);
  Push(chunk);
  flight_octets_ += ring_.back().size();
  flight_payload_ += fragment.length;
  return tsn;
}

void OutstandingData::Link(OutgoingMessage& message, UnwrappedTsn tsn, Chunk& chunk) {
  if (message.fragments > 0) chunk.to_previous = static_cast<uint32_t>(tsn.DistanceFrom(message.last_tsn));
  message.last_tsn = tsn;
  ++message.fragments;
  ++message.unacknowledged;
}

void OutstandingData::Push(const Chunk& chunk) {
  if (ring_.full()) ring_.set_capacity(ring_.capacity() == 0 ? 16 : ring_.capacity() * 2);
  ring_.push_back(chunk);
}

void OutstandingData::RestartAt(Tsn next_tsn) {
  JSP_CHECK(ring_.empty());
  // Onwards, so that an old TSN is never taken for a new one.
  first_ = Offset(first_, int64_t{static_cast<uint32_t>(next_tsn.value - first_.Wrap().value)});
  peer_ack_point_ = Offset(first_, -1);
  lost_floor_ = miss_floor_ = first_;
  acknowledged_.clear();
  mode_.leaps = true;
}

SackVerdict OutstandingData::Validate(const SackChunk& sack) const {
  const UnwrappedTsn cumulative = Lift(sack.cumulative_tsn_ack);
  if (cumulative.Next() < first_) return SackVerdict::kOutOfOrder;
  if (mode_.leaps && cumulative.DistanceFrom(first_) > kBeyondLeap) return SackVerdict::kOutOfOrder;
  if (cumulative >= next_tsn()) return SackVerdict::kAcksUnsent;
  const int64_t highest_offset = next_tsn().DistanceFrom(cumulative) - 1;
  uint16_t previous_end = 0;
  for (const GapAckBlock block : sack.gap_ack_blocks) {
    if (block.start <= previous_end || block.end < block.start) return SackVerdict::kMalformed;
    if (block.end > highest_offset) return SackVerdict::kAcksUnsent;
    previous_end = block.end;
  }
  return SackVerdict::kValid;
}

OutstandingData::AckResult OutstandingData::Apply(Timestamp now, const SackChunk& sack, RecoveryPhase phase) {
  AckResult result;
  const UnwrappedTsn cumulative = Lift(sack.cumulative_tsn_ack);
  AcknowledgeUpTo(cumulative, result);
  if (sack.gap_ack_blocks.empty() && acknowledged_.empty()) return result;
  AcknowledgeBlocks(cumulative, sack, result);
  if (acknowledged_.empty() || phase == RecoveryPhase::kReordering) return result;
  // RFC 9260 §7.2.4: normally only what is below the highest TSN newly acknowledged counts as missing; all that the
  // SACK reports missing while Fast Recovery makes progress, and when the peer took back what it had acknowledged.
  const bool count_all = (phase == RecoveryPhase::kFastRecovery && result.cumulative_advanced) || result.reneged;
  if (count_all) {
    CountMisses(now, acknowledged_.back().second, result);
  } else if (result.highest_newly_acknowledged) {
    CountMisses(now, *result.highest_newly_acknowledged, result);
  }
  return result;
}

OutstandingData::AckResult OutstandingData::ApplyCumulative(Tsn cumulative_tsn_ack) {
  AckResult result;
  AcknowledgeUpTo(Lift(cumulative_tsn_ack), result);
  return result;
}

void OutstandingData::SetState(Chunk& chunk, State state) {
  if (chunk.state == State::kInFlight) {
    flight_octets_ -= chunk.size();
    flight_payload_ -= chunk.length;
  }
  if (chunk.state == State::kLost) --lost_;
  chunk.state = state;
  if (state == State::kInFlight) {
    flight_octets_ += chunk.size();
    flight_payload_ += chunk.length;
  }
  if (state == State::kLost) ++lost_;
}

void OutstandingData::Acknowledge(UnwrappedTsn tsn, AckResult& result) {
  ++tsns_visited_;
  Chunk& chunk = ring_[Index(tsn)];
  if (chunk.state != State::kInFlight && chunk.state != State::kLost) return;
  NoteNewest(tsn, chunk, result);
  result.largest_acknowledged = std::max(result.largest_acknowledged, chunk.size());
  SetState(chunk, State::kAcknowledged);
  if (!chunk.credited) result.octets_acknowledged += chunk.size();
  chunk.credited = true;
  if (!result.highest_newly_acknowledged || *result.highest_newly_acknowledged < tsn) {
    result.highest_newly_acknowledged = tsn;
  }
}

void OutstandingData::NoteNewest(UnwrappedTsn tsn, const Chunk& chunk, AckResult& result) const {
  // `acknowledged_` is what SACKs before this one acknowledged.
  if (chunk.transmissions == 1 && !acknowledged_.empty() && tsn < acknowledged_.back().second) {
    result.out_of_order = true;
  }
  if (result.newest_transmission && static_cast<int32_t>(chunk.transmission - *result.newest_transmission) <= 0) return;
  result.newest_transmission = chunk.transmission;
  result.newest_was_repeated = chunk.transmissions > 1;
}

bool OutstandingData::IsInFlight(UnwrappedTsn tsn, uint32_t transmission) const {
  if (tsn < first_ || tsn >= next_tsn()) return false;
  const Chunk& chunk = ring_[Index(tsn)];
  return chunk.state == State::kInFlight && chunk.transmission == transmission;
}

std::optional<UnwrappedTsn> OutstandingData::LastRepeatable(Timestamp now) const {
  for (size_t i = ring_.size(); i > 0; --i) {
    const Chunk& chunk = ring_[i - 1];
    if (chunk.state == State::kInFlight && !IsPastLimits(now, chunk)) return At(i - 1);
  }
  return std::nullopt;
}

void OutstandingData::AcknowledgeUpTo(UnwrappedTsn cumulative, AckResult& result) {
  if (first_ > cumulative) return;
  result.cumulative_advanced = true;
  while (first_ <= cumulative) {
    Acknowledge(first_, result);
    PopFront();
  }
  lost_floor_ = std::max(lost_floor_, first_);
  miss_floor_ = std::max(miss_floor_, first_);
  // What is at or below the new ack point is no gap any more.
  size_t gone = 0;
  while (gone < acknowledged_.size() && acknowledged_[gone].second <= cumulative) ++gone;
  acknowledged_.erase(acknowledged_.begin(), acknowledged_.begin() + static_cast<std::ptrdiff_t>(gone));
  if (!acknowledged_.empty()) acknowledged_.front().first = std::max(acknowledged_.front().first, first_);
}

void OutstandingData::AcknowledgeBlocks(UnwrappedTsn cumulative, const SackChunk& sack, AckResult& result) {
  reported_.clear();
  for (const GapAckBlock block : sack.gap_ack_blocks) {
    reported_.emplace_back(Offset(cumulative, block.start), Offset(cumulative, block.end));
  }
  ForEachDifference(reported_, acknowledged_, [&](UnwrappedTsn first, UnwrappedTsn last) {
    for (UnwrappedTsn tsn = first; tsn <= last; tsn = tsn.Next()) Acknowledge(tsn, result);
  });
  // RFC 9260 §6.2.1 D iii: what was acknowledged by a gap block and is not any more may be missing.
  ForEachDifference(acknowledged_, reported_, [&](UnwrappedTsn first, UnwrappedTsn last) {
    for (UnwrappedTsn tsn = first; tsn <= last; tsn = tsn.Next()) {
      ++tsns_visited_;
      Chunk& chunk = ring_[Index(tsn)];
      if (chunk.state != State::kAcknowledged) continue;
      SetState(chunk, State::kInFlight);
      chunk.misses = 0;
      chunk.fast_retransmitted = false;
      miss_floor_ = std::min(miss_floor_, tsn);
      result.reneged = true;
    }
  });
  std::swap(acknowledged_, reported_);
}

void OutstandingData::CountMisses(Timestamp now, UnwrappedTsn limit, AckResult& result) {
  bool settled = true;  // so far, nothing that can collect another miss indication
  for (UnwrappedTsn tsn = miss_floor_; tsn < limit; tsn = tsn.Next()) {
    ++tsns_visited_;
    Chunk& chunk = ring_[Index(tsn)];
    if (chunk.state == State::kInFlight && !chunk.fast_retransmitted) {
      if (++chunk.misses >= kMissesToLose) {
        chunk.fast_retransmitted = true;
        ++result.newly_lost;
        result.octets_lost += chunk.size();
        MarkLost(now, tsn);
      } else {
        settled = false;
      }
    }
    if (settled) miss_floor_ = tsn.Next();
  }
}

bool OutstandingData::IsPastLimits(Timestamp now, const Chunk& chunk) const {
  if (mode_.reliability == Reliability::kFull) return false;
  const OutgoingMessage& message = messages_.message(chunk.message);
  const auto& max_retransmits = message.abandonment.max_retransmits;
  if (max_retransmits && chunk.transmissions > *max_retransmits) return true;
  return message.expires_at <= now;
}

void OutstandingData::MarkLost(Timestamp now, UnwrappedTsn tsn) {
  Chunk& chunk = ring_[Index(tsn)];
  if (chunk.state != State::kInFlight) return;
  if (IsPastLimits(now, chunk)) {
    AbandonMessage(chunk.message);
    return;
  }
  SetState(chunk, State::kLost);
  lost_floor_ = std::min(lost_floor_, tsn);
}

void OutstandingData::MarkAllLost(Timestamp now) {
  const UnwrappedTsn end = next_tsn();
  for (UnwrappedTsn tsn = first_; tsn < end; tsn = tsn.Next()) {
    ring_[Index(tsn)].misses = 0;
    ring_[Index(tsn)].fast_retransmitted = false;
    ring_[Index(tsn)].presumed_lost = ring_[Index(tsn)].state == State::kInFlight;
    MarkLost(now, tsn);
  }
  miss_floor_ = first_;
}

void OutstandingData::RestorePresumedLost() {
  for (Chunk& chunk : ring_) {
    if (chunk.state == State::kLost && chunk.presumed_lost) SetState(chunk, State::kInFlight);
  }
  miss_floor_ = first_;
}

std::optional<UnwrappedTsn> OutstandingData::NextLost(Timestamp now) {
  while (lost_ > 0) {
    while (ring_[Index(lost_floor_)].state != State::kLost) lost_floor_ = lost_floor_.Next();
    const Chunk& chunk = ring_[Index(lost_floor_)];
    // RFC 3758 §4.1: the lifetime is looked at before every transmission.
    if (mode_.reliability == Reliability::kFull || messages_.message(chunk.message).expires_at > now)
      return lost_floor_;
    AbandonMessage(chunk.message);
  }
  return std::nullopt;
}

void OutstandingData::MarkRetransmitted(UnwrappedTsn tsn) {
  Chunk& chunk = ring_[Index(tsn)];
  SetState(chunk, State::kInFlight);
  chunk.misses = 0;
  chunk.presumed_lost = false;
  if (!chunk.fast_retransmitted) miss_floor_ = std::min(miss_floor_, tsn);
  if (chunk.transmissions < UINT16_MAX) ++chunk.transmissions;
}

void OutstandingData::AbandonMessage(MessageHandle handle) {
  OutgoingMessage& message = messages_.message(handle);
  if (message.abandoned) return;
  const bool has_rest = messages_.DropRest(handle);
  messages_.NoteAbandoned(handle);
  for (MessageHandle piece = handle; piece != kNoMessage; piece = messages_.message(piece).pieces.before) {
    AbandonFragments(piece);
  }
  for (MessageHandle piece = message.pieces.after; piece != kNoMessage; piece = messages_.message(piece).pieces.after) {
    AbandonFragments(piece);
  }
  if (!has_rest) return;
  // The peer may have all fragments that were sent and wait for the others. One more TSN, never sent, lets a FORWARD
  // TSN name the message.
  Chunk rest{.message = handle,
             .offset = 0,
             .length = 0,
             .transmissions = 0,
             .state = State::kAbandoned,
             .begins = false,
             .ends = true};
  Link(message, next_tsn(), rest);
  Push(rest);
}

void OutstandingData::AbandonFragments(MessageHandle handle) {
  OutgoingMessage& message = messages_.message(handle);
  message.abandoned = true;
  messages_.DropPayload(handle);
  for (UnwrappedTsn tsn = message.last_tsn; message.fragments > 0 && tsn >= first_;) {
    Chunk& chunk = ring_[Index(tsn)];
    SetState(chunk, State::kAbandoned);
    if (chunk.to_previous == 0) break;
    tsn = Offset(tsn, -int64_t{chunk.to_previous});
  }
}

bool OutstandingData::AdvancePeerAckPoint() {
  peer_ack_point_ = std::max(peer_ack_point_, Offset(first_, -1));
  while (peer_ack_point_.Next() < next_tsn() && ring_[Index(peer_ack_point_.Next())].state == State::kAbandoned) {
    peer_ack_point_ = peer_ack_point_.Next();
    NoteSkipped(peer_ack_point_, SIZE_MAX);
  }
  return peer_ack_point_ >= first_;
}

// False when that would be one stream too many.
bool OutstandingData::NoteSkipped(UnwrappedTsn tsn, size_t max_items) {
  ++tsns_visited_;
  const OutgoingMessage& message = messages_.message(ring_[Index(tsn)].message);
  // Without message identifiers there is nothing to say about unordered messages.
  if (message.unordered && mode_.framing == Framing::kData) return true;
  const uint16_t flags = message.unordered ? SkippedMessages::kUnordered : uint16_t{0};
  return skipped_.Note(tsn, {message.message.stream, flags, message.mid}, max_items);
}

// RFC 3758 §3.5 C4: what does not fit waits for the next FORWARD TSN, with the TSNs from there on.
void OutstandingData::LimitSkipped(size_t max_items) {
  skipped_.ForgetBelow(first_);
  if (skipped_.size() <= max_items) return;
  skipped_.Clear();
  for (UnwrappedTsn tsn = first_; tsn <= peer_ack_point_; tsn = tsn.Next()) {
    if (!NoteSkipped(tsn, max_items)) peer_ack_point_ = Offset(tsn, -1);
  }
}

ForwardTsnChunk OutstandingData::BuildForwardTsn(size_t max_size) {
  LimitSkipped(ItemsThatFit<ForwardTsnChunk>(max_size));
  return {peer_ack_point_.Wrap(), skipped_.Streams()};
}

IForwardTsnChunk OutstandingData::BuildIForwardTsn(size_t max_size) {
  LimitSkipped(ItemsThatFit<IForwardTsnChunk>(max_size));
  return {peer_ack_point_.Wrap(), skipped_.Messages()};
}

bool OutstandingData::IsAcknowledged(UnwrappedTsn tsn) const {
  return tsn < first_ || (tsn < next_tsn() && at(tsn).state == State::kAcknowledged);
}

void OutstandingData::PopFront() {
  const MessageHandle handle = ring_.front().message;
  ring_.pop_front();
  first_ = first_.Next();
  OutgoingMessage& message = messages_.message(handle);
  if (--message.unacknowledged == 0 && message.IsFragmentedWhole()) messages_.Release(handle);
}

bool OutstandingData::IsConsistent() const {
  size_t octets = 0;
  size_t payload = 0;
  size_t lost = 0;
  for (size_t i = 0; i < ring_.size(); ++i) {
    const Chunk& chunk = ring_[i];
    if (chunk.state == State::kInFlight) {
      octets += chunk.size();
      payload += chunk.length;
    }
    if (chunk.state == State::kLost) {
      ++lost;
      if (At(i) < lost_floor_) return false;
    }
    if (chunk.state == State::kInFlight && !chunk.fast_retransmitted && At(i) < miss_floor_) return false;
    const OutgoingMessage& message = messages_.message(chunk.message);
    if (message.abandoned != (chunk.state == State::kAbandoned)) return false;
    // RFC 3758 §3.5 A3: a message is abandoned with all its pieces, and no payload is kept of it.
    if (message.abandoned && message.size() > 0) return false;
    const MessageHandle after = message.pieces.after;
    if (after == kNoMessage) continue;
    const OutgoingMessage& next = messages_.message(after);
    if (next.pieces.before != chunk.message || next.abandoned != message.abandoned) return false;
    if (next.fragments > 0 && next.mid != message.mid) return false;
  }
  return octets == flight_octets_ && payload == flight_payload_ && lost == lost_;
}

}  // namespace jsp::sctp
