#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/time.h"
#include "ice/options.h"
#include "ice/pairing.h"
namespace jsp::ice {

// The pairs that worked and that a session does not use. When it has been content with one pair for
// MobilityOptions::drop_spares_after, those that neither side used for as long are given up (RFC 8445 §8.3.1); their
// candidates stay in Pairing's lists, and where the session may move by itself a record of four octets says which they
// were of, so that they can be made again. Owns the time and the record; checks nothing. The agent calls it.
class SparePairs {
 public:
  // `pairing` must outlive it.
  SparePairs(const Options& options, Pairing& pairing);

  struct Use {
    bool is_content = false;  // completed, over a nominated pair
    uint32_t selection = 0;   // another number: another pair was selected
    bool operator==(const Use&) const = default;
  };
  // After every input. True when pairs were given up, and when the session became content with its pair for long
  // enough: what is kept for other paths may go.
  bool MaybeDrop(Timestamp now, const Use& use);
  // The same as when it last told, and no pair but the selected one: MaybeDrop has nothing to do.
  bool IsSettled(uint32_t selection, size_t pairs) const {
    return is_told_ && pairs <= 1 && seen_.selection == selection && due_ == Timestamp::Never();
  }
  // Makes pairs again that were given up: visit(CandidatePair&), the best first. They are to be checked: nothing is
  // known of them any more.
  template <class Visit>
  void Restore(Timestamp now, Visit&& visit) {
    if (due_ != Timestamp::Never()) due_ = now + after_;
    for (const Spare& spare : std::exchange(spares_, {})) {
      if (CandidatePair* pair = pairing_.Remake(spare.local, spare.remote)) visit(*pair);
    }
  }
  // A local candidate is gone, and those behind it are named by the number before (LocalCandidates::RemoveBase).
  void HandleRemoved(uint16_t local);

  Timestamp NextTimeout() const { return due_; }
  size_t size() const { return spares_.size(); }

 private:
  // By index in Pairing's lists. A peer-reflexive one of the peer's may have made room for another: then that is tried.
  struct Spare {
    uint16_t local;
    uint16_t remote;
    bool operator==(const Spare&) const = default;
  };

  bool Drop(Timestamp now);
  void Note(const CandidatePair& pair);

  size_t limit_;
  Pairing& pairing_;
  std::vector<Spare> spares_;
  Duration after_;
  Use seen_;
  Timestamp due_;
  bool is_told_ = false;  // that the session is content with what is selected
};

}  // namespace jsp::ice
