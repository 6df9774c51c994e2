#include "sctp/rx/message_assembler.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
namespace jsp::sctp {

Expected<std::optional<AssembledMessage>, AssemblyError> MessageAssembler::Add(UnwrappedTsn tsn, const DataChunk& chunk,
                                                                               size_t max_message_size) {
  const size_t limit = max_message_size == 0 ? SIZE_MAX : max_message_size;
  if (orphan_next_ == tsn && DropIfOrphan(tsn, chunk)) return std::nullopt;
  Neighbours at = FindNeighbours(tsn);
  if (!Fits(at, chunk)) return Unexpected(AssemblyError::kProtocolViolation);
  const bool joins_before = at.before && !chunk.beginning;
  const bool joins_after = at.after && !chunk.end;
  size_t size = chunk.payload.size();
  if (joins_before) size += runs_[*at.before]->delivered + runs_[*at.before]->size;
  if (joins_after) size += runs_[*at.after]->size;
  if (size > limit) return Unexpected(AssemblyError::kMessageTooLarge);

  if (chunk.beginning && chunk.end) {
    Message whole{chunk.stream, chunk.ppid, Payload(pool_, chunk.payload)};
    return AssembledMessage{std::move(whole), tsn, chunk.ssn, chunk.unordered};
  }
  // No tracker takes TSNs that are so far from each other.
  if (!ring_.MakeRoom(tsn) || run_count_ == kMaxRuns) return Unexpected(AssemblyError::kProtocolViolation);
  RunId id;
  if (joins_before) {
    id = *at.before;
    Append(id, chunk);
    if (joins_after) Absorb(id, *at.after);
  } else if (joins_after) {
    id = *at.after;
    Prepend(id, chunk);
  } else {
    id = StartRun(tsn, chunk, limit);
  }
  latest_ = id;
  if (runs_[id]->has_beginning && runs_[id]->has_end) return Complete(id);
  return std::nullopt;
}

bool MessageAssembler::CheckProgress(UnwrappedTsn cumulative) {
  if (run_count_ == 0) return true;
  const RunId oldest = run_count_ == 1 && latest_ ? *latest_ : *ring_.Find(*ring_.Lowest());
  Run& run = *runs_[oldest];
  // Everything up to `cumulative` is here. So what comes before the first run has come and was not its beginning, or
  // what follows it has come and was not its continuation.
  const bool headless = run.first <= cumulative && !run.has_beginning;
  const bool cut_off = run.last < cumulative;
  if (headless || cut_off) {
    if (!forwarded_to_ || run.first > *forwarded_to_) return false;
    Drop(oldest);  // a message that the peer skipped in its middle
    return true;
  }
  if (run.first_is_noted && run.first < cumulative) {
    Forget(oldest);
    run.first_is_noted = false;
    Note(oldest);
  }
  return true;
}

void MessageAssembler::Skip(UnwrappedTsn new_cumulative) {
  forwarded_to_ = new_cumulative;
  orphan_next_ = new_cumulative.Next();
  for (auto tsn = ring_.Lowest(); tsn;) {
    const RunId id = *ring_.Find(*tsn);
    const Run& it = *runs_[id];
    if (it.first > new_cumulative) break;
    tsn = ring_.Next(it.last.Next());
    if (it.has_beginning && it.last >= new_cumulative) {
      orphan_next_.reset();  // misses nothing up to `new_cumulative`: it stays
    } else {
      if (it.last > new_cumulative) {
        orphan_next_ = it.has_end ? std::nullopt : std::optional(it.last.Next());
      }
      Drop(id);
    }
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
  const auto id = FindBeginning(*orphan_next_);
  if (!id) return;
  orphan_next_.reset();
  const Run& run = *runs_[*id];
  if (run.has_beginning) return;
  if (!run.has_end) orphan_next_ = run.last.Next();
  Drop(*id);
}

std::optional<MessageAssembler::RunId> MessageAssembler::FindEnding(UnwrappedTsn tsn) const {
  const auto id = ring_.Find(tsn);
  return id && runs_[*id]->last == tsn ? id : std::nullopt;
}

std::optional<MessageAssembler::RunId> MessageAssembler::FindBeginning(UnwrappedTsn tsn) const {
  const auto id = ring_.Find(tsn);
  return id && runs_[*id]->first == tsn ? id : std::nullopt;
}

// Puts the run's ends into the ring, for which there is room.
void MessageAssembler::Note(RunId id) {
  const Run& run = *runs_[id];
  if (run.first_is_noted) ring_.Insert(run.first, id);
  if (!run.first_is_noted || run.last != run.first) ring_.Insert(run.last, id);
}

void MessageAssembler::Forget(RunId id) {
  const Run& run = *runs_[id];
  if (run.first_is_noted) ring_.Erase(run.first);
  if (!run.first_is_noted || run.last != run.first) ring_.Erase(run.last);
}

// The run has grown up to `last`.
void MessageAssembler::MoveLast(RunId id, UnwrappedTsn last) {
  Run& run = *runs_[id];
  if (!run.first_is_noted || run.last != run.first) ring_.Erase(run.last);
  run.last = last;
  ring_.Insert(last, id);
}

MessageAssembler::Neighbours MessageAssembler::FindNeighbours(UnwrappedTsn tsn) {
  if (run_count_ == 0) return {};
  // In order, and with nothing else under way: no look-up at all.
  if (run_count_ == 1 && latest_ && runs_[*latest_]->last.Next() == tsn) return {.before = latest_, .after = {}};
  Neighbours at{.before = FindEnding(UnwrappedTsn(tsn.DistanceFrom(UnwrappedTsn(1)))), .after = {}};
  at.after = FindBeginning(tsn.Next());
  return at;
}

bool MessageAssembler::BelongsTo(const Run& run, const DataChunk& chunk) {
  // Not its PPID: "This identifier is not used by SCTP" (RFC 9260 §3.3.1). The first fragment's is the message's.
  return run.stream == chunk.stream && run.unordered == chunk.unordered && (run.unordered || run.ssn == chunk.ssn);
}

// RFC 9260 §6.9: B and E bits and the message's numbers agree with what is beside the chunk. A message that FORWARD TSN
// cut at its end gives way.
bool MessageAssembler::Fits(Neighbours& neighbours, const DataChunk& chunk) {
  if (neighbours.after) {
    const Run& after = *runs_[*neighbours.after];
    if (chunk.end != after.has_beginning) return false;
    if (!chunk.end && !BelongsTo(after, chunk)) return false;
  }
  if (!neighbours.before) return true;
  const Run& before = *runs_[*neighbours.before];
  if (chunk.beginning == before.has_end) return chunk.beginning || BelongsTo(before, chunk);
  if (!chunk.beginning || !forwarded_to_ || before.first > *forwarded_to_) return false;
  Drop(*neighbours.before);
  neighbours.before.reset();
  return true;
}

MessageAssembler::RunId MessageAssembler::StartRun(UnwrappedTsn tsn, const DataChunk& chunk, size_t limit) {
  // Only what a message that did arrive has needed, and for one message at a time: never by a claim of the peer.
  const bool alone = run_count_ == 0 && chunk.beginning;
  Run run{.first = tsn,
          .last = tsn,
          .first_is_noted = true,
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
  if (alone) run.payload.reserve(std::max(chunk.payload.size(), std::min(usual_size_, limit)));
  run.payload.append(chunk.payload);
  run.size = run.payload.size();
  buffered_bytes_ += Charge(run);
  return Place(std::move(run));
}

MessageAssembler::RunId MessageAssembler::Place(Run run) {
  ++run_count_;
  if (free_.empty()) {
    free_.push_back(static_cast<RunId>(runs_.size()));
    runs_.emplace_back();
  }
  const RunId id = free_.back();
  free_.pop_back();
  runs_[id].emplace(std::move(run));
  Note(id);
  return id;
}

void MessageAssembler::Append(RunId id, const DataChunk& chunk) {
  Run& run = *runs_[id];
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
  MoveLast(id, run.last.Next());
  run.has_end = chunk.end;
  run.size += size;
  buffered_bytes_ += size;
}

void MessageAssembler::Prepend(RunId id, const DataChunk& chunk) {
  Run& run = *runs_[id];
  Forget(id);
  run.first = UnwrappedTsn(run.first.DistanceFrom(UnwrappedTsn(1)));
  run.first_is_noted = true;
  Note(id);
  run.more.push_front(std::move(run.payload));
  run.payload = Payload(pool_, chunk.payload);
  run.has_beginning = chunk.beginning;
  run.ppid = chunk.ppid;
  run.size += chunk.payload.size();
  buffered_bytes_ += chunk.payload.size() + kPieceOverhead;
}

// Joins the run that follows, without copying payload.
void MessageAssembler::Absorb(RunId id, RunId following) {
  Run& run = *runs_[id];
  buffered_bytes_ -= Charge(run) + Charge(*runs_[following]);
  Run rest = TakeOut(following);
  MoveLast(id, rest.last);
  run.more.push_back(std::move(rest.payload));
  run.more.splice(run.more.end(), rest.more);
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
  if (!latest_) return std::nullopt;
  Run& run = *runs_[*latest_];
  if (tsn < run.first || run.last < tsn) return std::nullopt;
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
  for (size_t i = 0; delivering_ > 0 && i < runs_.size(); ++i) {
    if (!runs_[i] || runs_[i]->delivered == 0) continue;
    if (streams.empty() || std::ranges::find(streams, runs_[i]->stream) != streams.end()) Drop(static_cast<RunId>(i));
  }
}

AssembledMessage MessageAssembler::Complete(RunId id) {
  buffered_bytes_ -= Charge(*runs_[id]);
  Run run = TakeOut(id);
  const Part part = run.delivered == 0 ? Part::kWhole : Part::kEnd;
  if (part == Part::kWhole) usual_size_ = run.size;
  return {{run.stream, run.ppid, TakePayload(run), part}, run.first, run.ssn, run.unordered};
}

void MessageAssembler::Drop(RunId id) {
  buffered_bytes_ -= Charge(*runs_[id]);
  const Run run = TakeOut(id);
  dropped_fragments_ += static_cast<uint64_t>(run.last.DistanceFrom(run.first) + 1);
  if (run.delivered > 0) aborted_.push_back({run.stream, run.ppid, {}, Part::kAborted});
}

MessageAssembler::Run MessageAssembler::TakeOut(RunId id) {
  if (latest_ == id) latest_.reset();
  if (runs_[id]->delivered > 0) --delivering_;
  Forget(id);
  Run run = std::move(*runs_[id]);
  runs_[id].reset();
  free_.push_back(id);
  --run_count_;
  return run;
}

void MessageAssembler::Trim() {
  if (run_count_ > 0) return;
  ring_.Trim();
  runs_ = decltype(runs_)();
  free_ = decltype(free_)();
}

size_t MessageAssembler::Charge(const Run& run) { return kRunOverhead + run.size + run.more.size() * kPieceOverhead; }

bool MessageAssembler::IsConsistent() const {
  if (!ring_.IsConsistent() || run_count_ + free_.size() != runs_.size()) return false;
  size_t bytes = 0;
  size_t delivering = 0;
  size_t runs = 0;
  size_t ends = 0;
  const Run* before = nullptr;
  for (auto tsn = ring_.Lowest(); tsn;) {
    const RunId id = *ring_.Find(*tsn);
    if (id >= runs_.size() || !runs_[id]) return false;
    const Run& run = *runs_[id];
    if (run.last < run.first || (run.has_beginning && run.has_end)) return false;
    if (*tsn != (run.first_is_noted ? run.first : run.last) || FindEnding(run.last) != id) return false;
    size_t size = run.payload.size();
    for (const auto& piece : run.more) size += piece.size();
    if (size != run.size) return false;
    if (before != nullptr && before->last >= run.first) return false;
    const bool touches = before != nullptr && before->last.Next() == run.first;
    if (touches && before->has_end != run.has_beginning) return false;
    if (touches && !run.has_beginning) return false;
    bytes += Charge(run);
    delivering += run.delivered > 0 ? 1 : 0;
    ends += run.first_is_noted && run.first != run.last ? 2 : 1;
    ++runs;
    before = &run;
    tsn = ring_.Next(run.last.Next());
  }
  return bytes == buffered_bytes_ && delivering == delivering_ && runs == run_count_ && ends == ring_.size();
}

}  // namespace jsp::sctp
