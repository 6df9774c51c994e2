#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/socket_address.h"
#include "base/time.h"
namespace jsp::ice {

// What a pair is on the wire, and what names it everywhere in the agent: the base that packets leave from, and the
// remote candidate's address.
struct AddressPair {
  SocketAddress local;
  SocketAddress remote;
  auto operator<=>(const AddressPair&) const = default;
};
struct AddressPairHash {
  size_t operator()(const AddressPair& pair) const { return HashValue(pair.local) * 31 + HashValue(pair.remote); }
};

// RFC 8445 §6.1.2.6
enum class PairState : uint8_t { kFrozen, kWaiting, kInProgress, kSucceeded, kFailed, kCount };
const char* ToString(PairState state);  // "frozen", "waiting", "in-progress", "succeeded", "failed"

// What a successful check says about a pair (RFC 8445 §7.2.5.3.2): the valid pair that it produced.
struct Validity {
  uint16_t local = 0;     // the local candidate that the mapped address names, index of LocalCandidates
  uint64_t priority = 0;  // of the valid pair; where a relay is in it, as that one was signalled
  Duration rtt{};
  Timestamp at;
};

// The checks of a pair so far.
struct CheckHistory {
  Timestamp last_at;     // Never() before the first
  Timestamp heard_at;    // the peer's latest; Never() before the first
  uint32_t repeats = 0;  // CheckOptions::repeats that were used
  uint32_t requests_sent = 0;
  uint32_t responses_received = 0;
};

// One line of the checklist. Its candidates live in Pairing's lists, by index.
struct CandidatePair {
  AddressPair addresses;
  uint16_t local = 0;
  uint16_t remote = 0;
  uint64_t priority = 0;   // RFC 8445 §6.1.2.3, by which checks are ordered
  uint64_t rank = 0;       // the same, but where a relay is in it, as that one was signalled: for what is nominated
  std::string foundation;  // of both candidates together
  PairState state = PairState::kFrozen;
  std::optional<Validity> valid;
  bool is_relayed = false;           // either candidate is: worth waiting longer for something better
  bool is_nominated = false;         // RFC 8445 §7.2.5.3.4
  uint32_t nomination = 0;           // the peer's count that came with it, of a renomination
  bool nominate_on_success = false;  // USE-CANDIDATE came before our own check succeeded, RFC 8445 §7.3.1.5
  bool is_selected = false;
  bool is_authenticated = false;  // a message with valid integrity arrived on it
  CheckHistory checks;
};

// True when `a` comes before `b`: higher priority, and a fixed order among equals, so that runs repeat exactly.
bool IsPreferred(const CandidatePair& a, const CandidatePair& b);

}  // namespace jsp::ice
