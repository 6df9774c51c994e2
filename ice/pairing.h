#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/expected.h"
#include "ice/candidate_list.h"
#include "ice/checklist.h"
#include "ice/metrics.h"
#include "ice/options.h"
#include "ice/pair_stats.h"
namespace jsp::ice {

// The candidates of both sides and the checklist that they form (RFC 8445 §6.1.2, RFC 8838 §10 to §12). Owns all three;
// does not check, select or nominate. The agent calls it.
class Pairing {
 public:
  // Both must outlive it.
  Pairing(const Options& options, Metrics& metrics);

  Expected<void, AddCandidateError> AddLocal(Candidate candidate);
  Expected<void, AddCandidateError> AddRemote(Candidate candidate);
  // A check from `remote` may be answered and make a candidate: it is known, or the filter admits it as
  // peer-reflexive.
  bool AdmitsCheckFrom(const AddressPair& path) const;
  // The remote description is known: forms all pairs, then sets their states (RFC 8445 §6.1.2.6).
  void Start(Role role);
  // A pair was nominated: RFC 8838 §13 has no candidates pair after it; what is not valid goes (RFC 8445 §8.1.2).
  void Complete();
  bool IsCompleted() const { return phase_ == Phase::kCompleted; }
  // RFC 8445 §7.3.1.1: "A change in roles will require an agent to recompute pair priorities".
  void SetRole(Role role);
  // Candidates pair after the nomination too (MobilityOptions::renomination).
  void KeepPairing() { keeps_pairing_ = true; }
  bool keeps_pairing() const { return keeps_pairing_; }
  // Pairs everything anew that has no pair, for a session that lost its path; nothing unless KeepPairing().
  void FormAll();
  // The pair of these two candidates, made anew unless it is there; null: they are gone, do not pair, or there is no
  // room.
  CandidatePair* Remake(uint16_t local, uint16_t remote);
  // From each base of ours that may pair with the candidate there.
  std::vector<AddressPair> PathsTo(const SocketAddress& remote) const;
  // The interface of `base` is gone, and with it every candidate and pair that has it: as LocalCandidates::RemoveBase.
  std::vector<uint16_t> RemoveBase(const SocketAddress& base);
  void Clear();
  // Gives back what pairs took that are gone, and room for more candidates.
  void Trim();

  struct Triggered {
    CandidatePair* pair = nullptr;  // null: no room, counted
    bool is_new_candidate = false;  // remote.Get(pair->remote) was just learnt (RFC 8445 §7.3.1.3)
  };
  // The pair that a received check names, found or made (RFC 8445 §7.3.1.4).
  Triggered FindOrAdd(const AddressPair& addresses, uint32_t peer_reflexive_priority);
  // RFC 8445 §7.2.5.3: the check of `pair` succeeded and says that it was seen from `mapped`. The returned index is of
  // a local candidate that this discovered.
  std::optional<uint16_t> SetValid(CandidatePair& pair, const SocketAddress& mapped, Duration rtt, Timestamp now);

  const LocalCandidates& local() const { return local_; }
  const RemoteCandidates& remote() const { return remote_; }
  const Candidate& LocalOf(const CandidatePair& pair) const;  // of the valid pair, once there is one
  const Candidate& RemoteOf(const CandidatePair& pair) const { return remote_.Get(pair.remote); }
  size_t held_octets() const { return checklist_.held_octets() + local_.held_octets() + remote_.held_octets(); }
  std::vector<PairStats> Stats() const;  // best first
  Checklist& checklist() { return checklist_; }
  const Checklist& checklist() const { return checklist_; }

 private:
  enum class Phase : uint8_t { kCollecting, kRunning, kCompleted };

  CandidatePair MakePair(uint16_t local, uint16_t remote, const AddressPair& addresses) const;
  // Its priority and rank, and those of the valid pair that it produced. A NAT or a NAT64 between a relay and the other
  // side makes a peer-reflexive candidate of the relay; RFC 8445 §7.1.1 gives that a higher priority than direct ones
  // have. Which valid pair is used is "a matter of local optimization" (RFC 8445 §8.1.1): it stays the last resort.
  void Assess(CandidatePair& pair) const;
  bool IsPairing() const { return phase_ == Phase::kRunning || (phase_ == Phase::kCompleted && keeps_pairing_); }
  void FormPair(uint16_t local, uint16_t remote);
  void FormFromNewest(uint16_t local);
  // RFC 8445 §6.1.2.4: reflexive candidates are replaced by their base; with nobody to stand for it, they do so.
  bool IsReplacedByBase(uint16_t local) const;
  bool IsInUse(uint16_t remote) const;
  void Drop(DropReason reason) { ++metrics_.dropped[static_cast<size_t>(reason)]; }

  CandidateFilters filters_;
  Metrics& metrics_;
  LocalCandidates local_;
  RemoteCandidates remote_;
  Checklist checklist_;
  Role role_;
  Phase phase_ = Phase::kCollecting;
  bool keeps_pairing_ = false;
};

}  // namespace jsp::ice
