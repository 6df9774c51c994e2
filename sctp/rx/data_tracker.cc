#include "sctp/rx/data_tracker.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
namespace jsp::sctp {
namespace {

constexpr size_t kBitsPerWord = 64;
constexpr size_t kRingBits = 1 << 16;
constexpr size_t kWords = kRingBits / kBitsPerWord;
static_assert(DataTracker::kMaxDistance < static_cast<int64_t>(kRingBits));

// Unwrapped TSNs start one cycle up, so that numbers below the first one stay positive.
constexpr int64_t kTsnCycle = int64_t{1} << 32;

size_t RingIndex(UnwrappedTsn tsn) { return tsn.Wrap().value % kRingBits; }
UnwrappedTsn Plus(UnwrappedTsn tsn, int64_t distance) {
  return UnwrappedTsn(tsn.DistanceFrom(UnwrappedTsn(0)) + distance);
}

}  // namespace

DataTracker::DataTracker(Tsn peer_initial_tsn)
    : cumulative_(int64_t{peer_initial_tsn.value} + kTsnCycle - 1), highest_(cumulative_) {}

UnwrappedTsn DataTracker::Unwrap(Tsn tsn) const {
  const auto forward = static_cast<int32_t>(tsn.value - cumulative_.Wrap().value);
  return Plus(cumulative_, forward);
}

Arrival DataTracker::Classify(UnwrappedTsn tsn) const {
  const int64_t distance = tsn.DistanceFrom(cumulative_);
  if (distance <= 0) return Arrival::kDuplicate;
  if (distance == 1) return Arrival::kNext;
  if (distance > kMaxDistance) return Arrival::kTooFar;
  if (tsn > highest_) return Arrival::kAhead;
  const size_t bit = RingIndex(tsn);
  const bool received = (received_[bit / kBitsPerWord] >> (bit % kBitsPerWord) & 1) != 0;
  return received ? Arrival::kDuplicate : Arrival::kFillsGap;
}

Arrival DataTracker::Observe(UnwrappedTsn tsn, AckRequest request) {
  const Arrival arrival = Classify(tsn);
  if (arrival == Arrival::kTooFar) return arrival;
  packet_has_data_ = true;
  if (request == AckRequest::kImmediate) packet_forces_sack_ = true;
  if (arrival == Arrival::kDuplicate) {
    // RFC 9260 §6.2: at once, as the last SACK was lost or late; its number goes into the list, as long as there is
    // room.
    packet_forces_sack_ = true;
    duplicates_.reserve(kMaxDuplicates);
    if (duplicates_.size() < kMaxDuplicates) duplicates_.push_back(tsn.Wrap());
    return arrival;
  }
  // RFC 9260 §6.7: at once while there is a gap, and (RFC 5681 §4.2) when one is filled.
  if (has_gaps() || arrival != Arrival::kNext) packet_forces_sack_ = true;
  if (arrival == Arrival::kNext) {
    MoveTo(tsn);
  } else {
    Mark(tsn);
  }
  return arrival;
}

bool DataTracker::HandleForwardTsn(UnwrappedTsn new_cumulative) {
  const int64_t distance = new_cumulative.DistanceFrom(cumulative_);
  if (distance > kMaxDistance) return false;
  packet_has_data_ = true;
  if (distance <= 0) {
    // RFC 3758 §3.6: an old one "may indicate the previous SACK was lost in the network", so it is answered at once.
    packet_forces_sack_ = true;
    return false;
  }
  if (has_gaps()) packet_forces_sack_ = true;
  MoveTo(new_cumulative);
  return true;
}

void DataTracker::RequestSack() { sack_now_ = true; }

SackDecision DataTracker::HandlePacketEnd() {
  if (!packet_has_data_) return sack_now_ ? SackDecision::kNow : SackDecision::kNone;
  ++unacknowledged_packets_;
  // RFC 9260 §6.2: "an acknowledgement SHOULD be generated for at least every second packet".
  if (packet_forces_sack_ || unacknowledged_packets_ >= 2) sack_now_ = true;
  packet_has_data_ = false;
  packet_forces_sack_ = false;
  return sack_now_ ? SackDecision::kNow : SackDecision::kDelayed;
}

void DataTracker::HandleDelayedAckTimeout() {
  if (unacknowledged_packets_ > 0) sack_now_ = true;
}

SackChunk DataTracker::MakeSack(uint32_t a_rwnd, size_t max_size) {
  JSP_DCHECK(max_size >= SackChunk::kHeaderSize);
  const size_t room = (std::max(max_size, SackChunk::kHeaderSize) - SackChunk::kHeaderSize) / SackChunk::kItemSize;
  gap_blocks_.clear();
  UnwrappedTsn from = cumulative_;
  while (from < highest_ && gap_blocks_.size() < std::min(room, kMaxGapAckBlocks)) {
    const UnwrappedTsn start = NextReceived(from.Next());
    const UnwrappedTsn after = NextMissing(start);
    gap_blocks_.push_back({static_cast<uint16_t>(start.DistanceFrom(cumulative_)),
                           static_cast<uint16_t>(after.DistanceFrom(cumulative_) - 1)});
    from = after;
  }
  const size_t duplicates = std::min(duplicates_.size(), room - gap_blocks_.size());
  return SackChunk{cumulative_.Wrap(), a_rwnd, std::span<const GapAckBlock>(gap_blocks_),
                   std::span<const Tsn>(duplicates_).first(duplicates)};
}

void DataTracker::HandleSackSent() {
  duplicates_.clear();
  unacknowledged_packets_ = 0;
  sack_now_ = false;
}

void DataTracker::Mark(UnwrappedTsn tsn) {
  if (received_.empty()) received_.resize(kWords);
  const size_t bit = RingIndex(tsn);
  received_[bit / kBitsPerWord] |= uint64_t{1} << (bit % kBitsPerWord);
  highest_ = std::max(highest_, tsn);
}

// Moves the Cumulative TSN Ack to `cumulative`, which is received or skipped, and on over what was received after it.
void DataTracker::MoveTo(UnwrappedTsn cumulative) {
  if (!has_gaps()) {
    cumulative_ = highest_ = cumulative;
    return;
  }
  // Clear (cumulative_, cumulative], a word at a time where it is whole.
  for (UnwrappedTsn tsn = cumulative_.Next(); tsn <= cumulative;) {
    const size_t bit = RingIndex(tsn);
    const size_t in_word = bit % kBitsPerWord;
    const int64_t left = cumulative.DistanceFrom(tsn) + 1;
    if (in_word == 0 && left >= static_cast<int64_t>(kBitsPerWord)) {
      received_[bit / kBitsPerWord] = 0;
      tsn = Plus(tsn, kBitsPerWord);
    } else {
      received_[bit / kBitsPerWord] &= ~(uint64_t{1} << in_word);
      tsn = tsn.Next();
    }
  }
  cumulative_ = cumulative;
  if (highest_ <= cumulative_) {
    highest_ = cumulative_;
    return;
  }
  AdvanceOverReceived();
}

void DataTracker::AdvanceOverReceived() {
  for (UnwrappedTsn next = cumulative_.Next(); next <= highest_; next = next.Next()) {
    const size_t bit = RingIndex(next);
    uint64_t& word = received_[bit / kBitsPerWord];
    const uint64_t mask = uint64_t{1} << (bit % kBitsPerWord);
    if ((word & mask) == 0) return;
    word &= ~mask;
    cumulative_ = next;
  }
}

// The first TSN at or after `from` that was received. There is one: from <= highest_.
UnwrappedTsn DataTracker::NextReceived(UnwrappedTsn from) const {
  while (true) {
    const size_t bit = RingIndex(from);
    const uint64_t word = received_[bit / kBitsPerWord] >> (bit % kBitsPerWord);
    if (word != 0) return Plus(from, std::countr_zero(word));
    from = Plus(from, static_cast<int64_t>(kBitsPerWord - bit % kBitsPerWord));
  }
}

// The first TSN at or after `from` that was not received. There is one: bits above highest_ and that of cumulative_ are
// 0.
UnwrappedTsn DataTracker::NextMissing(UnwrappedTsn from) const {
  while (true) {
    const size_t bit = RingIndex(from);
    const size_t left = kBitsPerWord - bit % kBitsPerWord;
    const auto ones = static_cast<size_t>(std::countr_one(received_[bit / kBitsPerWord] >> (bit % kBitsPerWord)));
    if (ones < left) return Plus(from, static_cast<int64_t>(ones));
    from = Plus(from, static_cast<int64_t>(left));
  }
}

bool DataTracker::IsConsistent() const {
  if (highest_ < cumulative_ || highest_.DistanceFrom(cumulative_) > kMaxDistance) return false;
  if (duplicates_.size() > kMaxDuplicates || gap_blocks_.size() > kMaxGapAckBlocks) return false;
  if (received_.empty()) return !has_gaps();
  // Exactly the TSNs in (cumulative_, highest_] may be set; the first of them is missing, the last is received.
  for (int64_t distance = 0; distance <= kMaxDistance; ++distance) {
    const UnwrappedTsn tsn = Plus(cumulative_, distance);
    const size_t bit = RingIndex(tsn);
    const bool set = (received_[bit / kBitsPerWord] >> (bit % kBitsPerWord) & 1) != 0;
    if (set && (distance <= 1 || tsn > highest_)) return false;
    if (!set && tsn == highest_ && has_gaps()) return false;
  }
  return true;
}

}  // namespace jsp::sctp
