// Whole peers between random networks, while those misbehave: each run ends connected, or says rightly why not.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/natlab/lab.h"
#include "bench/natlab/oracle.h"
namespace jsp {
namespace {

using natlab::Lab;
using natlab::LabOptions;
using natlab::LabSide;
using natlab::Outcome;
using natlab::RelayService;
using netsim::NatType;
using netsim::OutboundPolicy;
using std::chrono::milliseconds;
using std::chrono::seconds;
using transport::ConnectionState;
using turn::ControlTransport;

enum class Trouble : uint8_t { kNone, kCut, kLongCut, kUdpCut, kRestart, kRenumbering, kReboot, kCount };
const char* ToString(Trouble trouble) {
  constexpr const char* kNames[] = {"nothing", "a cut", "a long cut", "no UDP", "a restart", "renumbering", "a reboot"};
  return kNames[static_cast<size_t>(trouble)];
}

struct Plan {
  explicit Plan(uint64_t seed) : rng(Rng::FromNumber(seed)) {
    const auto types = netsim::AllNatTypes();
    options.layout.a = types[rng.Below(types.size())];
    options.layout.z = types[rng.Below(types.size())];
    for (netsim::LinkOptions* access : {&options.layout.a_access, &options.layout.z_access}) {
      access->delay = milliseconds(1 + rng.Below(80));
      access->jitter = access->delay / static_cast<int>(2 + rng.Below(8));
      access->loss = netsim::UniformLoss{0.1 * rng.Uniform()};
      access->reordering = 0.1 * rng.Uniform();
      access->duplication = 0.05 * rng.Uniform();
    }
    has_relays = rng.Below(4) != 0;
    if (has_relays) options.a.relays = options.z.relays = {ControlTransport::kUdp, ControlTransport::kTcp};
    options.seed = seed;
    trouble = static_cast<Trouble>(rng.Below(static_cast<uint64_t>(Trouble::kCount)));
  }
  Outcome expected() const {
    return natlab::ExpectedOutcome(options.layout.a, options.layout.z,
                                   has_relays ? RelayService::kPresent : RelayService::kNone);
  }
  Rng rng;
  LabOptions options;
  bool has_relays = true;
  Trouble trouble = Trouble::kNone;
};

// An application that restarts ICE when it is asked to, or has heard nothing for a while.
class Session {
 public:
  explicit Session(const Plan& plan) : lab(plan.options) {
    channel_ = *lab.a->peer.OpenChannel(lab.world.now(), {.label = "echo"});
    EXPECT_TRUE(lab.Signal()) << lab.error();
  }
  static bool IsUp(const LabSide& side) {
    return side.peer.state() == ConnectionState::kConnected || side.peer.state() == ConnectionState::kCompleted;
  }
  bool AreUp() const { return IsUp(*lab.a) && IsUp(*lab.z); }
  bool IsOver() const { return lab.a->IsOver() || lab.z->IsOver(); }
  void RunFor(Duration duration) {
    const auto is_asked = [&] {
      return lab.a->wants_restart || lab.z->wants_restart || lab.a->peer.state() == ConnectionState::kDisconnected ||
             lab.z->peer.state() == ConnectionState::kDisconnected || IsOver();
    };
    const Timestamp end = lab.world.now() + duration;
    while (lab.world.now() < end && !IsOver()) {
      if (lab.world.now() < next_restart_) lab.world.RunFor(std::min(end, next_restart_) - lab.world.now());
      if (lab.world.now() >= end || !lab.world.RunUntil(is_asked, end - lab.world.now()) || IsOver()) continue;
      lab.z->wants_restart = lab.a->wants_restart = false;
      Restart();
      // A session that is restarted for ever never fails: each has longer than the one before.
      next_restart_ = lab.world.now() + patience_;
      patience_ *= 3;
    }
  }
  void Restart() {
    if (!lab.a->peer.RestartIce(lab.world.now())) return;
    lab.a->driver.Kick();
    EXPECT_TRUE(lab.Signal() || IsOver()) << lab.error();
  }
  // A message there and back.
  bool Echoes(Duration limit) {
    const Timestamp end = lab.world.now() + limit;
    (void)lab.a->peer.Send(lab.world.now(), channel_, datachannel::MessageKind::kBinary, {1});
    lab.a->driver.Kick();
    bool is_back = false;
    while (!is_back && lab.world.now() < end && !IsOver()) {
      RunFor(milliseconds(100));
      while (auto message = lab.z->peer.PollAnyMessage(lab.world.now())) {
        (void)lab.z->peer.Send(lab.world.now(), message->channel, message->kind, std::move(message->payload));
        lab.z->driver.Kick();
      }
      while (lab.a->peer.PollAnyMessage(lab.world.now())) is_back = true;
    }
    return is_back;
  }
  Lab lab;

 private:
  datachannel::ChannelId channel_{};
  Duration patience_ = seconds(20);
  Timestamp next_restart_ = Timestamp::FromEpoch(Duration::zero());
};

void Cause(Session& session, Plan& plan) {
  Lab& lab = session.lab;
  LabSide& side = plan.rng.Below(2) == 0 ? *lab.a : *lab.z;
  const auto nat = &side == lab.a.get() ? lab.sides.a_nat : lab.sides.z_nat;
  const netsim::NodeId access = nat.value_or(&side == lab.a.get() ? lab.sides.a_host : lab.sides.z_host);
  netsim::LinkOptions link = &side == lab.a.get() ? plan.options.layout.a_access : plan.options.layout.z_access;
  const netsim::LinkOptions before = link;
  switch (plan.trouble) {
    case Trouble::kCut:
    case Trouble::kLongCut:
      link.loss = netsim::UniformLoss{1};
      lab.world.SetLink(access, link);
      session.RunFor(plan.trouble == Trouble::kCut ? seconds(1 + plan.rng.Below(12)) : seconds(45));
      return lab.world.SetLink(access, before);
    case Trouble::kUdpCut:
      return nat ? lab.world.nat(*nat).SetOutboundPolicy(OutboundPolicy::kNoUdp) : void();
    case Trouble::kRestart:
      return session.Restart();
    case Trouble::kRenumbering:
      return side.driver.Renumber();
    case Trouble::kReboot:
      return nat ? lab.world.nat(*nat).Reboot() : void();
    case Trouble::kNone:
    case Trouble::kCount:
      return;
  }
}

// A server that its packets' losses kept from answering in time; it says so.
bool LacksRelays(const LabSide& side) { return !side.peer.stats().relay_failures.empty(); }

// What a session may say that has failed in its trouble.
bool IsRightReason(const Plan& plan, const std::string& reason, bool was_up) {
  const auto says = [&](const char* text) { return reason.find(text) != std::string::npos; };
  if (!was_up) return plan.expected() == Outcome::kNone && (says("pairs failed") || says("no candidate pairs"));
  if (plan.trouble == Trouble::kLongCut) return says("consent expired") || says("pairs failed") || says("closed");
  // Without UDP nothing is left but a relay over TCP; a NAT that rejects may have done so while the path was away.
  const auto rejects = [](NatType type) { return type == NatType::kPortReject; };
  const bool has_rejecting = rejects(plan.options.layout.a) || rejects(plan.options.layout.z);
  const bool may_be_hopeless = !plan.has_relays && (plan.trouble == Trouble::kUdpCut || has_rejecting);
  if (may_be_hopeless) return says("consent expired") || says("pairs failed") || says("closed");
  return false;
}

TEST(ChaosTest, EveryRunEndsConnectedOrWithTheRightReason) {
  constexpr uint64_t kSeeds = 1500;
  int connected = 0;
  int recovered = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Plan plan(seed);
    Session session(plan);
    session.RunFor(seconds(45));
    const bool was_up = session.AreUp();
    const std::string what = "seed " + std::to_string(seed) + ": " +
                             std::string(netsim::ToString(plan.options.layout.a)) + " - " +
                             std::string(netsim::ToString(plan.options.layout.z)) + ", " +
                             (plan.has_relays ? "relays, " : "no relays, ") + ToString(plan.trouble);
    const bool lacks_relays = LacksRelays(*session.lab.a) || LacksRelays(*session.lab.z);
    // A loss may keep a NAT from rejecting what it remembers: better than expected is luck.
    EXPECT_TRUE(was_up || plan.expected() == Outcome::kNone || lacks_relays)
        << what << ": " << session.lab.a->peer.stats().state_reason;
    if (was_up) {
      ++connected;
      EXPECT_TRUE(session.Echoes(seconds(20))) << what;
      Cause(session, plan);
      session.RunFor(seconds(30));
      if (session.Echoes(seconds(70))) {
        ++recovered;
        continue;
      }
    }
    const std::string reason =
        session.lab.a->peer.stats().state_reason + " / " + session.lab.z->peer.stats().state_reason;
    const bool is_right = IsRightReason(plan, reason, was_up) || (!was_up && lacks_relays);
    EXPECT_TRUE(session.IsOver() && is_right) << what << ": " << reason;
  }
  EXPECT_GE(connected, 1000);
  EXPECT_GE(recovered, connected * 7 / 10);
}

}  // namespace
}  // namespace jsp
