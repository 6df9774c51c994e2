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
// A fragment that follows the one before it is appended to its message in O(1), without a look-up; any other one costs
// O(log runs), and nodes and payloads come from the pool. Each octet is copied once on arrival, and once more only when
// its message came out of order.
class MessageAssembler {
 public:
  explicit MessageAssembler(const BufferPool& pool = {}) : pool_(pool), runs_(Runs::allocator_type(pool)) {}
  MessageAssembler(MessageAssembler&&) = default;
  MessageAssembler& operator=(MessageAssembler&&) = default;

  // What a run of fragments, and a further piece of payload in it, count in buffered_bytes() beyond their payload: map
  // node, list node, and the smallest block of the pool for each payload.
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
  size_t run_count() const { return runs_.size(); }
  uint64_t dropped_fragments() const { return dropped_fragments_; }
  // For tests and fuzzing: runs are apart, incomplete, and counted. O(fragments).
  bool IsConsistent() const;

 private:
  // Consecutive fragments of one message, from the key of the map to `last`.
  struct Run {
    UnwrappedTsn last;
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
  using Runs = PoolMap<UnwrappedTsn, Run>;
  // The runs that a TSN touches; runs_.end() where there is none.
  struct Neighbours {
    Runs::iterator before;
    Runs::iterator after;
  };

  Neighbours FindNeighbours(UnwrappedTsn tsn);
  bool DropIfOrphan(UnwrappedTsn tsn, const DataChunk& chunk);
  void DropOrphanRuns();
  static bool BelongsTo(const Run& run, const DataChunk& chunk);
  bool Fits(Neighbours& neighbours, const DataChunk& chunk);
  Runs::iterator StartRun(UnwrappedTsn tsn, const DataChunk& chunk, size_t limit);
  void Append(Run& run, const DataChunk& chunk);
  Runs::iterator Prepend(Runs::iterator run, UnwrappedTsn tsn, const DataChunk& chunk);
  void Absorb(Run& run, Runs::iterator following);
  Payload TakePayload(Run& run);
  AssembledMessage Complete(Runs::iterator run);
  void Drop(Runs::iterator run);
  Run TakeOut(Runs::iterator position);
  static size_t Charge(const Run& run);

  BufferPool pool_;
  Runs runs_;
  std::optional<Runs::iterator> latest_;  // the run that grew last: where the next fragment goes most likely
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
