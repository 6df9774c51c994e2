#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/tx/congestion_control.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Remembers the congestion controller as it was before losses or a timeout reduced its window, and finds out when that
// was for nothing, because what was sent again had arrived (RFC 9438 §4.9). The signs:
// - The peer reports as duplicates (RFC 9260 §3.3.4) what was sent again: all of it after losses; after a timeout any
// of
//   the first packet, once nothing is missing any more. A network that duplicates packets can look so; the price is a
//   window that is what it was before.
// - After a single timeout, the first acknowledgement comes sooner than a round trip after the repetition (RFC 8985
// §6.2
//   step 2): it is for the original.
// Owned by RetransmissionQueue, which asks at each SACK. O(1) but for the duplicates that a SACK lists.
class SpuriousRecovery {
 public:
  enum class Cause : uint8_t { kMisses, kTime, kTimeout };  // losses by miss indications, by time; T3-rtx
  // Losses of more chunks than this are real; it bounds what is remembered.
  static constexpr size_t kMaxRepeated = 256;

  // The window is about to be reduced. Timeouts in a row without an answer are one episode.
  void Begin(Cause cause, const CongestionControl& before) {
    if (cause == Cause::kTimeout && is_unanswered_timeout()) {
      ++timeouts_;
      return;
    }
    if (before_) {
      *before_ = before;
    } else {
      before_ = std::make_unique<CongestionControl>(before);
    }
    is_open_ = true;
    cause_ = cause;
    repeated_.clear();
    repeated_at_ = Timestamp::Never();
    answered_ = false;
    timeouts_ = 1;
  }
  void Close() { is_open_ = false; }
  // Gives back what the next episode needs again.
  void Trim() {
    if (is_open_) return;
    before_.reset();
    std::vector<Tsn>().swap(repeated_);
  }

  // Between a timeout and the first acknowledgement that follows.
  bool is_unanswered_timeout() const { return is_open_ && cause_ == Cause::kTimeout && !answered_; }
  // `tsn` is sent again because of the episode's cause.
  void HandleRepeated(Timestamp now, Tsn tsn) {
    if (!is_open_) return;
    if (repeated_.size() == kMaxRepeated) return Close();
    repeated_.push_back(tsn);
    if (repeated_at_ == Timestamp::Never()) repeated_at_ = now;
  }
  // While is_unanswered_timeout(): something was acknowledged, `covers_first` the earliest of what was outstanding.
  // True: the timeout was for nothing. `min_rtt` zero: unknown.
  bool HandleAnswer(Timestamp now, bool covers_first, Duration min_rtt) {
    answered_ = true;
    if (!covers_first || timeouts_ > 1) return false;
    return repeated_.empty() || now - repeated_at_ < min_rtt;
  }
  // The Duplicate TSNs of a SACK. True: the reduction was for nothing.
  template <class Tsns>
  bool HandleDuplicates(const Tsns& duplicates, bool is_missing_any) {
    if (!is_open_) return false;
    const size_t known = repeated_.size();
    // One report settles one repetition: of a chunk that was lost and sent again twice, the second is a duplicate, too.
    for (const Tsn tsn : duplicates) {
      if (const auto found = std::ranges::find(repeated_, tsn); found != repeated_.end()) repeated_.erase(found);
    }
    if (repeated_.size() == known || is_missing_any) return false;
    return cause_ == Cause::kTimeout || repeated_.empty();
  }
  Cause cause() const { return cause_; }
  // Until Close.
  const CongestionControl& before() const { return *before_; }

 private:
  std::unique_ptr<CongestionControl> before_;
  bool is_open_ = false;
  Cause cause_ = Cause::kTime;
  std::vector<Tsn> repeated_;  // and not reported as duplicates
  Timestamp repeated_at_;      // the first
  bool answered_ = false;
  uint32_t timeouts_ = 0;
};

}  // namespace jsp::sctp
