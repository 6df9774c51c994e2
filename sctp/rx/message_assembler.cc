#include "sctp/rx/message_assembler.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
namespace jsp::sctp {

Expected<std::optional<AssembledMessage>, AssemblyError> MessageAssembler::Add(UnwrappedTsn tsn, const DataChunk& chunk,
                                                                               size_t max_message_size) {
  const size_t limit = max_message_size == 0 ? SIZE_MAX : max_message_size;
  if (orphan_next_ == tsn && DropIfOrphan(tsn, chunk)) return std::nullopt;
  Neighbours at = FindNeighbours(tsn);
  if (!Fits(at, chunk)) return Unexpected(AssemblyError::kProtocolViolation);
  const bool joins_before = at.before != runs_.end() && !chunk.beginning;
  const bool joins_after = at.after != runs_.end() && !chunk.end;
  size_t size = chunk.payload.size();
  if (joins_before) size += at.before->second.delivered + at.before->second.size;
  if (joins_after) size += at.after->second.size;
  if (size > limit) return Unexpected(AssemblyError::kMessageTooLarge);

  if (chunk.beginning && chunk.end) {
    Message whole{chunk.stream, chunk.ppid, Payload(pool_, chunk.payload)};
    return AssembledMessage{std::move(whole), tsn, chunk.ssn, chunk.unordered};
  }
  auto run = at.before;
  if (joins_before) {
    Append(run->second, chunk);
    if (joins_after) Absorb(run->second, at.after);
  } else if (joins_after) {
    run = Prepend(at.after, tsn, chunk);
  } else {
    run = StartRun(tsn, chunk, limit);
  }
  latest_ = run;
  if (run->second.has_beginning && run->second.has_end) return Complete(run);
  return std::nullopt;
}

bool MessageAssembler::CheckProgress(UnwrappedTsn cumulative) {
  if (runs_.empty()) return true;
  const auto oldest = runs_.begin();
  const Run& run = oldest->second;
  // Everything up to `cumulative` is here. So what comes before the first run has come and was not its beginning, or
  // what follows it has come and was not its continuation.
  const bool headless = oldest->first <= cumulative && !run.has_beginning;
  const bool cut_off = run.last < cumulative;
  if (!headless && !cut_off) return true;
  if (!forwarded_to_ || oldest->first > *forwarded_to_) return false;
  Drop(oldest);  // a message that the peer skipped in its middle
  return true;
}

void MessageAssembler::Skip(UnwrappedTsn new_cumulative) {
  forwarded_to_ = new_cumulative;
  orphan_next_ = new_cumulative.Next();
  for (auto run = runs_.begin(); run != runs_.end() && run->first <= new_cumulative;) {
    const auto following = std::next(run);
    const Run& it = run->second;
    if (it.has_beginning && it.last >= new_cumulative) {
      orphan_next_.reset();  // misses nothing up to `new_cumulative`: it stays
    } else {
      if (it.last > new_cumulative) {
        orphan_next_ = it.has_end ? std::nullopt : std::optional(it.last.Next());
      }
      Drop(run);
    }
    run = following;
  }
  DropOrphanRuns();
}

// True when the chunk is the rest of a message that FORWARD TSN skipped; RFC 3758 §3.6 has us remove such a message.
bool MessageAssembler::DropIfOrphan(UnwrappedTsn tsn, const DataChunk& chunk) {
  orphan_next_.reset();
  if (chunk.beginning) return false;
  ++dropped_fragments_;
  if (!chunk.end) orphan_next_ = tsn.Next();
  DropOrphanRuns();
  return true;
}

void MessageAssembler::DropOrphanRuns() {
  if (!orphan_next_) return;
  const auto run = runs_.find(*orphan_next_);
  if (run == runs_.end()) return;
  orphan_next_.reset();
  if (run->second.has_beginning) return;
  if (!run->second.has_end) orphan_next_ = run->second.last.Next();
  Drop(run);
}

MessageAssembler::Neighbours MessageAssembler::FindNeighbours(UnwrappedTsn tsn) {
  Neighbours at{runs_.end(), runs_.end()};
  if (runs_.empty()) return at;
  Runs::iterator above;
  if (latest_ && (*latest_)->second.last.Next() == tsn) {
    at.before = *latest_;
    above = std::next(*latest_);
  } else {
    above = runs_.lower_bound(tsn);
    if (above != runs_.begin()) {
      const auto below = std::prev(above);
      JSP_DCHECK(below->second.last < tsn);
      if (below->second.last.Next() == tsn) at.before = below;
    }
  }
  if (above != runs_.end() && above->first == tsn.Next()) at.after = above;
  return at;
}

bool MessageAssembler::BelongsTo(const Run& run, const DataChunk& chunk) {
  // Not its PPID: "This identifier is not used by SCTP" (RFC 9260 §3.3.1). The first fragment's is the message's.
  return run.stream == chunk.stream && run.unordered == chunk.unordered && (run.unordered || run.ssn == chunk.ssn);
}

// RFC 9260 §6.9: B and E bits and the message's numbers agree with what is beside the chunk. A message that FORWARD TSN
// cut at its end gives way.
bool MessageAssembler::Fits(Neighbours& neighbours, const DataChunk& chunk) {
  const auto before = neighbours.before;
  const auto after = neighbours.after;
  if (after != runs_.end()) {
    if (chunk.end != after->second.has_beginning) return false;
    if (!chunk.end && !BelongsTo(after->second, chunk)) return false;
  }
  if (before == runs_.end()) return true;
  if (chunk.beginning == before->second.has_end) return chunk.beginning || BelongsTo(before->second, chunk);
  if (!chunk.beginning || !forwarded_to_ || before->first > *forwarded_to_) return false;
  Drop(before);
  neighbours.before = runs_.end();
  return true;
}

MessageAssembler::Runs::iterator MessageAssembler::StartRun(UnwrappedTsn tsn, const DataChunk& chunk, size_t limit) {
  // Only what a message that did arrive has needed, and for one message at a time: never by a claim of the peer.
  const bool alone = runs_.empty() && chunk.beginning;
  Run run{.last = tsn,
          .stream = chunk.stream,
          .ssn = chunk.ssn,
          .ppid = chunk.ppid,
          .unordered = chunk.unordered,
          .has_beginning = chunk.beginning,
          .has_end = chunk.end,
          .size = 0,
          .payload = Payload(pool_),
          .more = PoolList<Payload>(PoolAllocator<Payload>(pool_)),
          .delivered = 0};
  const auto started = runs_.emplace(tsn, std::move(run)).first;
  Payload& payload = started->second.payload;
  if (alone) payload.reserve(std::max(chunk.payload.size(), std::min(usual_size_, limit)));
  payload.append(chunk.payload);
  started->second.size = payload.size();
  buffered_bytes_ += Charge(started->second);
  return started;
}

void MessageAssembler::Append(Run& run, const DataChunk& chunk) {
  const size_t size = chunk.payload.size();
  auto* piece = run.more.empty() ? &run.payload : &run.more.back();
  if (piece->capacity() - piece->size() < size) {
    if (!piece->empty()) {
      // Another piece, not a larger one: what is there stays where it is, and is copied once, into the whole message.
      piece = &run.more.emplace_back(pool_);
      buffered_bytes_ += kPieceOverhead;
    }
    piece->reserve(std::max(size, std::min(run.size, kMaxPieceReserve)));
  }
  piece->append(chunk.payload);
  run.last = run.last.Next();
  run.has_end = chunk.end;
  run.size += size;
  buffered_bytes_ += size;
}

MessageAssembler::Runs::iterator MessageAssembler::Prepend(Runs::iterator run, UnwrappedTsn tsn,
                                                           const DataChunk& chunk) {
  if (latest_ == run) latest_.reset();
  Run grown = std::move(run->second);
  runs_.erase(run);
  grown.more.push_front(std::move(grown.payload));
  grown.payload = Payload(pool_, chunk.payload);
  grown.has_beginning = chunk.beginning;
  grown.ppid = chunk.ppid;
  grown.size += chunk.payload.size();
  buffered_bytes_ += chunk.payload.size() + kPieceOverhead;
  return runs_.emplace(tsn, std::move(grown)).first;
}

// Joins the run that follows, without copying payload.
void MessageAssembler::Absorb(Run& run, Runs::iterator following) {
  buffered_bytes_ -= Charge(run) + Charge(following->second);
  Run rest = TakeOut(following);
  run.more.push_back(std::move(rest.payload));
  run.more.splice(run.more.end(), rest.more);
  run.last = rest.last;
  run.has_end = rest.has_end;
  run.size += rest.size;
  buffered_bytes_ += Charge(run);
}

Payload MessageAssembler::TakePayload(Run& run) {
  if (run.payload.empty() && run.more.size() == 1) {
    run.payload = std::move(run.more.front());
    run.more.clear();
  }
  Payload payload = std::exchange(run.payload, Payload(pool_));
  if (run.more.empty()) return payload;
  payload.reserve(run.size);
  for (const auto& piece : run.more) payload.append(piece);
  run.more.clear();
  return payload;
}

std::optional<Message> MessageAssembler::TakePiece(UnwrappedTsn tsn) {
  if (!latest_ || tsn < (*latest_)->first || (*latest_)->second.last < tsn) return std::nullopt;
  Run& run = (*latest_)->second;
  if (!run.has_beginning) return std::nullopt;
  const Part part = run.delivered == 0 ? Part::kBegin : Part::kMiddle;
  if (run.delivered == 0) {
    ++delivering_;
    usual_size_ =
        run.size;  // what it reserved leaves with its first piece; the next message reserves no more than that
  }
  buffered_bytes_ -= Charge(run);
  Message piece{run.stream, run.ppid, TakePayload(run), part};
  run.delivered += std::exchange(run.size, 0);
  buffered_bytes_ += Charge(run);
  return piece;
}

void MessageAssembler::ResetStreams(std::span<const StreamId> streams) {
  for (auto run = runs_.begin(); delivering_ > 0 && run != runs_.end();) {
    const auto current = run++;
    if (current->second.delivered == 0) continue;
    if (streams.empty() || std::ranges::find(streams, current->second.stream) != streams.end()) Drop(current);
  }
}

AssembledMessage MessageAssembler::Complete(Runs::iterator position) {
  const UnwrappedTsn first_tsn = position->first;
  buffered_bytes_ -= Charge(position->second);
  Run run = TakeOut(position);
  const Part part = run.delivered == 0 ? Part::kWhole : Part::kEnd;
  if (part == Part::kWhole) usual_size_ = run.size;
  return {{run.stream, run.ppid, TakePayload(run), part}, first_tsn, run.ssn, run.unordered};
}

void MessageAssembler::Drop(Runs::iterator position) {
  buffered_bytes_ -= Charge(position->second);
  dropped_fragments_ += static_cast<uint64_t>(position->second.last.DistanceFrom(position->first) + 1);
  const Run& run = position->second;
  if (run.delivered > 0) aborted_.push_back({run.stream, run.ppid, {}, Part::kAborted});
  (void)TakeOut(position);
}

MessageAssembler::Run MessageAssembler::TakeOut(Runs::iterator position) {
  if (latest_ == position) latest_.reset();
  if (position->second.delivered > 0) --delivering_;
  Run run = std::move(position->second);
  runs_.erase(position);
  return run;
}

size_t MessageAssembler::Charge(const Run& run) { return kRunOverhead + run.size + run.more.size() * kPieceOverhead; }

bool MessageAssembler::IsConsistent() const {
  size_t bytes = 0;
  size_t delivering = 0;
  const Run* before = nullptr;
  for (const auto& [first, run] : runs_) {
    if (run.last < first || (run.has_beginning && run.has_end)) return false;
    size_t size = run.payload.size();
    for (const auto& piece : run.more) size += piece.size();
    if (size != run.size) return false;
    if (before != nullptr && before->last >= first) return false;
    const bool touches = before != nullptr && before->last.Next() == first;
    if (touches && before->has_end != run.has_beginning) return false;
    if (touches && !run.has_beginning) return false;
    bytes += Charge(run);
    delivering += run.delivered > 0 ? 1 : 0;
    before = &run;
  }
  return bytes == buffered_bytes_ && delivering == delivering_;
}

}  // namespace jsp::sctp
