#include "sctp/association/path_mtu.h"

#include <array>
namespace jsp::sctp {
namespace {

// RFC 8899 §5.3.2: MTUs that are common, in octets of IP packets: tunnels below 1500 (GRE, IPsec, WireGuard, PPPoE),
// Ethernet, 802.11, FDDI, jumbo frames, loopback's lesser steps.
constexpr std::array<size_t, 13> kCommonMtus{576,  1280, 1400, 1420, 1440, 1460, 1480,
                                             1492, 1500, 2304, 4352, 9000, 16384};

// What an owner may name is not believed below this: headers, and something useful.
constexpr size_t kLeastPacket = 256;

constexpr size_t Whole(size_t octets) { return octets & ~size_t{3}; }

}  // namespace

void PathMtu::Start(const Limits& limits) {
  limits_ = limits;
  limits_.base = Whole(limits.base);
  limits_.smallest = std::min(std::max(Whole(limits.smallest), kLeastPacket), limits_.base);
  limits_.largest = std::max(Whole(limits.largest), limits_.base);
  hint_ = 0;
  is_used_ = false;
  (void)EnterBase();
}

void PathMtu::Stop() {
  state_ = State::kDisabled;
  is_due_ = false;
  deadline_ = Timestamp::Never();
}

PathMtu::Change PathMtu::SetSize(size_t size) {
  if (size_ == size) return Change::kNone;
  size_ = size;
  return Change::kSize;
}

PathMtu::Change PathMtu::Recover(Change change) {
  retry_ = kFirstRetry;
  if (!is_stalled_) return change;
  is_stalled_ = false;
  return Change::kRecovered;
}

void PathMtu::Ask(size_t size) {
  probe_ = {.size = size};
  is_due_ = true;
  deadline_ = Timestamp::Never();
}

// RFC 8899 §5.2, BASE: "On entry, the PROBED_SIZE is set to the BASE_PLPMTU size, and the PROBE_COUNT is set to zero."
PathMtu::Change PathMtu::EnterBase() {
  state_ = State::kBase;
  large_losses_ = 0;
  too_large_ = 0;
  Ask(limits_.base);
  return SetSize(limits_.base);
}

// RFC 8899 §5.2, ERROR: a conservative size, and probes of it until one is acknowledged.
PathMtu::Change PathMtu::EnterError() {
  state_ = State::kError;
  retry_ = kFirstRetry;
  too_large_ = limits_.base;
  Ask(limits_.smallest < limits_.base ? limits_.smallest : kSmallProbe);
  return SetSize(limits_.smallest);
}

void PathMtu::EnterSearchComplete(Timestamp now) {
  state_ = State::kSearchComplete;
  is_due_ = false;
  is_used_ = false;
  probe_ = {};
  deadline_ = now + limits_.raise_timer;
}

void PathMtu::Search(Timestamp now) {
  state_ = State::kSearching;
  const size_t next = NextCandidate();
  if (next == 0) return EnterSearchComplete(now);
  Ask(next);
}

// The largest first: most paths carry it, and one probe settles the search. Once something failed, the middle one of
// the common sizes in between, then the middle of what remains.
size_t PathMtu::NextCandidate() const {
  if (hint_ > size_ && hint_ <= limits_.largest && (too_large_ == 0 || hint_ < too_large_)) return hint_;
  if (too_large_ == 0) return limits_.largest > size_ ? limits_.largest : 0;
  if (const size_t common = NextCommonSize()) return common;
  if (too_large_ <= size_ + 2 * kLeastGain) return 0;
  return Whole(size_ + (too_large_ - size_) / 2);
}

size_t PathMtu::NextCommonSize() const {
  std::array<size_t, kCommonMtus.size()> between{};
  size_t count = 0;
  for (const size_t mtu : kCommonMtus) {
    const size_t size = mtu > limits_.overhead ? Whole(mtu - limits_.overhead) : 0;
    if (size > size_ && size < too_large_) between[count++] = size;
  }
  return count == 0 ? 0 : between[count / 2];
}

void PathMtu::HandleProbeSent(Timestamp now, uint64_t nonce, Duration round_trip) {
  is_due_ = false;
  probe_.nonce = nonce;
  ++probe_.count;
  // RFC 8899 §3 item 7: at least a round trip apart.
  deadline_ = now + std::max(limits_.probe_timer, 2 * round_trip);
}

void PathMtu::HandleNoRoom(Timestamp now, size_t octets) {
  is_due_ = false;
  limits_.largest = std::max(std::min(limits_.largest, Whole(octets)), size_);
  if (state_ == State::kSearching) return Search(now);
  deadline_ = now + limits_.raise_timer;
}

PathMtu::Change PathMtu::HandleProbeAcknowledged(Timestamp now, uint64_t nonce) {
  if (probe_.nonce != nonce) return Change::kNone;
  const size_t size = probe_.size;
  probe_ = {};
  is_due_ = false;
  if (state_ == State::kError && size == kSmallProbe) {
    // RFC 8899 §5.2, ERROR: small packets pass and no useful one does. Nobody else would notice (PITFALLS P11).
    deadline_ = now + retry_;
    const bool was_stalled = is_stalled_;
    is_stalled_ = true;
    return was_stalled ? Change::kNone : Change::kStalled;
  }
  if (state_ == State::kSearching || state_ == State::kError || state_ == State::kBase) {
    if (size == hint_) hint_ = 0;
    // RFC 8899 §5.2: the PLPMTU is set to the PROBED_SIZE, and the PROBE_COUNT to zero.
    const Change change = Recover(SetSize(size));
    Search(now);
    return change;
  }
  return Change::kNone;
}

PathMtu::Change PathMtu::HandleTimeout(Timestamp now) {
  if (deadline_ > now) return Change::kNone;
  deadline_ = Timestamp::Never();
  if (state_ == State::kDisabled) return Change::kNone;
  if (state_ == State::kSearchComplete) {
    // RFC 8899 §5.1.1: the raise MAY wait until there is data that would gain.
    if (is_used_) {
      too_large_ = 0;
      Search(now);
    } else {
      deadline_ = now + limits_.raise_timer;
    }
    return Change::kNone;
  }
  // RFC 8899 §5.3.1: PROBE_TIMER, "a new probe of the same size".
  if (probe_.nonce && probe_.count < limits_.max_probes) {
    is_due_ = true;
    return Change::kNone;
  }
  return HandleProbeFailed(now);
}

PathMtu::Change PathMtu::HandleProbeFailed(Timestamp now) {
  const size_t size = probe_.size;
  switch (state_) {
    case State::kBase:
      return EnterError();
    case State::kSearching:
      if (size == hint_) hint_ = 0;
      too_large_ = too_large_ == 0 ? size : std::min(too_large_, size);
      Search(now);
      return Change::kNone;
    case State::kError:
      if (size > kSmallProbe) {
        // Does anything pass?
        Ask(kSmallProbe);
      } else if (probe_.nonce) {
        // Nothing does: that is no matter of sizes.
        probe_ = {};
        deadline_ = now + retry_;
      } else {
        retry_ = std::min(retry_ * 2, kLastRetry);
        Ask(limits_.smallest);
      }
      return Change::kNone;
    case State::kDisabled:
    case State::kSearchComplete:
      break;
  }
  return Change::kNone;
}

PathMtu::Change PathMtu::HandlePacketTooBig(Timestamp now, size_t octets) {
  octets = Whole(octets);
  if (state_ == State::kDisabled || octets < limits_.smallest) return Change::kNone;
  if (octets < size_) {
    // RFC 8899 §4.6.2: maybe a black hole, so the base is used, and a search starts at what the router says. In BASE
    // and ERROR the probes under way tell the same and cannot be forged.
    if (size_ <= limits_.base) return Change::kNone;
    const Change change = EnterBase();
    hint_ = octets;
    return change;
  }
  if (state_ != State::kSearching || octets >= probe_.size) return Change::kNone;
  hint_ = octets;
  // RFC 8899 §5.2: "PL_PTB_SIZE = PLPMTU" ends the search.
  if (octets == size_) {
    EnterSearchComplete(now);
  } else {
    Ask(octets);
  }
  return Change::kNone;
}

PathMtu::Change PathMtu::HandleLargeLoss() {
  if (state_ != State::kSearching && state_ != State::kSearchComplete) return Change::kNone;
  if (++large_losses_ < limits_.max_probes) return Change::kNone;
  hint_ = 0;
  return EnterBase();
}

}  // namespace jsp::sctp
