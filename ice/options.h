#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "ice/candidate_filter.h"
namespace jsp::ice {

enum class Role : uint8_t { kControlling, kControlled };
// RFC 8445 §2.5: a lite agent has host candidates only, checks nothing, and answers. For hosts that everybody reaches.
enum class Implementation : uint8_t { kFull, kLite };

constexpr Duration kDefaultPacingInterval = std::chrono::milliseconds(50);  // RFC 8445 §14.2

// The controlling side's choice of moment, see nomination.h.
struct NominationOptions {
  // How long to prefer a better pair over the first valid one before nominating (0: at once when no better pair is
  // still in progress).
  Duration delay{};
  // How much longer than `delay` a better pair that is still in progress may hold up the nomination of a valid
  // one (RFC 8863 §4); the second one when the valid pair is relayed. Data flows meanwhile.
  Duration patience = std::chrono::milliseconds(500);
  Duration patience_relayed = std::chrono::milliseconds(2000);
  // The nominating check repeats one that succeeded, so it opens no NAT binding, which is what Ta paces (RFC 8445
  // §B.1); it may follow the previous check this closely, at least 5 ms (RFC 8445 §14.2).
  Duration pacing_interval = std::chrono::milliseconds(5);
  // A nominating check that no answer came to is begun anew while the pair has consent, so long after the choice; then
  // the session has failed (RFC 8445 §7.2.5.3.4). At 30 % loss each way one check in a hundred is lost seven times;
  // data flows meanwhile. 0: the first one decides.
  Duration deadline = std::chrono::seconds(120);
  bool operator==(const NominationOptions&) const = default;
};

// How a session outlives its network.
struct MobilityOptions {
  // Between peers that both say so (ICE option "renomination", draft-thatcher-ice-renomination): candidates may come
  // after the nomination and after end-of-candidates, and the controlling side nominates again when the path changes.
  bool renomination = true;
  // A new pair works after the nomination: so long, but at least three of its round trips, may the selected one be
  // silent to a check before the session moves.
  Duration move_patience = std::chrono::milliseconds(1000);
  // Disconnected (recoverable) when nothing authenticated arrived for this long.
  Duration disconnected_timeout = std::chrono::seconds(10);
  // RFC 7675 §5.1: a session that lost consent resumes by an ICE restart only. How long it stays disconnected and waits
  // for one before it has failed (0: it fails at once), and how long one that we began may wait for its answer then.
  Duration restart_patience{};
  Duration restart_timeout = std::chrono::seconds(30);
  // Pairs that neither side uses are given up when a nominated one has been selected, and they unused, for so long
  // (RFC 8445 §8.3.1), at least 3 s; their candidates stay. 0: never.
  Duration drop_spares_after = std::chrono::seconds(30);
  bool operator==(const MobilityOptions&) const = default;
};

struct CheckOptions {
  // RFC 8445 §14.3: lower bound of a check's RTO, and how often a check is sent (Rc of RFC 8489 §6.2.1).
  Duration rto_min = std::chrono::milliseconds(500);
  uint32_t max_transmissions = 7;
  // While no pair is valid and no other check is due, a check under way is begun anew, as another transaction in a slot
  // of Ta that is free, so often and this long after the last. 0: never, to the letter of RFC 8445 §6.1.4.2.
  uint32_t repeats = 0;
  Duration repeat_after = std::chrono::milliseconds(100);
  bool operator==(const CheckOptions&) const = default;
};

// Every timer and limit by its name; nothing is hidden in the code.
struct Options {
  Role role = Role::kControlling;
  Implementation implementation = Implementation::kFull;
  // RFC 8445 §14.2: Ta between new checks; at least 5 ms. The peer must be told (RFC 8839 §5.5) when it is not 50 ms.
  Duration pacing_interval = kDefaultPacingInterval;
  CheckOptions check = {};
  // RFC 8863 §4: no failure before this long after the remote description; nor, while the peer has not said
  // end-of-candidates, this long after the last candidate.
  Duration pac_timeout = std::chrono::milliseconds(39500);
  NominationOptions nomination = {};
  // RFC 7675 §5.1: consent checks every 5 s (randomised 0.8–1.2, never below 4 s), consent expires after 30 s. An
  // interval of 0 switches consent off, for usages that do not demand it: keepalives take its place.
  Duration consent_interval = std::chrono::seconds(5);
  Duration consent_timeout = std::chrono::seconds(30);
  // RFC 8445 §11: Tr, at least 15 s.
  Duration keepalive_interval = std::chrono::seconds(15);
  MobilityOptions mobility = {};
  CandidateFilters filters = {};
  size_t max_local_candidates = 64;
  size_t max_remote_candidates = 256;  // signalled and peer-reflexive together
  size_t max_pairs = 100;              // RFC 8445 §6.1.2.5
  size_t max_early_checks = 16;        // checks that arrive before the remote description
  bool operator==(const Options&) const = default;
};

// The options with every value forced to what the RFCs allow: Ta and the spacing at least 5 ms (RFC 8445 §14.2), RTO at
// least 500 ms (RFC 8445 §14.3), Tr at least 15 s (RFC 8445 §11), unused pairs kept for 3 s (RFC 8445 §8.3.1).
inline Options Sanitized(Options options) {
  options.pacing_interval = std::max<Duration>(options.pacing_interval, std::chrono::milliseconds(5));
  options.nomination.pacing_interval =
      std::max<Duration>(options.nomination.pacing_interval, std::chrono::milliseconds(5));
  options.check.rto_min = std::max<Duration>(options.check.rto_min, std::chrono::milliseconds(500));
  options.check.max_transmissions = std::max<uint32_t>(options.check.max_transmissions, 1);
  options.check.repeat_after = std::max<Duration>(options.check.repeat_after, options.pacing_interval);
  options.keepalive_interval = std::max<Duration>(options.keepalive_interval, std::chrono::seconds(15));
  options.max_pairs = std::max<size_t>(options.max_pairs, 1);
  Duration& spares = options.mobility.drop_spares_after;
  if (spares > Duration::zero()) spares = std::max<Duration>(spares, std::chrono::seconds(3));
  return options;
}

}  // namespace jsp::ice
