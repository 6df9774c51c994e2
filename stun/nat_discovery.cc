#include "stun/nat_discovery.h"

#include <algorithm>
#include <utility>

#include "stun/change_request.h"
#include "stun/message_builder.h"
namespace jsp::stun {
namespace {

constexpr size_t kMaxLifetimeProbes = 32;
constexpr uint32_t kHairpinSendings = 3;
constexpr const char* kNoOtherAddress =
    "the server has one address only (no OTHER-ADDRESS); ask a server of RFC 5780 with two addresses";

// RFC 5780 §7.4: a second address and a second port. Whatever else a server names is not a place to send requests to.
bool IsUsableOther(const SocketAddress& other, const SocketAddress& server) {
  return other.ip != server.ip && other.port != server.port && other.port != 0 &&
         other.ip.is_v4() == server.ip.is_v4() && !other.ip.IsUnspecified() && !other.ip.IsMulticast() &&
         !other.ip.IsBroadcast() && other.ip.IsLoopback() == server.ip.IsLoopback();
}

std::string Reason(const event::BindingFailed& failure) {
  switch (failure.reason) {
    case RequestFailure::kErrorResponse:
      return "the server refuses the request with " + std::to_string(failure.error_code);
    case RequestFailure::kChangeIgnored:
      return "the server ignores what the request asks for: " + failure.detail;
    case RequestFailure::kTimeout:
    case RequestFailure::kMalformedResponse:
    case RequestFailure::kUnknownRequiredAttribute:
    case RequestFailure::kUnreachable:
      break;
  }
  return failure.detail;
}

// Silence, or the network's way to say the same.
bool IsSilence(const event::BindingFailed& failure) {
  return failure.reason == RequestFailure::kTimeout || failure.reason == RequestFailure::kUnreachable;
}

}  // namespace

const char* ToString(NatBehavior behavior) {
  switch (behavior) {
    case NatBehavior::kUnknown:
      return "unknown";
    case NatBehavior::kEndpointIndependent:
      return "endpoint-independent";
    case NatBehavior::kAddressDependent:
      return "address-dependent";
    case NatBehavior::kAddressAndPortDependent:
      return "address-and-port-dependent";
  }
  return "unknown";
}

NatDiscovery::NatDiscovery(const NatDiscoveryOptions& options, Rng& rng, Timestamp now)
    : options_(options), client_({.max_transactions = 2 + kMaxLifetimeProbes}, rng), rng_(&rng), next_start_(now) {
  if (options_.lifetime.size() > kMaxLifetimeProbes) options_.lifetime.resize(kMaxLifetimeProbes);
  report_.local = options_.mapping_socket;
  for (const auto& probe : options_.lifetime) probes_.push_back({probe});
  Queue(now, Test::kMapping1);
  Queue(now, Test::kFiltering1);
  StartDue(now);
}

void NatDiscovery::Queue(Timestamp now, Test test, size_t probe, Duration after) {
  waiting_.push_back({test, probe, now + after});
}

// RFC 5780 §5: paced; what is due first goes first.
void NatDiscovery::StartDue(Timestamp now) {
  while (!waiting_.empty() && next_start_ <= now) {
    const auto next = std::ranges::min_element(waiting_, {}, &Step::due);
    if (next->due > now) return;
    const Step step = *next;
    waiting_.erase(next);
    next_start_ = now + options_.pacing;
    Start(now, step);
  }
}

NatDiscovery::Plan NatDiscovery::PlanOf(const Step& step) const {
  const SocketAddress& primary = options_.server;
  const SocketAddress other = report_.other_address.value_or(primary);
  Plan plan{options_.mapping_socket, primary, {.retransmit = options_.retransmit}};
  switch (step.test) {
    case Test::kMapping1:
    case Test::kHairpin:
      break;
    case Test::kMapping2:  // RFC 5780 §4.3: "to the alternate address, but primary port"
      plan.server.ip = other.ip;
      break;
    case Test::kMapping3:
      plan.server = other;
      break;
    case Test::kFiltering1:
      plan.local = options_.filtering_socket;
      break;
    case Test::kFiltering2:  // RFC 5780 §4.4
      plan.local = options_.filtering_socket;
      plan.behavior.change = kChangeIp | kChangePort;
      plan.behavior.answer_from = other;
      break;
    case Test::kFiltering3:
      plan.local = options_.filtering_socket;
      plan.behavior.change = kChangePort;
      plan.behavior.answer_from = {primary.ip, other.port};
      break;
    case Test::kLifetimeOpen:
      plan.local = probes_[step.probe].what.socket;
      break;
    case Test::kLifetimeLook:  // RFC 5780 §4.6
      plan.behavior.response_port = probes_[step.probe].mapped_port;
      plan.behavior.answer_to = probes_[step.probe].what.socket;
      break;
  }
  return plan;
}

void NatDiscovery::Start(Timestamp now, const Step& step) {
  if (step.test == Test::kHairpin) {
    for (const HairpinProbe& probe : hairpin_) hairpin_to_send_.Push(probe);
    return;
  }
  const Plan plan = PlanOf(step);
  const auto request = client_.StartBinding(now, plan.local, plan.server, plan.behavior);
  if (request) running_.push_back({*request, step});  // as many as there are places: never refused
}

bool NatDiscovery::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                                  std::span<const uint8_t> datagram) {
  bool ours = client_.HandleDatagram(now, local, remote, datagram);
  if (!ours && !hairpin_.empty()) {
    const auto message = MessageView::Parse(datagram);
    ours = message && message->Is(Method::kBinding, MessageClass::kRequest) && HandleHairpin(local, *message);
  }
  DrainClient(now);
  return ours;
}

void NatDiscovery::HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& server) {
  client_.HandleUnreachable(now, local, server);
  DrainClient(now);
}

void NatDiscovery::HandleTimeout(Timestamp now) {
  client_.HandleTimeout(now);
  StartDue(now);
  DrainClient(now);
}

void NatDiscovery::DrainClient(Timestamp now) {
  while (auto event = client_.PollEvent()) {
    const RequestHandle handle = std::visit([](const auto& e) { return e.request; }, *event);
    const auto running = std::ranges::find(running_, handle, &Running::request);
    if (running == running_.end()) continue;
    const Step step = running->step;
    running_.erase(running);
    if (const auto* success = std::get_if<event::BindingSucceeded>(&*event)) {
      HandleSuccess(now, step, *success);
    } else {
      HandleFailure(now, step, std::get<event::BindingFailed>(*event));
    }
  }
  StartDue(now);
  MaybeFinish(now);
}

void NatDiscovery::HandleSuccess(Timestamp now, const Step& step, const event::BindingSucceeded& success) {
  switch (step.test) {
    case Test::kMapping1:
      return HandleMapping1(now, success);
    case Test::kFiltering1:
      return HandleFiltering1(now, success.mapped);
    case Test::kMapping2:
      second_mapped_ = success.mapped;
      if (success.mapped == report_.mapped) {
        report_.mapping = NatBehavior::kEndpointIndependent;
      } else {
        Queue(now, Test::kMapping3);
      }
      return;
    case Test::kMapping3:
      report_.mapping =
          success.mapped == second_mapped_ ? NatBehavior::kAddressDependent : NatBehavior::kAddressAndPortDependent;
      return;
    case Test::kFiltering2:
      report_.filtering = NatBehavior::kEndpointIndependent;
      return;
    case Test::kFiltering3:
      report_.filtering = NatBehavior::kAddressDependent;
      return;
    case Test::kLifetimeOpen:
      probes_[step.probe].mapped_port = success.mapped.port;
      return Queue(now, Test::kLifetimeLook, step.probe, probes_[step.probe].what.after);
    case Test::kLifetimeLook:
      probes_[step.probe].alive = true;
      return;
    case Test::kHairpin:
      return;
  }
}

// RFC 5780 §4.3, test I. The OTHER-ADDRESS of the first answer holds for all tests: a server's later answers name what
// is other from where they were asked.
void NatDiscovery::HandleMapping1(Timestamp now, const event::BindingSucceeded& success) {
  report_.mapped = success.mapped;
  report_.server_software = success.software;
  report_.translated = success.mapped != options_.mapping_socket;
  if (success.other_address && IsUsableOther(*success.other_address, options_.server)) {
    report_.other_address = success.other_address;
  }
  if (!report_.translated) {
    report_.mapping = NatBehavior::kEndpointIndependent;
  } else if (report_.other_address) {
    Queue(now, Test::kMapping2);
  } else {
    report_.mapping_reason = kNoOtherAddress;
  }
  if (filtering_mapped_) HandleFiltering1(now, *filtering_mapped_);
  for (size_t i = 0; i < probes_.size(); ++i) Queue(now, Test::kLifetimeOpen, i);
}

// RFC 5780 §4.4, test I; goes on when both first answers are there.
void NatDiscovery::HandleFiltering1(Timestamp now, const SocketAddress& mapped) {
  filtering_mapped_ = mapped;
  if (!report_.mapped) return;
  if (report_.other_address) {
    Queue(now, Test::kFiltering2);
  } else {
    report_.filtering_reason = kNoOtherAddress;
  }
}

void NatDiscovery::HandleFailure(Timestamp now, const Step& step, const event::BindingFailed& failure) {
  switch (step.test) {
    case Test::kMapping1:
      report_.udp_blocked = IsSilence(failure);
      report_.mapping_reason = report_.filtering_reason = report_.lifetime_reason = Reason(failure);
      waiting_.clear();
      return;
    case Test::kFiltering1:
      report_.filtering_reason = Reason(failure);
      return;
    case Test::kMapping2:
    case Test::kMapping3:
      report_.mapping_reason = "the server's alternate address: " + Reason(failure);
      return;
    case Test::kFiltering2:
      if (IsSilence(failure)) return Queue(now, Test::kFiltering3);
      report_.filtering_reason = Reason(failure);
      return;
    case Test::kFiltering3:
      if (IsSilence(failure)) {
        report_.filtering = NatBehavior::kAddressAndPortDependent;
      } else {
        report_.filtering_reason = Reason(failure);
      }
      return;
    case Test::kLifetimeOpen:
      report_.lifetime_reason = Reason(failure);
      return;
    case Test::kLifetimeLook:
      return HandleLifetimeLook(probes_[step.probe], failure);
    case Test::kHairpin:
      return;
  }
}

void NatDiscovery::HandleLifetimeLook(Probe& probe, const event::BindingFailed& failure) {
  if (IsSilence(failure)) {
    probe.alive = false;
  } else {  // RFC 5780 §5: "a client MUST be prepared to receive a 420"
    report_.lifetime_reason = Reason(failure);
  }
}

// After filtering is known, as the requests open filters.
void NatDiscovery::QueueHairpin(Timestamp now) {
  if (!options_.hairpin || !report_.translated || !filtering_mapped_ || !hairpin_.empty()) return;
  report_.hairpin = false;
  hairpin_.push_back(
      {TransactionId::Random(*rng_), options_.filtering_socket, *report_.mapped, options_.mapping_socket});
  hairpin_.push_back(
      {TransactionId::Random(*rng_), options_.mapping_socket, *filtering_mapped_, options_.filtering_socket});
  Duration after = Duration::zero();
  for (uint32_t i = 0; i < kHairpinSendings; ++i, after += options_.retransmit.rto) {
    Queue(now, Test::kHairpin, 0, after);
  }
  hairpin_deadline_ = now + after + options_.retransmit.rm * options_.retransmit.rto;
}

bool NatDiscovery::HandleHairpin(const SocketAddress& local, const MessageView& request) {
  const auto probe = std::ranges::find(hairpin_, request.transaction_id(), &HairpinProbe::id);
  if (probe == hairpin_.end() || probe->expected_at != local) return false;
  report_.hairpin = true;
  return true;
}

void NatDiscovery::MaybeFinish(Timestamp now) {
  const bool filtering_done = report_.filtering != NatBehavior::kUnknown || !report_.filtering_reason.empty();
  if (filtering_done && report_.mapped) QueueHairpin(now);
  if (hairpin_deadline_ <= now) hairpin_deadline_ = Timestamp::Never();
  const bool hairpin_done = report_.hairpin.value_or(true) || hairpin_deadline_ == Timestamp::Never();
  std::erase_if(waiting_, [&](const Step& s) { return s.test == Test::kHairpin && report_.hairpin.value_or(false); });
  if (finished_ || !running_.empty() || !waiting_.empty() || !hairpin_done) return;
  finished_ = true;
  ConcludeLifetime();
  events_.Push(event::NatDiscovered{report_});
}

// The longest time before the first at which a binding was gone: a NAT under load may lose one early, and then the
// later ones prove nothing.
void NatDiscovery::ConcludeLifetime() {
  for (const Probe& probe : probes_) {
    if (!probe.alive) continue;
    if (!*probe.alive) {
      report_.lifetime_below = probe.what.after;
      break;
    }
    report_.lifetime_at_least = probe.what.after;
  }
}

std::optional<NatDiscovery::Transmit> NatDiscovery::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  if (out.size() < kHeaderSize) return std::nullopt;
  if (const auto probe = hairpin_to_send_.Pop()) {
    MessageBuilder request(out, {Method::kBinding, MessageClass::kRequest}, probe->id);
    return Transmit{request.Finish().size(), probe->from, probe->to};
  }
  return client_.PollTransmit(now, out);
}

std::optional<NatDiscovery::Event> NatDiscovery::PollEvent() { return events_.Pop(); }

Timestamp NatDiscovery::NextTimeout() const {
  if (finished_) return Timestamp::Never();
  Timestamp next = client_.NextTimeout();
  for (const Step& step : waiting_) next = std::min(next, std::max(step.due, next_start_));
  if (report_.hairpin == false) next = std::min(next, hairpin_deadline_);
  return next;
}

}  // namespace jsp::stun
