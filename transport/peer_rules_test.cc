// Rules about SCTP under a session description, held against whole peers: RFC 8841, RFC 8261.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "transport/demux.h"
#include "transport/peer.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using testing::PeerPair;

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

bool IsConnected(const PeerPair& pair) {
  return pair.a.peer->state() == ConnectionState::kCompleted && pair.z.peer->state() == ConnectionState::kCompleted;
}

// A channel of `a` over which a message arrives.
bool CarriesAMessage(PeerPair& pair) {
  const auto channel = pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  if (!channel || !pair.a.peer->Send(pair.now, *channel, MessageKind::kBinary, {1, 2, 3})) return false;
  const size_t before = pair.z.messages.size();
  return pair.RunUntil([&] { return pair.z.messages.size() == before + 1; });
}

TEST(PeerRulesTest, SctpPortsAreThoseOfTheDescriptions) {  // RFC 8841 §9.3, RFC 8261 §6.1
  PeerOptions a_options;
  PeerOptions z_options;
  a_options.sctp.local_port = 6000;
  z_options.sctp.local_port = 7001;
  PeerPair pair(1, a_options, z_options);
  pair.Signal([](bool is_offer, std::string sdp) {
    EXPECT_NE(sdp.find(is_offer ? "a=sctp-port:6000\r\n" : "a=sctp-port:7001\r\n"), std::string::npos);
    return sdp;
  });
  ASSERT_TRUE(pair.RunUntil([&] { return IsConnected(pair); }));
  EXPECT_TRUE(CarriesAMessage(pair));
}

TEST(PeerRulesTest, WithoutAMaxMessageSizeThePeerTakes65536Octets) {  // RFC 8841 §6.1
  PeerPair pair;
  pair.Signal([](bool is_offer, std::string sdp) {
    return is_offer ? sdp : Replaced(std::move(sdp), "a=max-message-size:262144\r\n", "");
  });
  ASSERT_TRUE(pair.RunUntil([&] { return IsConnected(pair); }));
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  EXPECT_EQ(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(65537)).error(),
            datachannel::SendError::kTooLarge);
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(65536)));
  EXPECT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == 1; }));
}

TEST(PeerRulesTest, DirectionsMeanNothingToADataChannel) {  // RFC 8841 §9.2
  for (const std::string_view direction : {"inactive", "sendonly", "recvonly", "sendrecv"}) {
    PeerPair pair;
    pair.Signal([&](bool, std::string sdp) {
      return Replaced(std::move(sdp), "a=sctp-port:", "a=" + std::string(direction) + "\r\na=sctp-port:");
    });
    ASSERT_TRUE(pair.RunUntil([&] { return IsConnected(pair); })) << direction;
    EXPECT_TRUE(CarriesAMessage(pair)) << direction;
  }
}

TEST(PeerRulesTest, ARejectedSectionStartsNothing) {  // RFC 8841 §10.3, §10.4
  for (const bool offer_says_no : {true, false}) {
    for (const bool by_port : {true, false}) {
      PeerPair pair;
      const auto no = [&](std::string sdp) {
        if (!by_port) return Replaced(std::move(sdp), "a=sctp-port:5000", "a=sctp-port:0");
        const size_t at = sdp.find("m=application ") + 14;
        return sdp.replace(at, sdp.find(' ', at) - at, "0");
      };
      pair.Signal([&](bool is_offer, std::string sdp) { return is_offer == offer_says_no ? no(std::move(sdp)) : sdp; });
      size_t secured = 0;
      const auto look = [&] {
        for (const auto& packet : pair.wire) secured += ClassifyPacket(packet.bytes) == PacketKind::kDtls;
        return false;
      };
      (void)pair.RunUntil(look, std::chrono::seconds(5));
      EXPECT_EQ(pair.a.peer->stats().dtls.datagrams_sent + pair.z.peer->stats().sctp.packets_sent, 0u);
      EXPECT_FALSE(IsConnected(pair));
      // An answerer that accepted the offer is the DTLS client of a peer that never answers.
      if (offer_says_no) {
        EXPECT_EQ(secured, 0u);
      }
    }
  }
}

TEST(PeerRulesTest, EverySctpPacketIsOneRecordInOneDatagram) {  // RFC 8261 §6.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(CarriesAMessage(pair));
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "bulk"});
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(200'000)));
  size_t datagrams = 0;
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == 2; }));
  const auto before = pair.a.peer->stats();
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(7'000)));
  pair.Settle();
  for (const auto& packet : pair.wire) {
    datagrams += packet.to_z && ClassifyPacket(packet.bytes) == PacketKind::kDtls;
  }
  const auto after = pair.a.peer->stats();
  EXPECT_GE(datagrams, 5u);
  EXPECT_EQ(after.sctp.packets_sent - before.sctp.packets_sent, datagrams);
  EXPECT_EQ(after.dtls.records_sealed - before.dtls.records_sealed, datagrams);
}

}  // namespace
}  // namespace jsp::transport
