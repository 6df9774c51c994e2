#pragma once
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dtls/certificate.h"
#include "transport/asio/driver.h"
namespace jsp::transport::io::testing {

// Runs the loop until done() or for `limit`; returns done(). Waits in the loop only, never sleeps.
template <class Done>
bool RunUntil(boost::asio::io_context& io, Done&& done, std::chrono::seconds limit = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  io.restart();
  while (!done() && std::chrono::steady_clock::now() < end) {
    if (io.run_one_until(end) == 0) break;
  }
  return done();
}

inline DriverOptions LoopbackOptions() {
  DriverOptions options;
  options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
  return options;
}

inline PeerOptions TestPeerOptions() {
  static const auto certificate = *dtls::Certificate::Generate();  // immutable; saves time
  PeerOptions options;
  options.certificate = certificate;
  return options;
}

// A peer on a driver, with everything that it reported. `on_event` and `on_room` may do anything.
struct TestPeer : PeerObserver {
  explicit TestPeer(Driver& driver, PeerOptions options = TestPeerOptions()) {
    handle = driver.AddPeer(options, *this);
  }
  void HandlePeerEvent(PeerEvent& event) override {
    if (auto* opened = std::get_if<datachannel::event::ChannelOpenedByPeer>(&event)) remote_channel = opened->channel;
    if (auto* open = std::get_if<datachannel::event::ChannelOpen>(&event)) open_channel = open->channel;
    if (auto* changed = std::get_if<event::StateChanged>(&event)) states.push_back(changed->state);
    if (std::holds_alternative<datachannel::event::MessagesWaiting>(event) && read) Read();
    if (on_event) on_event(event);
  }
  void HandleRoom() override {
    if (on_room) on_room();
  }
  void Read() {
    handle.Call([&](Peer& p, Timestamp now) {
      while (auto message = p.PollAnyMessage(now)) {
        octets += message->payload.size();
        messages.push_back(std::move(*message));
      }
    });
  }
  bool IsUp() const {
    const auto state = handle.peer().state();
    return state == ConnectionState::kConnected || state == ConnectionState::kCompleted;
  }
  datachannel::ChannelId Open(std::string label = "test") {
    return *handle.Call([&](Peer& p, Timestamp now) { return p.OpenChannel(now, {.label = std::move(label)}); });
  }
  bool Send(datachannel::ChannelId channel, std::vector<uint8_t> payload) {
    return handle
        .Call([&](Peer& p, Timestamp now) {
          return p.Send(now, channel, datachannel::MessageKind::kBinary, std::move(payload));
        })
        .has_value();
  }

  std::vector<datachannel::ReceivedMessage> messages;
  std::vector<ConnectionState> states;
  std::optional<datachannel::ChannelId> remote_channel;
  std::optional<datachannel::ChannelId> open_channel;
  size_t octets = 0;
  bool read = true;
  std::function<void(PeerEvent&)> on_event;
  std::function<void()> on_room;
  PeerHandle handle;  // last: what it silences goes after it
};

// Offer and answer from hand to hand.
inline void Signal(TestPeer& a, TestPeer& z) {
  const auto offer = a.handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
  ASSERT_TRUE(offer) << offer.error().message;
  const auto set =
      z.handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, *offer); });
  ASSERT_TRUE(set) << set.error().message;
  const auto answer = z.handle.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); });
  ASSERT_TRUE(answer) << answer.error().message;
  const auto done =
      a.handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kAnswer, *answer); });
  ASSERT_TRUE(done) << done.error().message;
}

}  // namespace jsp::transport::io::testing
