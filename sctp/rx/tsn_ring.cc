#include "sctp/rx/tsn_ring.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
namespace jsp::sctp {

size_t TsnRing::IndexOf(UnwrappedTsn tsn) const {
  return static_cast<size_t>(tsn.DistanceFrom(UnwrappedTsn(0))) & (slots_.size() - 1);
}

void TsnRing::Insert(UnwrappedTsn tsn, Id id) {
  JSP_CHECK(MakeRoom(tsn));
  const size_t index = IndexOf(tsn);
  JSP_DCHECK(!IsSet(index));
  slots_[index] = id;
  SetBit(index);
  ++count_;
}

bool TsnRing::MakeRoom(UnwrappedTsn tsn) {
  if (count_ == 0) {
    low_ = high_ = tsn;
    if (slots_.empty()) Resize(kMinCapacity);
    return true;
  }
  if (tsn > high_ && static_cast<size_t>(tsn.DistanceFrom(low_)) >= slots_.size()) low_ = *Lowest();
  const UnwrappedTsn low = std::min(low_, tsn);
  const UnwrappedTsn high = std::max(high_, tsn);
  const auto span = static_cast<size_t>(high.DistanceFrom(low)) + 1;
  if (span > kMaxSpan) return false;
  if (span > slots_.size()) Resize(std::bit_ceil(span));
  low_ = low;
  high_ = high;
  return true;
}

// Those in use move to their new slots.
void TsnRing::Resize(size_t capacity) {
  std::vector<std::pair<UnwrappedTsn, Id>> in_use;
  in_use.reserve(count_);
  for (auto tsn = Lowest(); tsn; tsn = Next(tsn->Next())) in_use.emplace_back(*tsn, slots_[IndexOf(*tsn)]);
  slots_.assign(capacity, 0);
  used_.assign(capacity / kBits, 0);
  summary_.assign((used_.size() + kBits - 1) / kBits, 0);
  for (const auto& [tsn, id] : in_use) {
    slots_[IndexOf(tsn)] = id;
    SetBit(IndexOf(tsn));
  }
}

void TsnRing::SetBit(size_t index) {
  const size_t word = index / kBits;
  used_[word] |= uint64_t{1} << (index % kBits);
  summary_[word / kBits] |= uint64_t{1} << (word % kBits);
}

void TsnRing::Erase(UnwrappedTsn tsn) {
  const size_t index = IndexOf(tsn);
  JSP_DCHECK(Find(tsn).has_value());
  const size_t word = index / kBits;
  used_[word] &= ~(uint64_t{1} << (index % kBits));
  if (used_[word] == 0) summary_[word / kBits] &= ~(uint64_t{1} << (word % kBits));
  --count_;
}

std::optional<TsnRing::Id> TsnRing::Find(UnwrappedTsn tsn) const {
  if (count_ == 0 || tsn < low_ || tsn > high_) return std::nullopt;
  const size_t index = IndexOf(tsn);
  return IsSet(index) ? std::optional(slots_[index]) : std::nullopt;
}

std::optional<UnwrappedTsn> TsnRing::Next(UnwrappedTsn from) const {
  if (count_ == 0 || from > high_) return std::nullopt;
  const UnwrappedTsn start = std::max(from, low_);
  const size_t index = IndexOf(start);
  auto found = NextIndex(index);
  if (!found) found = NextIndex(0);  // around the end of the ring
  if (!found) return std::nullopt;
  const size_t ahead = (*found - index) & (slots_.size() - 1);
  const UnwrappedTsn tsn(start.DistanceFrom(UnwrappedTsn(0)) + static_cast<int64_t>(ahead));
  return tsn <= high_ ? std::optional(tsn) : std::nullopt;
}

// The first slot in use at or behind `from`, up to the end of the ring.
std::optional<size_t> TsnRing::NextIndex(size_t from) const {
  size_t word = from / kBits;
  if (const uint64_t rest = used_[word] >> (from % kBits); rest != 0) {
    return from + static_cast<size_t>(std::countr_zero(rest));
  }
  if (++word == used_.size()) return std::nullopt;
  size_t at = word / kBits;
  uint64_t words = summary_[at] >> (word % kBits) << (word % kBits);
  while (words == 0) {
    if (++at == summary_.size()) return std::nullopt;
    words = summary_[at];
  }
  word = at * kBits + static_cast<size_t>(std::countr_zero(words));
  return word * kBits + static_cast<size_t>(std::countr_zero(used_[word]));
}

void TsnRing::Trim() {
  if (count_ == 0) *this = {};
}

bool TsnRing::IsConsistent() const {
  size_t bits = 0;
  for (size_t word = 0; word < used_.size(); ++word) {
    bits += static_cast<size_t>(std::popcount(used_[word]));
    const bool noted = (summary_[word / kBits] >> (word % kBits) & 1) != 0;
    if (noted != (used_[word] != 0)) return false;
  }
  size_t in_order = 0;
  for (auto tsn = Lowest(); tsn; tsn = Next(tsn->Next())) ++in_order;
  return bits == count_ && in_order == count_ && slots_.size() <= kMaxSpan;
}

}  // namespace jsp::sctp
