// A hostile server, an erratic owner and a jumping clock, from a seed: nothing may crash, loop, grow without bound, or
// speak to anybody but the server (T11).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/rng.h"
#include "turn/client.h"
#include "turn/testing/scripted_server.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::MessageClass;

constexpr std::array kTypes{AttributeType::kXorRelayedAddress,
                            AttributeType::kXorMappedAddress,
                            AttributeType::kXorPeerAddress,
                            AttributeType::kLifetime,
                            AttributeType::kData,
                            AttributeType::kIcmp,
                            AttributeType::kConnectionId,
                            AttributeType::kNonce,
                            AttributeType::kRealm,
                            AttributeType::kErrorCode,
                            AttributeType::kAlternateServer,
                            AttributeType::kMobilityTicket,
                            AttributeType::kPasswordAlgorithms,
                            AttributeType::kChannelNumber};

SocketAddress RandomAddress(Rng& rng) {
  constexpr std::array kIps{"198.51.100.1", "198.51.100.2", "127.0.0.1", "0.0.0.0", "224.0.0.1", "2001:db8::1", "::1"};
  return {*IpAddress::Parse(kIps[rng.Below(kIps.size())]), static_cast<uint16_t>(rng.Below(4))};
}

void AddRandomAttribute(MessageBuilder& b, Rng& rng) {
  const AttributeType type = kTypes[rng.Below(kTypes.size())];
  switch (rng.Below(5)) {
    case 0: {
      std::array<uint8_t, 40> value;
      rng.Fill(value);
      b.Add(type, std::span(value).first(rng.Below(value.size())));
      break;
    }
    case 1:
      b.AddAddress(type == AttributeType::kXorMappedAddress ? type : AttributeType::kXorRelayedAddress,
                   RandomAddress(rng));
      break;
    case 2:
      b.AddAddress(AttributeType::kXorPeerAddress, RandomAddress(rng));
      break;
    case 3:
      Add(b, Lifetime{static_cast<uint32_t>(rng.Below(3) * 0x7fffffff)});
      break;
    default:
      b.AddText(rng.Below(2) == 0 ? AttributeType::kNonce : AttributeType::kRealm, "x");
  }
}

class Fuzzer {
 public:
  explicit Fuzzer(uint64_t seed) : rng_(Rng::FromNumber(seed)), s_(Options(rng_)) {}

  void Step() {
    s_.now = s_.now + Duration(static_cast<Duration::rep>(rng_.Below(rng_.Below(10) == 0 ? 400'000'000 : 300'000)));
    switch (rng_.Below(4)) {
      case 0:
        Command();
        break;
      case 1:
        s_.client.HandleTimeout(s_.now);
        break;
      default:
        FromServer();
    }
    for (auto& message : s_.Sent()) {
      ASSERT_LE(message.octets.size(), 70000u);
      requests_.push_back(std::move(message));
    }
    if (requests_.size() > 50) requests_.erase(requests_.begin(), requests_.begin() + 25);
    while (auto event = s_.client.PollEvent()) {
      ASSERT_FALSE(closed_) << "an event after the last one";
      closed_ = std::holds_alternative<event::Closed>(*event);
      if (const auto* pending = std::get_if<event::ConnectionPending>(&*event)) connection_ = pending->id;
    }
  }
  bool closed() const { return closed_; }

 private:
  static ClientOptions Options(Rng& rng) {
    auto options = ScriptedServer::DefaultOptions();
    options.transport = rng.Below(2) == 0 ? ControlTransport::kUdp : ControlTransport::kTcp;
    if (options.transport == ControlTransport::kTcp && rng.Below(2) == 0) options.relay = RelayProtocol::kTcp;
    options.mobility = rng.Below(2) == 0;
    options.families = static_cast<RelayFamilies>(rng.Below(4));
    options.first_data = static_cast<FirstData>(rng.Below(2));
    options.limits = {.max_permissions = 3, .max_channels = 3, .max_connections = 3, .max_queued = 3};
    return options;
  }

  void Command() {
    std::array<uint8_t, 200> out;
    const SocketAddress peer = RandomAddress(rng_);
    const SocketAddress local = RandomAddress(rng_);
    switch (rng_.Below(10)) {
      case 0:
        s_.client.Start(s_.now);
        break;
      case 1:
        s_.client.Restart(s_.now, local);
        break;
      case 2:
        if (rng_.Below(40) == 0) s_.client.Close(s_.now);
        break;
      case 3:
        (void)s_.client.AddPermission(s_.now, peer.ip);
        break;
      case 4:
        (void)s_.client.BindChannel(s_.now, peer);
        break;
      case 5:
        s_.client.Forget(s_.now, peer);
        break;
      case 6:
        (void)s_.client.Connect(s_.now, peer);
        break;
      case 7:
        s_.client.BindConnection(s_.now, connection_, local);
        if (rng_.Below(2) == 0) s_.client.HandleConnectionClosed(connection_);
        break;
      case 8:
        (void)s_.client.Move(s_.now, local);
        break;
      default:
        (void)s_.client.Send(s_.now, peer, std::span(out).first(rng_.Below(100)), out);
    }
  }

  // An answer to a request, honest or not, or something out of the blue.
  void FromServer() {
    constexpr std::array<uint16_t, 12> kCodes{300, 400, 401, 403, 420, 437, 438, 441, 446, 447, 486, 508};
    if (requests_.empty() || rng_.Below(4) == 0) return OutOfTheBlue();
    const auto& request = requests_[rng_.Below(requests_.size())];
    if (!request.is_stun()) return;
    const auto integrity = static_cast<ScriptedServer::Integrity>(rng_.Below(8) == 0 ? rng_.Below(3) : 0);
    const auto compose = [&](MessageBuilder& b) {
      if (rng_.Below(3) != 0) ScriptedServer::AddAllocation(b, static_cast<uint32_t>(rng_.Below(1000)));
      if (rng_.Below(2) == 0) Add(b, ConnectionId{static_cast<uint32_t>(rng_.Below(5))});
      for (uint64_t i = rng_.Below(4); i > 0; --i) AddRandomAttribute(b, rng_);
    };
    switch (rng_.Below(4)) {
      case 0:
        s_.Challenge(request, rng_.Below(3) == 0 ? uint16_t{438} : uint16_t{401}, "nonce");
        break;
      case 1:
        s_.Refuse(request, kCodes[rng_.Below(kCodes.size())], compose, integrity);
        break;
      default:
        s_.Succeed(request, compose, integrity);
    }
  }

  void OutOfTheBlue() {
    std::array<uint8_t, 300> out;
    rng_.Fill(out);
    switch (rng_.Below(4)) {
      case 0:
        s_.Deliver(std::span(out).first(rng_.Below(out.size())));
        break;
      case 1: {
        const auto payload = std::span<const uint8_t>(out).first(rng_.Below(50));
        std::array<uint8_t, 100> message;
        s_.Deliver(
            WriteChannelData(Framing::kStream, {{static_cast<uint16_t>(0x4000 + rng_.Below(5))}, payload}, message));
        break;
      }
      default:
        s_.Indicate(rng_.Below(2) == 0 ? stun::Method::kData : stun::Method::kConnectionAttempt,
                    [&](MessageBuilder& b) {
                      b.AddAddress(AttributeType::kXorPeerAddress, RandomAddress(rng_));
                      for (uint64_t i = rng_.Below(4); i > 0; --i) AddRandomAttribute(b, rng_);
                    });
    }
  }

  Rng rng_;
  ScriptedServer s_;
  std::vector<ScriptedServer::Message> requests_;
  ConnectionId connection_{};
  bool closed_ = false;
};

TEST(ClientFuzzTest, SurvivesAHostileServerAndAnErraticOwner) {
  size_t closed = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Fuzzer fuzzer(seed);
    for (int step = 0; step < 200; ++step) fuzzer.Step();
    closed += fuzzer.closed();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(closed, 0u);  // the script reaches the end now and then
}

// Every octet of every answer of a usual session flipped, one at a time.
TEST(ClientFuzzTest, AFlippedOctetInAnAnswerIsNeverAnAllocation) {
  ScriptedServer reference;
  reference.client.Start(reference.now);
  reference.Challenge(reference.OnlySent(), 401, "nonce");
  const auto request = reference.OnlySent();
  std::array<uint8_t, 500> out;
  MessageBuilder b(out, {stun::Method::kAllocate, MessageClass::kSuccessResponse}, request.view().transaction_id());
  ScriptedServer::AddAllocation(b);
  reference.key.AddIntegrity(b);
  const auto good = b.Finish();
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<uint8_t> flipped(good.begin(), good.end());
    flipped[i] ^= 0x41;
    reference.Deliver(flipped);
    ASSERT_FALSE(reference.client.is_allocated()) << i;
    ASSERT_FALSE(reference.client.PollEvent()) << i;
  }
  reference.Deliver(good);
  EXPECT_TRUE(reference.client.is_allocated());
}

}  // namespace
}  // namespace jsp::turn
