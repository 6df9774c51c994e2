#include "bench/natlab/netns_run.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "bench/natlab/json_values.h"
#include "bench/natlab/judgement.h"
#include "bench/natlab/lab.h"
#include "bench/natlab/netns_server.h"
#include "bench/natlab/peer_process.h"
#include "netsim/nat64.h"
#include "netsim/two_sides.h"

namespace jsp::natlab {
namespace {

namespace json = boost::json;
using Clock = PeerProcess::Clock;

constexpr const char* kText = "natlab";
constexpr auto kNominationGrace = std::chrono::seconds(8);  // RFC 8445 §8.1.1 leaves the time to the nominating side
constexpr auto kStatsGrace = std::chrono::seconds(1);
// For a relayed pair to be left for a direct one (docs/ice.md, nomination): the checks of RFC 8445 §14.3 that are tried
// anew then take half a second, one, two, and four.
constexpr auto kSettling = std::chrono::seconds(10);
constexpr auto kSettlingGlance = std::chrono::milliseconds(100);
constexpr const char* kAgain = "natlab again";
constexpr auto kRecoveryDeadline = std::chrono::seconds(60);
constexpr auto kMeasureDeadline = std::chrono::seconds(120);
constexpr auto kRoundDeadline = std::chrono::seconds(15);  // of the signalling of a restart

// What one side has said so far.
struct Side {
  PeerProcess process;
  std::string name;
  std::optional<std::string> description{};  // offer or answer
  std::optional<Clock::time_point> nominated_at{};
  std::optional<PathEnd> selected{};  // the latest pair, if it says
  std::optional<Clock::time_point> upgraded_at{};
  bool has_stats = false;
  std::string failure{};
  PathEnd path{};
  std::optional<Clock::time_point> silent_since{};
  json::object stats{};
  json::object measured{};
};

std::vector<std::string> WithKeys(std::vector<std::string> command, const CellOptions& options,
                                  const std::string& side) {
  if (!options.capture.empty()) command.insert(command.begin(), {"env", "SSLKEYLOGFILE=" + KeyFile(options, side)});
  return command;
}

// What the resolver of that network says: a DNS64's answer to who looks for its NAT64 (RFC 7050 §2.2), else what it
// says anyway.
std::string HostsBehind(netsim::NatType type) {
  if (type != netsim::NatType::kNat64) return {};
  std::string hosts = "127.0.0.1 localhost\n::1 localhost\n";
  for (const IpAddress& well_known : {IpAddress::V4(192, 0, 0, 170), IpAddress::V4(192, 0, 0, 171)}) {
    hosts += netsim::EmbedIpv4(netsim::WellKnownNat64Prefix(), well_known).ToString() + " ipv4only.arpa\n";
  }
  return hosts;
}

// On one LAN there is one NAT.
netsim::NatType NatOfB(const CellOptions& options) {
  return options.network.joint.site == netsim::Site::kSameLan ? options.a : options.b;
}

// After events.
struct Comeback {
  Clock::time_point asked_at{};  // for a message over what came back, which came
  std::optional<Clock::time_point> back_at{};
  size_t restarts = 0;
  Clock::time_point restart_not_before{};
};

// One run, in the lab that is built.
class Run {
 public:
  Run(const NetnsOptions& netns, const CellOptions& options, KernelLab& lab, const std::string& ca_pem)
      : netns_(netns),
        options_(options),
        lab_(lab),
        ca_pem_(ca_pem),
        a_{{lab.a_host(), WithKeys(netns.peer_a, options, "-a"), HostsBehind(options.a)}, "peer a"},
        b_{{lab.b_host(), WithKeys(netns.peer_b, options, "-b"), HostsBehind(NatOfB(options))}, "peer b"} {}

  RunResult Do() {
    start_ = Clock::now();
    end_ = start_ + std::chrono::duration_cast<Clock::duration>(netns_.deadline);
    for (Side* side : {&a_, &b_}) side->process.Send(Gather(*side));
    if (!Signal()) return Failed();
    const bool echoed = Until(end_, [&] { return echoed_ || BothFailed(); }) && echoed_;
    if (!echoed) return Failed();
    (void)Until(Clock::now() + kNominationGrace, [&] { return a_.nominated_at && b_.nominated_at; });
    AskForStats();
    Settle();
    RunResult result = Connected();
    if (!options_.network.events.empty()) Endure(result);
    if (options_.probe) MeasurePath(*options_.probe, result);
    return result;
  }

 private:
  json::object Gather(const Side& side) const {
    const std::string host = HostInUrl(netsim::ServerAddress(options_.family)) + ":3478";
    json::array servers{json::object{{"urls", json::array{"stun:" + host}}}};
    json::array relays;
    if (options_.relay == RelayService::kPresent) relays = AllRelays();
    const bool is_only_relay = options_.probe && options_.probe->only_relay && &side == &a_;
    if (is_only_relay) relays = {OnlyRelay(*options_.probe->only_relay)};
    if (!relays.empty()) {
      json::object server{{"urls", std::move(relays)}, {"username", kNetnsUser}, {"credential", kNetnsUser}};
      if (!ca_pem_.empty()) server["ca"] = ca_pem_;
      servers.push_back(std::move(server));
    }
    json::object order{
        {"do", "gather"}, {"ice_servers", std::move(servers)}, {"policy", is_only_relay ? "relay" : "all"}};
    if (options_.network.joint.ice_tcp) order["ice_tcp"] = true;
    if (!options_.network.events.empty()) {
      order["restart_patience_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(kRestartPatience).count();
    }
    return order;
  }

  // In the order in which they are wanted, which is the simulation's.
  json::array AllRelays() const {
    using enum turn::ControlTransport;
    return {OnlyRelay(kUdp), OnlyRelay(kTcp), OnlyRelay(kTls)};
  }

  // RFC 7065 §3.1
  std::string OnlyRelay(turn::ControlTransport transport) const {
    const std::string host = HostInUrl(netsim::ServerAddress(options_.family));
    if (transport == turn::ControlTransport::kTls) return "turns:" + host + ":443?transport=tcp";
    return "turn:" + host + ":3478?transport=" + (transport == turn::ControlTransport::kTcp ? "tcp" : "udp");
  }

  // As in the lab of the simulation: all candidates are in the descriptions, which take their time.
  bool Signal() {
    a_.process.Send({{"do", "offer"}});
    if (!Until(end_, [&] { return a_.description.has_value(); })) return false;
    WaitForSignalling();
    b_.process.Send({{"do", "answer"}, {"offer", *a_.description}});
    has_offer_ = true;
    SendEarlyCandidates();
    if (!Until(end_, [&] { return b_.description.has_value(); })) return false;
    WaitForSignalling();
    a_.process.Send({{"do", "accept"}, {"answer", *b_.description}});
    has_answer_ = true;
    SendEarlyCandidates();
    return true;
  }

  void WaitForSignalling() {
    const Network& network = options_.network;
    Wait(SignallingTime(network.a_access.value_or(UsualAccess()), network.b_access.value_or(UsualAccess())));
  }
  void Wait(Duration duration) {
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(duration);
    while (Clock::now() < end && broken_.empty()) Poll(end);
  }
  // False at the deadline, or when a process broke.
  template <class Done>
  bool Until(Clock::time_point deadline, Done done) {
    while (!done()) {
      if (!broken_.empty() || Clock::now() >= deadline) return false;
      Poll(deadline);
    }
    return true;
  }

  void Poll(Clock::time_point deadline) {
    std::array<PeerProcess*, 2> both{&a_.process, &b_.process};
    PeerProcess::WaitForSome(both, deadline);
    for (Side* side : {&a_, &b_}) {
      while (auto line = side->process.Next()) Handle(*side, *line);
      const std::string ended = side->process.Ended();
      if (!ended.empty() && broken_.empty()) broken_ = side->name + ": " + ended;
    }
  }

  void Handle(Side& side, const PeerProcess::Line& line) {
    Side& other = &side == &a_ ? b_ : a_;
    for (const auto& [key, value] : line.object) {
      if (key == "offer" || key == "answer") side.description = ToText(value);
      if (key == "candidate") HandleCandidate(other, ToText(value));
      if (key == "connected" || key == "nominated") NotePair(side, value);
      if (key == "selected") NoteSelected(side, value, line.at);
      if (key == "nominated" && !side.nominated_at) side.nominated_at = line.at;
      if (key == "message" && !first_message_) first_message_ = line.at;
      if (key == "echo") NoteEcho(ToText(value), line.at);
      if (key == "disconnected" && !side.silent_since) side.silent_since = line.at;
      if (key == "measured" && value.is_object()) side.measured = value.as_object();
      if (key == "failed") side.failure = ToText(value);
      if (key == "stats" && value.is_object()) {
        side.stats = value.as_object();
        side.has_stats = true;
        if (side.stats.contains("local")) side.path = ToPathEnd(side.stats);
      }
    }
  }

  void NoteEcho(const std::string& text, Clock::time_point at) {
    echoed_ = echoed_ || text == kText;
    if (text == kAgain && !comeback_.back_at) comeback_.back_at = at;
  }

  // A candidate may overtake its description on the way.
  void HandleCandidate(Side& to, const std::string& candidate) {
    const bool knows = &to == &a_ ? has_answer_ : has_offer_;
    if (knows) {
      to.process.Send({{"do", "candidate"}, {"candidate", candidate}});
    } else {
      early_candidates_.emplace_back(&to, candidate);
    }
  }
  void SendEarlyCandidates() {
    for (const auto& [to, candidate] : std::exchange(early_candidates_, {})) HandleCandidate(*to, candidate);
  }

  static PathEnd ToPathEnd(const json::object& object) {
    const auto text = [&](const char* key) {
      const auto* value = object.if_contains(key);
      return value != nullptr && value->is_string() ? ToText(*value) : std::string();
    };
    return {text("local"), text("remote"), text("protocol"), text("relay_protocol")};
  }

  static void NotePair(Side& side, const json::value& value) {
    if (!value.is_object()) return;
    side.path = ToPathEnd(value.as_object());
    side.silent_since.reset();
  }

  static void NoteSelected(Side& side, const json::value& value, Clock::time_point at) {
    if (!value.is_object()) return;
    PathEnd now = ToPathEnd(value.as_object());
    const bool is_upgrade = side.selected && side.selected->IsRelayed() && !now.IsRelayed();
    if (is_upgrade && !side.upgraded_at) side.upgraded_at = at;
    side.selected = std::move(now);
  }

  bool BothFailed() const { return !a_.failure.empty() && !b_.failure.empty(); }

  // Foreign peers need not answer.
  void AskForStats() {
    for (Side* side : {&a_, &b_}) side->has_stats = false;
    for (Side* side : {&a_, &b_}) side->process.Send({{"do", "stats"}});
    (void)Until(Clock::now() + kStatsGrace, [&] { return a_.has_stats && b_.has_stats; });
  }

  // Data may be relayed for a while until a better pair has answered. Where it has to stay so, nobody waits. Peers that
  // say no more than before are taken at their word.
  void Settle() {
    const CellOptions& cell = options_;
    const Joint& joint = cell.network.joint;
    if (cell.probe || ExpectedOutcome(cell.a, cell.b, cell.relay, joint) != Outcome::kDirect) return;
    const auto end = Clock::now() + kSettling;
    while (Judge(a_.path, b_.path).outcome != Outcome::kDirect && Clock::now() < end && broken_.empty()) {
      if (!a_.has_stats && !b_.has_stats) return;
      Wait(kSettlingGlance);
      AskForStats();
    }
  }

  RunResult Connected() {
    RunResult result;
    Judgement judgement = Judge(a_.path, b_.path);
    result.outcome = judgement.outcome;
    result.pair_type = std::move(judgement.pair_type);
    if (result.outcome == Outcome::kRelay) {
      result.relay_protocol = std::move(judgement.relay_protocol);
      std::string why = WhyNotDirect(options_.a, options_.b, options_.network.joint, options_.relay);
      if (why.empty()) why = "the checks did not get through";
      result.why = why + "; relayed over " + result.relay_protocol;
    }
    if (first_message_) result.to_first_message = std::chrono::duration_cast<Duration>(*first_message_ - start_);
    for (const Side* side : {&a_, &b_}) {
      result.checks_sent += static_cast<uint64_t>(ToNumber(side->stats, "checks_sent", 0));
      result.bytes_sent += static_cast<uint64_t>(ToNumber(side->stats, "bytes_sent", 0));
    }
    // As it says itself, counted from when it was told to gather.
    const auto at = [&](const char* name) -> std::optional<Duration> {
      const double ms = ToNumber(a_.stats, name, -1);
      if (ms < 0) return std::nullopt;
      return Duration(static_cast<int64_t>(ms * 1000));
    };
    result.to_first_valid = at("first_valid_ms");
    result.to_dtls = at("dtls_ms");
    if (a_.upgraded_at) result.to_upgrade = std::chrono::duration_cast<Duration>(*a_.upgraded_at - start_);
    if (a_.nominated_at) result.to_nominated = std::chrono::duration_cast<Duration>(*a_.nominated_at - start_);
    return result;
  }

  double Cpu() const { return ToNumber(a_.stats, "cpu_ms", 0) + ToNumber(b_.stats, "cpu_ms", 0); }

  // Our own peers know how.
  void MeasurePath(const PathProbe& probe, RunResult& result) {
    const double cpu_before = Cpu();
    a_.process.Send({{"do", "measure"}, {"pings", probe.pings}, {"octets", probe.octets}});
    (void)Until(Clock::now() + kMeasureDeadline, [&] { return !a_.measured.empty(); });
    if (!a_.measured.contains("rtt_ms")) {
      const auto* why = a_.measured.if_contains("failed");
      result.why = !broken_.empty() ? broken_
                   : why != nullptr ? ToText(*why)
                                    : "peer a did not measure the path in time";
      return;
    }
    AskForStats();
    result.path = PathSample{.connect_ms = ToNumber(a_.stats, "open_ms", 0),
                             .rtt_ms = ToSample(a_.measured, "rtt_ms"),
                             .loaded_rtt_ms = ToSample(a_.measured, "loaded_rtt_ms"),
                             .mbytes_per_s = ToNumber(a_.measured, "mbytes_per_s", 0),
                             .cpu_ms = Cpu() - cpu_before};
  }

  // As in the simulation (GetOver), in real time, and without a connection anew.
  void Endure(RunResult& result) {
    struct Step {
      Duration at;
      const NetworkEvent* event;
      bool is_back;
    };
    std::vector<Step> steps;
    Duration last{};
    for (const NetworkEvent& event : options_.network.events) {
      steps.push_back({event.after, &event, false});
      steps.push_back({event.after + event.down, &event, true});
      last = std::max(last, event.after);
    }
    std::ranges::stable_sort(steps, {}, &Step::at);
    const auto start = Clock::now();
    bool has_asked = false;
    for (const Step& step : steps) {
      (void)Watch(start + step.at, [] { return false; });
      const auto done = step.is_back ? lab_.BringBack(*step.event) : lab_.TakeDown(step.event->where);
      if (!done && broken_.empty()) broken_ = "the event: " + done.error();
      if (step.is_back || step.at < last || has_asked) continue;
      has_asked = true;
      comeback_.asked_at = Clock::now();
      a_.process.Send({{"do", "say"}, {"text", kAgain}});
    }
    (void)Watch(Clock::now() + kRecoveryDeadline, [&] { return comeback_.back_at.has_value() || BothFailed(); });
    result.restarts = comeback_.restarts;
    if (comeback_.back_at)
      result.to_recovery = std::chrono::duration_cast<Duration>(*comeback_.back_at - comeback_.asked_at);
    if (comeback_.back_at) return;
    result.outcome = Outcome::kNone;
    result.why = !broken_.empty() ? broken_
                                  : "it did not come back after what happened to its network" +
                                        (a_.failure.empty() ? std::string() : " (" + a_.failure + ")");
  }

  // Until done() or `end`; a restarts ICE when a side has heard nothing for a while.
  template <class Done>
  bool Watch(Clock::time_point end, Done done) {
    while (!done()) {
      const auto now = Clock::now();
      if (now >= end || !broken_.empty()) return false;
      if (IsRestartDue(now)) Restart();
      Poll(std::min(end, now + kGlance));
    }
    return true;
  }

  bool IsRestartDue(Clock::time_point now) const {
    const auto has_waited = [&](const Side& side) {
      return side.silent_since && now >= *side.silent_since + kRestartAfter;
    };
    return (has_waited(a_) || has_waited(b_)) && now >= comeback_.restart_not_before;
  }

  void Restart() {
    ++comeback_.restarts;
    a_.description.reset();
    b_.description.reset();
    a_.process.Send({{"do", "restart"}});
    const auto end = Clock::now() + kRoundDeadline;
    const bool has_offer = Until(end, [&] { return a_.description.has_value(); });
    if (has_offer) WaitForSignalling();
    if (has_offer) b_.process.Send({{"do", "answer"}, {"offer", *a_.description}});
    if (has_offer && Until(end, [&] { return b_.description.has_value(); })) {
      WaitForSignalling();
      a_.process.Send({{"do", "accept"}, {"answer", *b_.description}});
    }
    comeback_.restart_not_before = Clock::now() + kRestartAgain;
  }

  RunResult Failed() {
    RunResult result;
    if (!broken_.empty()) {
      result.why = broken_;
    } else if (BothFailed()) {
      std::string why = WhyNotDirect(options_.a, options_.b, options_.network.joint, options_.relay);
      if (why.empty()) why = "the checks did not get through";
      result.why = why + "; " + a_.failure;
    } else {
      result.why = "it took longer than its deadline: ";
      result.why += !a_.description   ? "peer a has no offer"
                    : !b_.description ? "peer b has no answer"
                                      : "no message came";
    }
    return result;
  }

  const NetnsOptions& netns_;
  const CellOptions& options_;
  KernelLab& lab_;
  const std::string& ca_pem_;
  Side a_;
  Side b_;
  Clock::time_point start_;
  Clock::time_point end_;
  bool has_offer_ = false;
  bool has_answer_ = false;
  bool echoed_ = false;
  std::optional<Clock::time_point> first_message_;
  Comeback comeback_;
  std::string broken_;
  std::vector<std::pair<Side*, std::string>> early_candidates_;
};

}  // namespace

std::string KeyFile(const CellOptions& options, const std::string& side) { return options.capture + side + ".keys"; }

RunResult RunInLab(const NetnsOptions& netns, const CellOptions& options, KernelLab& lab, const std::string& ca_pem) {
  return Run(netns, options, lab, ca_pem).Do();
}

}  // namespace jsp::natlab
