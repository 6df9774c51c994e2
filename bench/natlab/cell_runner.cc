#include "bench/natlab/cell_runner.h"

#include <utility>
#include <vector>

#include "bench/natlab/lab.h"

namespace jsp::natlab {
namespace {

using turn::ControlTransport;

// For probes to meet a mapping and fresh sockets to be told: ice::ProbingOptions, HoleOpener::Limits.
constexpr Duration kCrossing = std::chrono::seconds(14);
constexpr Duration kMoving = std::chrono::seconds(1);     // for a nomination and its answer, with a loss
constexpr Duration kDeadline = std::chrono::seconds(90);  // beyond ICE's own (RFC 8863 §3: 39.5 s)

std::string Explain(const CellOptions& options, const RunResult& result, const Lab& lab) {
  std::string why = WhyNotDirect(options.a, options.b, options.network.joint, options.relay);
  if (why.empty()) why = "the checks did not get through";
  if (result.outcome == Outcome::kRelay) return why + "; relayed over " + result.relay_protocol;
  const std::string reason = lab.a->peer.stats().state_reason;
  if (options.relay == RelayService::kNone) return why + "; no relay is available (" + reason + ")";
  return why + "; and no relay carried it (" + reason + ")";
}

void Measure(const Lab& lab, RunResult& result) {
  const auto a = lab.a->peer.stats();
  const auto z = lab.z->peer.stats();
  result.checks_sent = a.ice.checks_sent + z.ice.checks_sent;
  result.bytes_sent = a.demux.bytes_sent + z.demux.bytes_sent;
  result.to_first_valid = a.timings.ice_connected;
  result.to_dtls = a.timings.dtls_connected;
  if (lab.a->nominated_at) result.to_nominated = *lab.a->nominated_at - lab.start;
}

std::optional<Duration> ToUpgrade(const Lab& lab) {
  const auto& selections = lab.a->selections;
  for (size_t i = 1; i < selections.size(); ++i) {
    if (selections[i - 1].is_relayed() && !selections[i].is_relayed()) return selections[i].at - lab.start;
  }
  return std::nullopt;
}

// What went wrong with them; empty: nothing.
std::string WriteCaptures(const std::string& prefix, Lab& lab) {
  std::string problems;
  for (const auto& written : {lab.a_capture->Write(prefix + "-a.pcapng", lab.a->peer),
                              lab.z_capture->Write(prefix + "-b.pcapng", lab.z->peer)}) {
    if (!written) problems += (problems.empty() ? "" : "; ") + written.error();
  }
  return problems;
}

void EndureEvents(const CellOptions& options, Lab& lab, RunResult& result) {
  const Recovery recovery = GetOver(lab, options.network.events, lab.layout);
  result.to_recovery = recovery.after_last;
  result.restarts = recovery.restarts;
  result.reconnects = recovery.reconnects;
  if (recovery.after_last) return;
  result.outcome = Outcome::kNone;
  result.why = "it did not come back after what happened to its network (" + lab.a->peer.stats().state_reason + ")";
}

LabOptions LabOptionsFor(const CellOptions& options) {
  LabOptions lab_options;
  lab_options.layout.a = options.a;
  lab_options.layout.z = options.b;
  lab_options.layout.family = options.family;
  lab_options.layout.site = options.network.joint.site;
  lab_options.layout.carrier = options.network.joint.carrier;
  lab_options.layout.ports = options.network.joint.ports;
  lab_options.layout.timers = options.network.joint.timers;
  lab_options.layout.hairpin = options.network.joint.hairpin;
  lab_options.layout.a_access = options.network.a_access.value_or(UsualAccess());
  lab_options.layout.z_access = options.network.b_access.value_or(UsualAccess());
  lab_options.layout.server_access = options.network.server_access.value_or(netsim::LinkOptions{});
  lab_options.signalling = SignallingTime(lab_options.layout.a_access, lab_options.layout.z_access);
  if (options.network.joint.ice_tcp) lab_options.a.ice_tcp = lab_options.z.ice_tcp = transport::IceTcp::kBoth;
  lab_options.seed = options.seed;
  lab_options.capture = !options.capture.empty();
  if (!options.network.events.empty()) lab_options.restart_patience = kRestartPatience;
  lab_options.crosses_hard_nats = options.network.hard == HardNats::kCrossed;
  if (options.relay == RelayService::kPresent) {
    lab_options.a.relays =
        lab_options.z.relays = {ControlTransport::kUdp, ControlTransport::kTcp, ControlTransport::kTls};
  }
  return lab_options;
}

}  // namespace

RunResult RunCell(const CellOptions& options) {
  Lab lab(LabOptionsFor(options));
  RunResult result;
  bool echoed = false;
  Timestamp signalled = lab.start;
  std::optional<Timestamp> differs_since;
  const auto done = [&] {
    const Timestamp now = lab.world.now();
    while (auto message = lab.z->peer.PollAnyMessage(now)) {
      if (!result.to_first_message) result.to_first_message = now - lab.start;
      (void)lab.z->peer.Send(now, message->channel, message->kind, std::move(message->payload));
      lab.z->driver.Kick();
    }
    while (lab.a->peer.PollAnyMessage(now)) echoed = true;
    if (lab.a->IsOver() && lab.z->IsOver()) return true;
    if (!echoed || !lab.a->IsNominated() || !lab.z->IsNominated()) return false;
    const bool is_relayed = lab.a->IsRelayed() || lab.z->IsRelayed();
    if (is_relayed && options.network.hard == HardNats::kCrossed && now < signalled + kCrossing) return false;
    // One side has left the relay and the other is to hear of it, or one of them cannot know that there is one.
    if (lab.a->IsRelayed() == lab.z->IsRelayed()) return true;
    if (!differs_since) differs_since = now;
    return now >= *differs_since + kMoving;
  };
  if (!lab.error().empty()) {
    result.why = lab.error();
    return result;
  }
  const auto channel = lab.a->peer.OpenChannel(lab.world.now(), {.label = "natlab"});
  const std::vector<uint8_t> text = {'h', 'i'};
  if (channel) (void)lab.a->peer.Send(lab.world.now(), *channel, datachannel::MessageKind::kString, text);
  if (!lab.Signal()) {
    result.why = "signalling failed: " + lab.error();
    return result;
  }
  signalled = lab.world.now();
  const auto is_over_or_restarts = [&] { return done() || lab.a->wants_restart || lab.z->wants_restart; };
  bool ended = lab.world.RunUntil(is_over_or_restarts, kDeadline);
  if (ended && !done() && lab.RestartIfWanted()) ended = lab.world.RunUntil(done, kDeadline);
  Measure(lab, result);
  if (echoed && ended) {
    Judgement judgement = Judge(lab.a->path(), lab.z->path());
    result.outcome = judgement.outcome;
    result.pair_type = std::move(judgement.pair_type);
    result.relay_protocol = std::move(judgement.relay_protocol);
    result.to_upgrade = ToUpgrade(lab);
  } else {
    result.to_first_message.reset();
  }
  if (result.outcome != Outcome::kDirect) result.why = Explain(options, result, lab);
  const auto& events = options.network.events;
  if (result.outcome != Outcome::kNone && !events.empty()) EndureEvents(options, lab, result);
  if (!options.capture.empty()) result.capture_problem = WriteCaptures(options.capture, lab);
  return result;
}

}  // namespace jsp::natlab
