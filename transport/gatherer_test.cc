#include "transport/gatherer.h"

#include <gtest/gtest.h>

#include <array>
#include <span>

#include "stun/server.h"

namespace jsp::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SocketAddress kLocal = *SocketAddress::Parse("10.0.0.2:5000");
const SocketAddress kServer = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kMapped = *SocketAddress::Parse("198.51.100.7:41000");

class GathererTest : public ::testing::Test {
 protected:
  Gatherer Make(std::vector<SocketAddress> servers) {
    GathererOptions options;
    options.stun_servers = std::move(servers);
    options.retransmit = {.rto = milliseconds(250), .rc = 3, .rm = 4};
    return Gatherer(options, rng_);
  }
  void Advance(Gatherer& gatherer, Duration by) {
    now_ = now_ + by;
    gatherer.HandleTimeout(now_);
  }
  // Lets the server see every request, as coming from `mapped`, and carries the answers back.
  int Exchange(Gatherer& gatherer, const SocketAddress& mapped) {
    int requests = 0;
    std::array<uint8_t, 1500> buffer;
    while (auto out = gatherer.PollTransmit(now_, buffer)) {
      ++requests;
      server_.HandleDatagram(now_, out->remote, mapped, std::span(buffer).first(out->size));
      std::array<uint8_t, 1500> answer;
      while (auto in = server_.PollTransmit(now_, answer)) {
        EXPECT_TRUE(gatherer.HandleDatagram(now_, out->local, out->remote, std::span(answer).first(in->size)));
      }
    }
    return requests;
  }
  std::vector<ice::Candidate> Candidates(Gatherer& gatherer) {
    std::vector<ice::Candidate> found;
    while (auto event = gatherer.PollEvent()) {
      if (auto* gathered = std::get_if<gather_event::CandidateGathered>(&*event)) found.push_back(gathered->candidate);
    }
    return found;
  }

  Rng rng_ = Rng::FromNumber(1);
  stun::Server server_{stun::ServerOptions{}};
  Timestamp now_ = Timestamp::FromEpoch(seconds(1));
};

TEST_F(GathererTest, GivesHostCandidatesAtOnceAndCompletesWithoutServers) {  // RFC 8445 §5.1.1.1
  Gatherer gatherer = Make({});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].type, ice::CandidateType::kHost);
  EXPECT_EQ(found[0].base, kLocal);
  EXPECT_TRUE(gatherer.is_complete());
  EXPECT_EQ(gatherer.NextTimeout(), Timestamp::Never());
}

TEST_F(GathererTest, LearnsAReflexiveCandidateFromTheServer) {  // RFC 8445 §5.1.1.2
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].type, ice::CandidateType::kServerReflexive);
  EXPECT_EQ(found[1].address, kMapped);
  EXPECT_EQ(found[1].base, kLocal);
  EXPECT_EQ(found[1].related, kLocal);
  EXPECT_TRUE(gatherer.is_complete());
}

TEST_F(GathererTest, DropsReflexiveCandidatesThatAreTheBaseOrRepeated) {  // RFC 8445 §5.1.3
  Gatherer gatherer = Make({kServer, *SocketAddress::Parse("192.0.2.2:3478")});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  Advance(gatherer, milliseconds(50));
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  EXPECT_EQ(Candidates(gatherer).size(), 2u) << "host, and one reflexive candidate for two equal answers";

  Gatherer open = Make({kServer});
  open.AddLocalAddress(now_, {kLocal});
  open.EndOfLocalAddresses(now_);
  Exchange(open, kLocal);
  EXPECT_EQ(Candidates(open).size(), 1u);
}

TEST_F(GathererTest, SpacesTransactionsByTheFirstAtOnce) {  // RFC 8445 §14.2
  Gatherer gatherer = Make({kServer, *SocketAddress::Parse("192.0.2.2:3478"), *SocketAddress::Parse("192.0.2.3:3478")});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  EXPECT_EQ(gatherer.NextTimeout(), now_ + milliseconds(50));
  Advance(gatherer, milliseconds(49));
  EXPECT_EQ(Exchange(gatherer, kMapped), 0);
  Advance(gatherer, milliseconds(1));
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
}

TEST_F(GathererTest, P16_ADeadServerDelaysTheEndNoLongerThanTheDeadline) {
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  const Timestamp start = now_;
  std::array<uint8_t, 1500> buffer;
  while (!gatherer.is_complete()) {
    while (gatherer.PollTransmit(now_, buffer)) {
    }
    const Timestamp next = gatherer.NextTimeout();
    ASSERT_NE(next, Timestamp::Never());
    now_ = next;
    gatherer.HandleTimeout(now_);
  }
  EXPECT_LE(now_ - start, seconds(3));
  EXPECT_EQ(Candidates(gatherer).size(), 1u);
}

TEST_F(GathererTest, P16_AnUnreachableServerDoesNotDelayTheEnd) {  // RFC 8489 §6.3.4
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  std::array<uint8_t, 1500> buffer;
  ASSERT_TRUE(gatherer.PollTransmit(now_, buffer));
  gatherer.HandleUnreachable(now_, kLocal, *SocketAddress::Parse("192.0.2.1:9"));
  gatherer.HandleUnreachable(now_, *SocketAddress::Parse("10.0.0.3:5000"), kServer);
  EXPECT_FALSE(gatherer.is_complete()) << "of another server, and of another address";
  gatherer.HandleUnreachable(now_, kLocal, kServer);
  EXPECT_TRUE(gatherer.is_complete());
  EXPECT_EQ(Candidates(gatherer).size(), 1u);
}

TEST_F(GathererTest, I10_RefusesAddressesThatNobodyCouldReach) {  // RFC 8445 §5.1.1.1
  Gatherer gatherer = Make({kServer});
  for (const char* bad : {"0.0.0.0:5000", "224.0.0.1:5000", "255.255.255.255:5000", "10.0.0.2:0", "[::]:5000",
                          "[::192.0.2.1]:5000", "[fec0::1]:5000"}) {
    gatherer.AddLocalAddress(now_, {*SocketAddress::Parse(bad)});
  }
  EXPECT_TRUE(Candidates(gatherer).empty());
}

TEST_F(GathererTest, KeepsBindingsAliveUntilIceHasConcluded) {  // RFC 8445 §5.1.1.4
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);
  ASSERT_TRUE(gatherer.is_complete());
  for (int minute = 0; minute < 4; ++minute) {
    EXPECT_EQ(gatherer.NextTimeout(), now_ + seconds(15));
    Advance(gatherer, seconds(15));
    EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  }
  EXPECT_EQ(Candidates(gatherer).size(), 2u) << "the same mapping is no news";
  gatherer.Conclude({});
  EXPECT_EQ(gatherer.NextTimeout(), Timestamp::Never());
  Advance(gatherer, seconds(15));
  EXPECT_EQ(Exchange(gatherer, kMapped), 0);
}

TEST_F(GathererTest, KeepsBindingsOfBasesInUseWhenItHasConcluded) {  // RFC 8445 §8.3.1
  const SocketAddress other = *SocketAddress::Parse("10.0.1.2:50000");
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.AddLocalAddress(now_, {other});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);
  Advance(gatherer, std::chrono::milliseconds(50));
  Exchange(gatherer, kMapped);
  ASSERT_TRUE(gatherer.is_complete());
  gatherer.Conclude(std::span(&other, 1));
  for (int i = 0; i < 4; ++i) {
    Advance(gatherer, seconds(15));
    EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  }
}

TEST_F(GathererTest, ASessionThatLostItsPathHasServersAskedAgain) {
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);
  gatherer.Resume(now_);
  EXPECT_EQ(Exchange(gatherer, kMapped), 0) << "nothing was given up";
  gatherer.Conclude({});
  Candidates(gatherer);
  Advance(gatherer, seconds(100));
  gatherer.Resume(now_);
  const SocketAddress moved = *SocketAddress::Parse("198.51.100.7:41001");
  EXPECT_TRUE(gatherer.is_complete());
  EXPECT_EQ(Exchange(gatherer, moved), 1);
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].address, moved);
  EXPECT_EQ(gatherer.NextTimeout(), now_ + seconds(15)) << "and it is kept alive again";
}

TEST_F(GathererTest, TheConclusionAndALostAddressEndKeepalivesThatAreUnderWay) {
  for (const bool concludes : {true, false}) {
    Gatherer gatherer = Make({kServer});
    gatherer.AddLocalAddress(now_, {kLocal});
    gatherer.EndOfLocalAddresses(now_);
    Exchange(gatherer, kMapped);
    Advance(gatherer, seconds(15));
    concludes ? gatherer.Conclude({}) : gatherer.RemoveLocalAddress(kLocal);
    EXPECT_EQ(Exchange(gatherer, kMapped), 0) << concludes;
    EXPECT_EQ(gatherer.NextTimeout(), Timestamp::Never()) << concludes;
  }
}

TEST_F(GathererTest, ANewAddressIsKeptAliveAlsoAfterTheConclusion) {
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);
  gatherer.Conclude({});
  gatherer.AddLocalAddress(now_, {*SocketAddress::Parse("10.0.1.2:50000")});
  Advance(gatherer, std::chrono::milliseconds(50));
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  Advance(gatherer, seconds(15));
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
}

TEST_F(GathererTest, ARestartAsksAgainAndFindsAMovedMapping) {  // RFC 8445 §9
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);
  gatherer.Conclude({});
  EXPECT_EQ(Candidates(gatherer).size(), 2u);
  now_ = now_ + seconds(100);
  gatherer.Restart(now_);
  EXPECT_FALSE(gatherer.is_complete());
  const SocketAddress moved = *SocketAddress::Parse("198.51.100.7:41001");
  EXPECT_EQ(Exchange(gatherer, moved), 1);
  EXPECT_TRUE(gatherer.is_complete());
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 1u) << "the host candidate is known";
  EXPECT_EQ(found[0].address, moved);
  EXPECT_FALSE(found[0].foundation.empty()) << "else the peer checks it only when the one before has failed";
}

TEST_F(GathererTest, ARestartWaitsForRelaysThatAreAskedAgain) {  // RFC 8445 §9
  GathererOptions options;
  options.waits_for_relays = true;
  Gatherer gatherer(options, rng_);
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  gatherer.HandleRelaysSettled();
  ASSERT_TRUE(gatherer.is_complete());
  gatherer.Restart(now_);
  EXPECT_FALSE(gatherer.is_complete());
  gatherer.HandleRelaysSettled();
  EXPECT_TRUE(gatherer.is_complete());
}

TEST_F(GathererTest, AddressesComeAndGoAfterItsEnd) {
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);
  ASSERT_TRUE(gatherer.is_complete());
  EXPECT_EQ(Candidates(gatherer).size(), 2u);
  gatherer.RemoveLocalAddress(kLocal);
  EXPECT_TRUE(gatherer.local_addresses().empty());
  EXPECT_EQ(gatherer.NextTimeout(), Timestamp::Never()) << "its binding is not kept";
  now_ = now_ + seconds(1);
  const SocketAddress fresh = *SocketAddress::Parse("10.0.9.2:5000");
  gatherer.AddLocalAddress(now_, {fresh});
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].address, fresh);
  EXPECT_EQ(found[1].base, fresh);
  gatherer.AddLocalAddress(now_, {kLocal});
  EXPECT_EQ(Candidates(gatherer).size(), 1u) << "an address that came back is a candidate again";
}

TEST_F(GathererTest, AnAddressThatGoesDoesNotHoldUpTheEnd) {
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_FALSE(gatherer.is_complete());
  gatherer.RemoveLocalAddress(kLocal);
  EXPECT_TRUE(gatherer.is_complete());
}

TEST_F(GathererTest, AServerLearntLateIsAskedOnce) {  // RFC 8445 §5.1.1.2
  Gatherer gatherer = Make({});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.AddServer(now_, kServer);
  gatherer.AddServer(now_, kServer);
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  EXPECT_EQ(Candidates(gatherer).size(), 2u);
}

TEST_F(GathererTest, AsksOnlyServersThatTheAddressCanReach) {
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {*SocketAddress::Parse("127.0.0.1:5000")});
  gatherer.AddLocalAddress(now_, {*SocketAddress::Parse("[2001:db8::2]:5000")});
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_EQ(Exchange(gatherer, kMapped), 0);
  EXPECT_TRUE(gatherer.is_complete());
}

TEST_F(GathererTest, S7_IgnoresAnswersFromAnotherAddress) {
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  std::array<uint8_t, 1500> buffer;
  auto out = gatherer.PollTransmit(now_, buffer);
  ASSERT_TRUE(out);
  server_.HandleDatagram(now_, kServer, kMapped, std::span(buffer).first(out->size));
  auto answer = server_.PollTransmit(now_, buffer);
  ASSERT_TRUE(answer);
  (void)gatherer.HandleDatagram(now_, kLocal, *SocketAddress::Parse("203.0.113.9:3478"),
                                std::span(buffer).first(answer->size));
  EXPECT_EQ(Candidates(gatherer).size(), 1u);
}

TEST_F(GathererTest, APortMappedAtTheGatewayIsAReflexiveCandidate) {  // RFC 6887 §11
  Gatherer gatherer = Make({});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.AwaitPortMappings();
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_FALSE(gatherer.is_complete());
  const SocketAddress gateway = *SocketAddress::Parse("10.0.0.1:5351");
  gatherer.HandlePortMapped(kLocal, kMapped, gateway);
  gatherer.HandlePortMapped(kLocal, kMapped, gateway);
  gatherer.HandlePortMapped(*SocketAddress::Parse("10.0.0.9:1"), kMapped, gateway);  // no socket of ours
  gatherer.HandlePortMappingsSettled();
  EXPECT_TRUE(gatherer.is_complete());
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].type, ice::CandidateType::kServerReflexive);
  EXPECT_EQ(found[1].address, kMapped);
  EXPECT_EQ(found[1].base, kLocal);
  EXPECT_EQ(found[1].server, gateway);
  gatherer.HandlePortMapped(kLocal, *SocketAddress::Parse("198.51.100.7:1"), gateway);
  EXPECT_TRUE(Candidates(gatherer).empty());  // too late
}

TEST_F(GathererTest, WaitsForMappingsNoLongerThanForServers) {
  Gatherer gatherer = Make({});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.AwaitPortMappings();
  gatherer.EndOfLocalAddresses(now_);
  Advance(gatherer, milliseconds(2999));
  EXPECT_FALSE(gatherer.is_complete());
  Advance(gatherer, milliseconds(1));
  EXPECT_TRUE(gatherer.is_complete());
}

TEST_F(GathererTest, PredictsBehindANatWithSequentialPorts) {
  const SocketAddress second = *SocketAddress::Parse("192.0.2.2:3478");
  Gatherer gatherer = Make({kServer, second});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);  // the first of them; the other is paced
  Advance(gatherer, milliseconds(50));
  Exchange(gatherer, {kMapped.ip, static_cast<uint16_t>(kMapped.port + 1)});
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 1u + 2u + 8u);
  for (size_t i = 0; i < 10; ++i) {
    const ice::Candidate& candidate = found[i + 1];
    EXPECT_EQ(candidate.type, ice::CandidateType::kServerReflexive);
    EXPECT_EQ(candidate.base, kLocal);
    EXPECT_EQ(candidate.address.port, kMapped.port + i);
    // None waits for another (RFC 8445 §6.1.2.6).
    for (size_t k = 2; k < i; ++k) EXPECT_NE(found[k + 1].foundation, candidate.foundation);
  }
  EXPECT_TRUE(gatherer.is_complete());
}

TEST_F(GathererTest, AsksTheSecondPortOfALonelyServer) {  // RFC 5780 §7.4
  const SocketAddress alternate = *SocketAddress::Parse("192.0.2.9:3479");
  server_ = stun::Server(stun::ServerOptions{.behavior = {{kServer, alternate}}});
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  std::array<uint8_t, 1500> buffer;
  std::array<uint8_t, 1500> answer;
  std::vector<SocketAddress> asked;
  for (uint16_t port = kMapped.port; port < kMapped.port + 3; ++port, Advance(gatherer, milliseconds(50))) {
    const auto out = gatherer.PollTransmit(now_, buffer);
    if (!out) break;
    asked.push_back(out->remote);
    server_.HandleDatagram(now_, out->remote, {kMapped.ip, port}, std::span(buffer).first(out->size));
    const auto in = server_.PollTransmit(now_, answer);
    ASSERT_TRUE(in);
    gatherer.HandleDatagram(now_, out->local, out->remote, std::span(answer).first(in->size));
  }
  // The other port of the same host: on its word no other one is asked.
  EXPECT_EQ(asked, (std::vector<SocketAddress>{kServer, {kServer.ip, alternate.port}}));
  EXPECT_EQ(Candidates(gatherer).size(), 1u + 2u + 8u);
  EXPECT_TRUE(gatherer.is_complete());
}

TEST_F(GathererTest, ASilentSecondPortDelaysForLessThanASecond) {
  server_ = stun::Server(stun::ServerOptions{.behavior = {{kServer, *SocketAddress::Parse("192.0.2.9:3479")}}});
  Gatherer gatherer = Make({kServer});
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  EXPECT_FALSE(gatherer.is_complete());
  const Timestamp answered = now_;
  std::array<uint8_t, 1500> buffer;
  while (!gatherer.is_complete()) {
    while (gatherer.PollTransmit(now_, buffer)) {
    }
    ASSERT_NE(gatherer.NextTimeout(), Timestamp::Never());
    now_ = gatherer.NextTimeout();
    gatherer.HandleTimeout(now_);
  }
  EXPECT_LE(now_ - answered, milliseconds(800));
}

TEST_F(GathererTest, PredictsNothingWhenToldNotTo) {
  GathererOptions options;
  options.stun_servers = {kServer, *SocketAddress::Parse("192.0.2.2:3478")};
  options.prediction.is_enabled = false;
  Gatherer gatherer(options, rng_);
  gatherer.AddLocalAddress(now_, {kLocal});
  gatherer.EndOfLocalAddresses(now_);
  Exchange(gatherer, kMapped);
  Advance(gatherer, milliseconds(50));
  Exchange(gatherer, {kMapped.ip, static_cast<uint16_t>(kMapped.port + 1)});
  EXPECT_EQ(Candidates(gatherer).size(), 3u);
}

TEST_F(GathererTest, AsksNothingForWhatTheFilterWouldNotAdmit) {
  GathererOptions options;
  options.stun_servers = {kServer};
  options.filter.without = {*IpPrefix::Parse("10.0.0.0/24")};
  options.filter.max_network_cost = 50;
  Gatherer by_address(options, rng_);
  by_address.AddLocalAddress(now_, {kLocal});
  by_address.AddLocalAddress(now_, {.address = *SocketAddress::Parse("10.0.1.2:5000"), .network_cost = 900});
  EXPECT_EQ(Exchange(by_address, kMapped), 0);
  EXPECT_TRUE(by_address.local_addresses().empty());
  options.filter = {};
  options.filter.server_reflexive = false;
  Gatherer by_type(options, rng_);
  by_type.AddLocalAddress(now_, {kLocal});
  by_type.AddServer(now_, *SocketAddress::Parse("192.0.2.2:3478"));
  by_type.EndOfLocalAddresses(now_);
  EXPECT_EQ(Exchange(by_type, kMapped), 0);
  EXPECT_TRUE(by_type.is_complete()) << "nobody is waited for";
}

TEST_F(GathererTest, TellsOnlyWhatTheFilterAdmits) {
  GathererOptions options;
  options.stun_servers = {kServer};
  options.filter.host = false;
  Gatherer gatherer(options, rng_);
  gatherer.AddLocalAddress(now_, {kLocal});
  EXPECT_EQ(Exchange(gatherer, kMapped), 1);
  const auto found = Candidates(gatherer);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].type, ice::CandidateType::kServerReflexive);
  options.filter = {};
  options.filter.without = {*IpPrefix::Parse("198.51.100.0/24")};
  Gatherer of_mapped(options, rng_);
  of_mapped.AddLocalAddress(now_, {kLocal});
  EXPECT_EQ(Exchange(of_mapped, kMapped), 1);
  EXPECT_EQ(Candidates(of_mapped).size(), 1u) << "the host, without its mapped address";
}

}  // namespace
}  // namespace jsp::transport
