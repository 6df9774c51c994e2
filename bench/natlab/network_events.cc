#include "bench/natlab/network_events.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "bench/natlab/lab.h"

namespace jsp::natlab {
namespace {

constexpr Duration kDeadline = std::chrono::seconds(150);

std::optional<netsim::NodeId> NodeOf(const netsim::TwoSides& sides, NetworkEvent::Where where) {
  switch (where) {
    case NetworkEvent::Where::kNatA:
      return sides.a_nat;
    case NetworkEvent::Where::kNatB:
      return sides.z_nat;
    case NetworkEvent::Where::kCarrierA:
      return sides.a_carrier;
    case NetworkEvent::Where::kCarrierB:
      return sides.z_carrier;
  }
  return std::nullopt;
}

class Course {
 public:
  Course(Lab& lab, const netsim::TwoSidesOptions& layout) : lab_(lab), layout_(layout) {}

  Recovery Run(std::vector<NetworkEvent> events) {
    std::ranges::stable_sort(events, {}, &NetworkEvent::after);
    const Timestamp start = lab_.world.now();
    for (const NetworkEvent& event : events) {
      (void)Watch([] { return false; }, start + event.after);
      Apply(event);
    }
    const Timestamp last = lab_.world.now();
    Send();
    Recovery recovery;
    const auto is_back = [&] { return echoed_at_ && lab_.a->IsNominated() && lab_.z->IsNominated(); };
    if (Watch(is_back, last + kDeadline)) recovery.after_last = *echoed_at_ - last;
    recovery.restarts = restarts_;
    recovery.reconnects = reconnects_;
    return recovery;
  }

 private:
  // Runs until done() or `end`, echoes what comes, restarts ICE when a side has heard nothing for a while, and connects
  // anew when the connection has failed.
  template <class Done>
  bool Watch(Done done, Timestamp end) {
    const auto is_over = [&] { return lab_.a->IsOver() || lab_.z->IsOver(); };
    const auto stop = [&] {
      Exchange();
      return done() || is_over() || IsRestartDue();
    };
    while (!done()) {
      if (lab_.world.now() >= end) return false;
      (void)lab_.world.RunUntil(stop, std::min(kGlance, end - lab_.world.now()));
      if (is_over()) {
        Reconnect();
      } else if (IsRestartDue()) {
        Restart();
      }
    }
    return true;
  }

  bool IsRestartDue() {
    const Timestamp now = lab_.world.now();
    if (!lab_.a->IsSilent() && !lab_.z->IsSilent())
      silent_since_.reset();
    else if (!silent_since_)
      silent_since_ = now;
    return silent_since_ && now >= *silent_since_ + kRestartAfter && now >= restart_not_before_;
  }

  void Restart() {
    ++restarts_;
    (void)lab_.Restart();  // gathering may take its deadline while a network is down
    restart_not_before_ = lab_.world.now() + kRestartAgain;
  }

  void Exchange() {
    const Timestamp now = lab_.world.now();
    while (auto message = lab_.z->peer.PollAnyMessage(now)) {
      (void)lab_.z->peer.Send(now, message->channel, message->kind, std::move(message->payload));
      lab_.z->driver.Kick();
    }
    while (lab_.a->peer.PollAnyMessage(now)) {
      if (!echoed_at_) echoed_at_ = now;
    }
  }

  void Send() {
    const Timestamp now = lab_.world.now();
    echoed_at_.reset();
    const auto channel = lab_.a->peer.OpenChannel(now, {.label = "natlab again"});
    const std::vector<uint8_t> text = {'h', 'i'};
    if (channel) (void)lab_.a->peer.Send(now, *channel, datachannel::MessageKind::kString, text);
    lab_.a->driver.Kick();
  }

  void Reconnect() {
    ++reconnects_;
    lab_.Renew();
    Send();
    // Gathering may take its deadline while a network is down.
    (void)lab_.Signal();
  }

  void Apply(const NetworkEvent& event) {
    const auto node = NodeOf(lab_.sides, event.where);
    if (!node) return;
    const Timestamp now = lab_.world.now();
    netsim::Nat& nat = lab_.world.nat(*node);
    if (event.what == NetworkEvent::What::kReboot || !nat.options().translate) return nat.Reboot(now + event.down);
    const bool is_carrier =
        event.where == NetworkEvent::Where::kCarrierA || event.where == NetworkEvent::Where::kCarrierB;
    const bool is_behind_carrier = layout_.carrier.has_value() && !is_carrier;
    const bool is_a = event.where == NetworkEvent::Where::kNatA || event.where == NetworkEvent::Where::kCarrierA;
    const auto number = static_cast<uint8_t>((is_a ? 1 : 2) + kNewAddress + 2 * renumbered_++);
    const auto address = is_behind_carrier ? &netsim::AddressBehindCarrier : &netsim::OutsideAddress;
    lab_.world.Renumber(*node, address(layout_.family, number), event.down);
  }

  Lab& lab_;
  const netsim::TwoSidesOptions& layout_;
  std::optional<Timestamp> echoed_at_{};
  std::optional<Timestamp> silent_since_{};
  Timestamp restart_not_before_ = Timestamp::FromEpoch({});
  size_t restarts_ = 0;
  size_t reconnects_ = 0;
  size_t renumbered_ = 0;
};

}  // namespace

Duration SpanOf(std::span<const NetworkEvent> events) {
  Duration span{};
  for (const NetworkEvent& event : events) span = std::max(span, event.after + event.down);
  return span;
}

Recovery GetOver(Lab& lab, std::span<const NetworkEvent> events, const netsim::TwoSidesOptions& layout) {
  return Course(lab, layout).Run({events.begin(), events.end()});
}

}  // namespace jsp::natlab
