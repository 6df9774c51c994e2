#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/buffer_pool.h"
#include "base/expected.h"
#include "base/payload.h"
#include "sctp/message.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/rx/tsn_ring.h"
#include "sctp/types.h"
namespace jsp::sctp {

// One message with all of its fragments.
struct AssembledMessage {
  Message message;
  UnwrappedTsn first_tsn;
  Ssn ssn;  // without meaning when unordered
  bool unordered;
};

// Why a fragment cannot belong to what arrived before.
enum class AssemblyError : uint8_t { kMessageTooLarge, kProtocolViolation };

// Joins fragments to messages (RFC 9260 §6.9). All fragments of a message have consecutive TSNs, whatever its stream
// and whether it is ordered or not, so that one set of runs of TSNs serves the whole association. Owns the payload of
// incomplete messages; knows nothing of the order of messages (StreamSequencer). ReassemblyQueue feeds it.
//
// A run is found by either of its ends in a ring of TSNs, so that a fragment costs O(1) amortised wherever it belongs.
// Payloads come from the pool; ring and runs keep what their largest moment took until Trim(). Each octet is copied
// once on arrival, and once more only when its message came out of order.
class MessageAssembler {
 public:
  explicit MessageAssembler(const BufferPool& pool = {}) : pool_(pool) {}
  MessageAssembler(MessageAssembler&&) = default;
  MessageAssembler& operator=(MessageAssembler&&) = default;

  // What a run of fragments, and a further piece of payload in it, count in buffered_bytes() beyond their payload: the
  // run, list node, and the smallest block of the pool for each payload.
  static constexpr size_t kRunOverhead = 192 + BufferPool::kSmallest;
  static constexpr size_t kPieceOverhead = 96 + BufferPool::kSmallest;
  // A further piece has room for as much as the run holds already, so that pieces are few and memory stays below twice
  // the payload; and for no more than this.
  static constexpr size_t kMaxPieceReserve = 64 * 1024;

  // Takes a chunk with payload whose TSN was not added before. Returns the message that it completes, if it does. On an
  // error nothing is kept of the chunk. `max_message_size` in octets, 0 for none.
  Expected<std::optional<AssembledMessage>, AssemblyError> Add(UnwrappedTsn tsn, const DataChunk& chunk,
                                                               size_t max_message_size);
  // What is here of the message with `tsn`, which Add just took, when that has its beginning: to be given out as a
  // piece. Its end will come as Part::kEnd from Add, or Part::kAborted from TakeAborted.
  std::optional<Message> TakePiece(UnwrappedTsn tsn);
  // Messages that were given out in part and then dropped.
  std::vector<Message> TakeAborted() { return std::exchange(aborted_, {}); }
  // RFC 6525 §5.2.2: messages of these streams (none listed: of all) that were given out in part get no end any more.
  void ResetStreams(std::span<const StreamId> streams);
  // False when all TSNs up to `cumulative` arrived and yet the oldest incomplete message can never become whole. O(1).
  bool CheckProgress(UnwrappedTsn cumulative);
  // RFC 3758 §3.6: drops the messages that miss TSNs up to `new_cumulative`, with what follows of them.
  void Skip(UnwrappedTsn new_cumulative);

  size_t buffered_bytes() const { return buffered_bytes_; }
  size_t run_count() const { return run_count_; }
  uint64_t dropped_fragments() const { return dropped_fragments_; }
  // Gives ring and runs back when there is no run.
  void Trim();
  // For tests and fuzzing: runs are apart, incomplete, and counted. O(fragments).
  bool IsConsistent() const;

 private:
  // Consecutive fragments of one message.
  struct Run {
    UnwrappedTsn first;
    UnwrappedTsn last;
    // The ring has `first`, too. Not when it is below the cumulative TSN ack, where nothing can come before it any
    // more: a message of any length would stretch the ring.
    bool first_is_noted;
    StreamId stream;
    Ssn ssn;
    Ppid ppid;
    bool unordered;
    bool has_beginning;
    bool has_end;
    size_t size;             // octets of payload in all pieces
    Payload payload;         // the first piece
    PoolList<Payload> more;  // further pieces, in their order
    size_t delivered = 0;    // octets before `payload` that were given out
  };
  using RunId = TsnRing::Id;  // an index of runs_
  static constexpr size_t kMaxRuns = 0xffff;
  // The runs that a TSN touches.
  struct Neighbours {
    std::optional<RunId> before;
    std::optional<RunId> after;
  };

  std::optional<RunId> FindEnding(UnwrappedTsn tsn) const;
  std::optional<RunId> FindBeginning(UnwrappedTsn tsn) const;
  void Note(RunId id);
  void Forget(RunId id);
  void MoveLast(RunId id, UnwrappedTsn last);
  Neighbours FindNeighbours(UnwrappedTsn tsn);
  bool DropIfOrphan(UnwrappedTsn tsn, const DataChunk& chunk);
  void DropOrphanRuns();
  static bool BelongsTo(const Run& run, const DataChunk& chunk);
  bool Fits(Neighbours& neighbours, const DataChunk& chunk);
  RunId StartRun(UnwrappedTsn tsn, const DataChunk& chunk, size_t limit);
  RunId Place(Run run);
  void Append(RunId id, const DataChunk& chunk);
  void Prepend(RunId id, const DataChunk& chunk);
  void Absorb(RunId id, RunId following);
  Payload TakePayload(Run& run);
  AssembledMessage Complete(RunId id);
  void Drop(RunId id);
  Run TakeOut(RunId id);
  static size_t Charge(const Run& run);

  BufferPool pool_;
  TsnRing ring_;  // the runs by their ends
  std::vector<std::optional<Run>> runs_;
  std::vector<RunId> free_;  // places in runs_
  size_t run_count_ = 0;
  std::optional<RunId> latest_;  // the run that grew last: where the next fragment goes most likely
  // Octets of the last message that had several fragments: what the next one reserves when nothing else is incomplete.
  size_t usual_size_ = 0;
  size_t buffered_bytes_ = 0;
  std::optional<UnwrappedTsn> forwarded_to_;  // by the last FORWARD TSN
  std::optional<UnwrappedTsn> orphan_next_;   // rest of a skipped message: dropped when it has no B bit
  uint64_t dropped_fragments_ = 0;
  size_t delivering_ = 0;  // runs that were given out in part
  std::vector<Message> aborted_;
};

}  // namespace jsp::sctp
