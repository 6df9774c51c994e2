// Two agents and their TCP connections (RFC 6544), with streams between them that come in pieces of any size.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "ice/agent.h"
#include "ice/agent_test_support.h"
#include "ice/tcp_connections.h"
#include "stun/message_view.h"
namespace jsp::ice {
namespace {

using Bytes = std::vector<uint8_t>;
const Bytes kData{23, 254, 253, 1, 2, 3};  // a DTLS record's first octets

Candidate Tcp(const SocketAddress& address, TransportProtocol protocol) {
  Candidate candidate;
  candidate.address = address;
  candidate.protocol = protocol;
  return candidate;
}

// An agent, its connections, and what it heard.
struct Side {
  Side(std::string_view ip, Role role, uint64_t seed)
      : address{*IpAddress::Parse(ip), 5000}, rng(Rng::FromNumber(seed)), agent({.role = role}, rng, At(0s)) {}
  SocketAddress active() const { return {address.ip, kTcpActivePort}; }

  SocketAddress address;  // of its listener
  Rng rng;
  Agent agent;
  TcpConnections tcp{TcpOptions{}};
  EventLog log;
  bool has_completed = false;
  std::vector<Bytes> data;
  size_t requests = 0;  // STUN requests that it sent
  size_t nominations = 0;
};

class TcpAgentTest : public ::testing::Test {
 protected:
  struct End {
    Side* side;
    TcpId id;
    auto operator<=>(const End&) const = default;
  };

  void AddCandidates(Side& side, std::initializer_list<TransportProtocol> protocols) {
    for (const auto protocol : protocols) {
      const bool is_active = protocol == TransportProtocol::kTcpActive;
      ASSERT_TRUE(side.agent.AddLocalCandidate(now_, Tcp(is_active ? side.active() : side.address, protocol)));
    }
    side.agent.EndOfLocalCandidates(now_);
  }
  void Signal() {
    for (auto [from, to] : {std::pair(&a_, &z_), std::pair(&z_, &a_)}) {
      ASSERT_TRUE(to->agent.SetRemoteDescription(now_, {.credentials = from->agent.local_credentials()}));
      for (const Candidate& candidate : from->agent.local_candidates()) {
        ASSERT_TRUE(to->agent.AddRemoteCandidate(now_, candidate));
      }
      to->agent.EndOfRemoteCandidates(now_);
    }
  }
  void Connect() {
    AddCandidates(a_, {TransportProtocol::kTcpActive, TransportProtocol::kTcpPassive});
    AddCandidates(z_, {TransportProtocol::kTcpActive, TransportProtocol::kTcpPassive});
    Signal();
    Run([&] { return a_.log.Saw(State::kCompleted) && z_.log.Saw(State::kCompleted); });
    ASSERT_TRUE(a_.log.Saw(State::kCompleted) && z_.log.Saw(State::kCompleted));
  }

  template <class Done>
  void Run(Done&& done, Duration limit = 60s) {
    const Timestamp end = now_ + limit;
    for (Settle(); !done() && now_ < end; Settle()) {
      Timestamp next = end;
      for (const Side* side : {&a_, &z_}) {
        next = std::min({next, side->agent.NextTimeout(), side->tcp.NextTimeout()});
      }
      now_ = std::max(next, now_ + 1ms);
      for (Side* side : {&a_, &z_}) {
        side->agent.HandleTimeout(now_);
        side->tcp.HandleTimeout(now_);
      }
    }
  }
  // Until nobody has anything to say at this time.
  void Settle() {
    for (bool is_quiet = false; !is_quiet;) {
      is_quiet = true;
      for (Side* side : {&a_, &z_}) is_quiet = !Drain(*side) && is_quiet;
    }
  }
  bool Drain(Side& side) {
    bool did = false;
    std::array<uint8_t, 1500> datagram;
    while (const auto transmit = side.agent.PollTransmit(now_, datagram)) {
      did = true;
      const auto message = stun::MessageView::Parse(std::span(datagram).first(transmit->size));
      if (message->message_class() == stun::MessageClass::kRequest) ++side.requests;
      if (message->Find(stun::AttributeType::kUseCandidate)) ++side.nominations;
      SendTcp(side, {transmit->local, transmit->remote}, std::span(datagram).first(transmit->size));
    }
    std::array<uint8_t, 1500> out;
    while (const auto transmit = side.tcp.PollTransmit(now_, out)) {
      Carry({&side, transmit->id}, std::span(out).first(transmit->size));
      did = true;
    }
    while (auto event = side.tcp.PollEvent()) {
      Handle(side, *event);
      did = true;
    }
    while (const auto event = side.agent.PollEvent()) side.log.Add(*event);
    FollowSelection(side);
    return did;
  }
  void FollowSelection(Side& side) {
    const auto& pair = side.agent.selected_pair();
    side.tcp.Select(now_, pair ? std::optional(AddressPair{pair->local.base, pair->remote.address}) : std::nullopt);
    if (side.agent.state() == State::kCompleted && !std::exchange(side.has_completed, true)) side.tcp.CloseOthers(now_);
  }
  bool SendTcp(Side& side, const AddressPair& path, std::span<const uint8_t> datagram) {
    std::array<uint8_t, 1600> out;
    const auto transmit = side.tcp.Send(now_, path, datagram, out);
    if (!transmit) return false;
    Carry({&side, transmit->id}, std::span(out).first(transmit->size));
    return true;
  }
  bool SendData(Side& side) {
    const auto& pair = side.agent.selected_pair();
    return SendTcp(side, {pair->local.base, pair->remote.address}, kData);
  }
  // One octet at a time: the worst that a stream may do.
  void Carry(const End& from, std::span<const uint8_t> octets) {
    const auto other = links_.find(from);
    if (other == links_.end()) return;
    const End to = other->second;
    for (const uint8_t octet : octets) {
      std::span<const uint8_t> rest(&octet, 1);
      while (const auto received = to.side->tcp.Next(now_, to.id, rest)) Deliver(*to.side, *received);
    }
  }
  void Deliver(Side& side, const TcpConnections::Received& received) {
    if (is_silent_) return;
    const AddressPair path = received.path;
    if (!stun::MessageView::LooksLikeStun(received.datagram)) {
      side.data.emplace_back(received.datagram.begin(), received.datagram.end());
      return;
    }
    (void)side.agent.HandleDatagram(now_, path.local, path.remote, received.datagram);
    if (side.agent.IsAuthenticated(path.local, path.remote)) side.tcp.HandleAuthenticated(now_, path);
  }
  void Handle(Side& side, const TcpConnections::Event& event) {
    if (const auto* wanted = std::get_if<tcp_event::ConnectWanted>(&event)) {
      Open(side, *wanted);
    } else if (const auto* closed = std::get_if<tcp_event::CloseWanted>(&event)) {
      Cut({&side, closed->id});
    } else if (const auto* failed = std::get_if<tcp_event::PathFailed>(&event)) {
      side.agent.HandlePathFailed(now_, failed->path.local, failed->path.remote);
    } else if (const auto* reopened = std::get_if<tcp_event::Reopened>(&event)) {
      side.agent.HandlePathReopened(now_, reopened->path.local, reopened->path.remote);
    }
  }
  void Open(Side& side, const tcp_event::ConnectWanted& wanted) {
    ++connects_;
    Side& other = &side == &a_ ? z_ : a_;
    const SocketAddress from{wanted.local.ip, next_port_++};
    const auto accepted = is_refusing_ || wanted.remote != other.address
                              ? std::nullopt
                              : other.tcp.HandleAccepted(now_, wanted.remote, from);
    if (!accepted) return side.tcp.HandleClosed(now_, wanted.id);
    links_.insert({{&side, wanted.id}, {&other, *accepted}});
    links_.insert({{&other, *accepted}, {&side, wanted.id}});
    side.tcp.HandleConnected(now_, wanted.id);
  }
  // Both ends hear of it.
  void BreakAll() {
    for (const auto& [end, other] : std::exchange(links_, {})) end.side->tcp.HandleClosed(now_, end.id);
    Settle();
  }
  // This end has closed the connection.
  void Cut(const End& end) {
    const auto other = links_.find(end);
    if (other == links_.end()) return;
    const End there = other->second;
    links_.erase(other);
    links_.erase(there);
    there.side->tcp.HandleClosed(now_, there.id);
  }

  Timestamp now_ = At(0s);
  Side a_{"10.0.0.1", Role::kControlling, 1};
  Side z_{"192.0.2.9", Role::kControlled, 2};
  std::map<End, End> links_;
  uint16_t next_port_ = 40000;
  size_t connects_ = 0;
  bool is_refusing_ = false;
  bool is_silent_ = false;  // connections are there, and nobody hears what comes over them
};

TEST_F(TcpAgentTest, ConnectsAndCarriesData) {  // RFC 6544 §7.1, §7.2, §10.1
  Connect();
  ASSERT_TRUE(a_.agent.selected_pair() && z_.agent.selected_pair());
  EXPECT_TRUE(SendData(a_));
  EXPECT_TRUE(SendData(z_));
  EXPECT_EQ(z_.data, std::vector<Bytes>{kData});
  EXPECT_EQ(a_.data, std::vector<Bytes>{kData});
}

TEST_F(TcpAgentTest, NominatesOnceAndOnlyWhatHasSucceeded) {  // RFC 6544 §8: regular nomination
  Connect();
  EXPECT_EQ(a_.nominations, 1u);
  EXPECT_EQ(z_.nominations, 0u);
  EXPECT_GE(a_.requests, 2u);  // a check before the nomination
  EXPECT_TRUE(a_.agent.selected_pair()->nominated);
}

TEST_F(TcpAgentTest, OnlyTheConnectionOfTheSelectedPairStays) {  // RFC 6544 §8
  Connect();
  Run([] { return false; }, 4s);
  EXPECT_EQ(connects_, 2u);  // each side's active candidate to the other's passive one
  EXPECT_EQ(a_.tcp.size(), 1u);
  EXPECT_EQ(z_.tcp.size(), 1u);
  EXPECT_EQ(links_.size(), 2u);
  const AddressPair path{a_.agent.selected_pair()->local.base, a_.agent.selected_pair()->remote.address};
  EXPECT_TRUE(a_.tcp.IsReady(path));
}

TEST_F(TcpAgentTest, TheConnectionStaysForAsLongAsTheSession) {  // RFC 6544 §11.1
  Connect();
  Run([] { return false; }, 600s);
  EXPECT_FALSE(a_.log.Saw(State::kFailed));
  EXPECT_EQ(connects_, 2u);
  EXPECT_TRUE(SendData(a_));
}

TEST_F(TcpAgentTest, ConsentIsAskedForOverTcpAndLostByItsSilence) {  // RFC 7675 §5.1
  Connect();
  const uint64_t before = a_.agent.metrics().consent_requests_sent;
  Run([] { return false; }, 60s);
  EXPECT_GE(a_.agent.metrics().consent_requests_sent - before, 10u) << "every four to six seconds";
  EXPECT_LE(a_.agent.metrics().consent_requests_sent - before, 15u);
  EXPECT_EQ(a_.agent.state(), State::kCompleted);
  is_silent_ = true;
  Run([&] { return a_.log.Saw(State::kFailed); }, 31s);
  EXPECT_EQ(a_.log.ReasonOf(State::kFailed), StateReason::kConsentExpired);
  EXPECT_FALSE(a_.agent.selected_pair());
}

TEST_F(TcpAgentTest, AnActiveCandidateFindsAPassiveOneAndBecomesPeerReflexive) {  // RFC 6544 §7.1
  AddCandidates(a_, {TransportProtocol::kTcpActive});
  AddCandidates(z_, {TransportProtocol::kTcpPassive});
  Signal();
  Run([&] { return a_.log.Saw(State::kCompleted); });
  ASSERT_TRUE(a_.agent.selected_pair());
  EXPECT_EQ(a_.agent.selected_pair()->local.type, CandidateType::kPeerReflexive);
  EXPECT_EQ(a_.agent.selected_pair()->local.address.port, 40000);
  EXPECT_EQ(a_.agent.selected_pair()->local.protocol, TransportProtocol::kTcpActive);
  EXPECT_EQ(connects_, 1u);
}

TEST_F(TcpAgentTest, AConnectionThatIsRefusedFailsItsPairAtOnce) {  // RFC 6544 §7.1
  is_refusing_ = true;
  AddCandidates(a_, {TransportProtocol::kTcpActive});
  AddCandidates(z_, {TransportProtocol::kTcpPassive});
  Signal();
  Settle();
  Run([&] { return !a_.agent.pair_stats().empty() && a_.agent.pair_stats()[0].state == std::string_view("failed"); },
      1s);
  ASSERT_EQ(a_.agent.pair_stats().size(), 1u);
  EXPECT_EQ(a_.agent.pair_stats()[0].state, std::string_view("failed"));
}

TEST_F(TcpAgentTest, ACheckOverTcpIsSentOnce) {  // RFC 6544 §7.1, RFC 8489 §6.2.2
  is_silent_ = true;
  AddCandidates(a_, {TransportProtocol::kTcpActive});
  AddCandidates(z_, {TransportProtocol::kTcpPassive});
  Signal();
  Run([] { return false; }, 30s);
  EXPECT_EQ(a_.requests, 1u);
  ASSERT_EQ(a_.agent.pair_stats().size(), 1u);
  EXPECT_EQ(a_.agent.pair_stats()[0].state, std::string_view("in-progress"));
  Run([] { return false; }, 11s);  // Ti = 39.5 s
  EXPECT_EQ(a_.requests, 1u);
  EXPECT_EQ(a_.agent.pair_stats()[0].state, std::string_view("failed"));
}

// Both sides hear that the connection is gone; the one whose candidate is active opens it again.
TEST_F(TcpAgentTest, ABrokenConnectionIsReopenedAndCheckedAndDataGoesOn) {  // RFC 6544 §11.1
  AddCandidates(a_, {TransportProtocol::kTcpActive});
  AddCandidates(z_, {TransportProtocol::kTcpPassive});
  Signal();
  Run([&] { return a_.log.Saw(State::kCompleted) && z_.log.Saw(State::kCompleted); });
  for (int i = 1; i <= 3; ++i) {
    const size_t requests = a_.requests;
    const size_t triggered = z_.requests;
    BreakAll();
    EXPECT_TRUE(z_.log.Saw(State::kDisconnected));
    Run([&] { return z_.agent.state() == State::kCompleted; }, 5s);
    EXPECT_EQ(connects_, 1u + static_cast<size_t>(i));
    EXPECT_GT(a_.requests, requests);   // the check of the new connection
    EXPECT_GT(z_.requests, triggered);  // which is answered with one (RFC 6544 §11.1)
    EXPECT_EQ(a_.agent.state(), State::kCompleted);
    EXPECT_TRUE(SendData(a_));
    EXPECT_TRUE(SendData(z_));
    EXPECT_EQ(a_.data.size(), static_cast<size_t>(i));
    EXPECT_EQ(z_.data.size(), static_cast<size_t>(i));
    EXPECT_EQ(z_.agent.selected_pair()->remote.address.port, 40000 + i);
    Run([] { return false; }, 20s);
    EXPECT_EQ(a_.tcp.size(), 1u);
    EXPECT_EQ(z_.tcp.size(), 1u);
  }
}

TEST_F(TcpAgentTest, AConnectionThatStaysBrokenEndsTheConsent) {  // RFC 6544 §11.1, RFC 7675 §5.1
  AddCandidates(a_, {TransportProtocol::kTcpActive});
  AddCandidates(z_, {TransportProtocol::kTcpPassive});
  Signal();
  Run([&] { return a_.log.Saw(State::kCompleted) && z_.log.Saw(State::kCompleted); });
  is_refusing_ = true;
  BreakAll();
  EXPECT_EQ(z_.agent.state(), State::kDisconnected);
  Run([] { return false; }, 31s);
  EXPECT_EQ(a_.agent.state(), State::kFailed);
  EXPECT_EQ(z_.agent.state(), State::kFailed);
  EXPECT_LE(connects_, 9u);
}

TEST_F(TcpAgentTest, NeverConnectsFromAPassiveCandidate) {  // RFC 6544 §6.2
  AddCandidates(a_, {TransportProtocol::kTcpPassive});
  AddCandidates(z_, {TransportProtocol::kTcpPassive});
  Signal();
  Run([] { return false; }, 10s);
  EXPECT_EQ(connects_, 0u);
}

}  // namespace
}  // namespace jsp::ice
