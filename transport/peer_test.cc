#include "transport/peer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::ChannelOptions;
using datachannel::MessageKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PeerPair;

std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

template <class Event>
const Event* FindEvent(const PeerPair::Side& side) {
  for (const auto& event : side.events) {
    if (const auto* found = std::get_if<Event>(&event)) return found;
  }
  return nullptr;
}

TEST(PeerTest, ConnectsAndEchoesThroughEveryLayer) {
  PeerPair pair;
  const auto channel = pair.a.peer->OpenChannel(pair.now, {.label = "chat"});
  ASSERT_TRUE(channel);
  ASSERT_TRUE(pair.a.peer->Send(pair.now, *channel, MessageKind::kString, Bytes("hello")));
  ASSERT_TRUE(pair.Connect());
  (void)pair.a.peer->Send(pair.now, *channel, MessageKind::kString, Bytes("again"));
  ASSERT_TRUE(
      pair.RunUntil([&] { return !pair.z.messages.empty() && pair.z.messages.back().payload == Bytes("again"); }));
  const auto* opened = FindEvent<datachannel::event::ChannelOpenedByPeer>(pair.z);
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(pair.z.peer->channel_options(opened->channel)->label, "chat");
  ASSERT_TRUE(pair.z.peer->Send(pair.now, opened->channel, MessageKind::kBinary, Bytes("back")));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a.messages.size() == 1; }));
  EXPECT_EQ(pair.a.messages[0].kind, MessageKind::kBinary);
}

TEST(PeerTest, ReportsTheStepsOfConnectingInOrder) {
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const auto timings = pair.a.peer->stats().timings;
  ASSERT_TRUE(timings.gathered && timings.first_check && timings.ice_connected && timings.dtls_connected &&
              timings.sctp_connected);
  EXPECT_LE(*timings.first_check, *timings.ice_connected);
  EXPECT_LE(*timings.ice_connected, *timings.dtls_connected);
  EXPECT_LE(*timings.dtls_connected, *timings.sctp_connected);
  EXPECT_EQ(pair.a.peer->stats().dtls_parameters.protocol, "DTLSv1.2");
}

TEST(PeerTest, TellsWhatSctpNegotiated) {
  PeerPair pair;
  EXPECT_FALSE(pair.a.peer->stats().sctp.negotiated);
  ASSERT_TRUE(pair.Connect());
  const auto negotiated = pair.a.peer->stats().sctp.negotiated;
  ASSERT_TRUE(negotiated);
  EXPECT_TRUE(negotiated->partial_reliability && negotiated->stream_reset && negotiated->interleaving &&
              negotiated->zero_checksum && negotiated->ecn);
  EXPECT_EQ(negotiated->incoming_streams, 65535);
  EXPECT_EQ(negotiated->outgoing_streams, 65535);
}

// What is on the wire of `pair` from a, by the first octet of the datagram (RFC 7983 §7).
std::vector<std::pair<uint8_t, EcnMark>> SentByA(const PeerPair& pair) {
  std::vector<std::pair<uint8_t, EcnMark>> sent;
  for (const auto& packet : pair.wire) {
    if (packet.to_z) sent.emplace_back(packet.bytes[0], packet.ecn);
  }
  return sent;
}

TEST(PeerTest, NewDataAloneMayBeMarked) {  // RFC 3168 §6.1.1
  constexpr uint8_t kApplicationData = 23;
  PeerPair pair;
  const auto channel = pair.a.peer->OpenChannel(pair.now, {.label = "marked"});
  ASSERT_TRUE(channel && pair.Signal());
  const auto up = [&] {
    for (const auto& [first, ecn] : SentByA(pair)) {
      EXPECT_TRUE(first == kApplicationData || ecn == EcnMark::kNotEct) << int{first};
    }
    return pair.a.peer->channel_state(*channel) == datachannel::ChannelState::kOpen;
  };
  ASSERT_TRUE(pair.RunUntil(up));
  ASSERT_TRUE(pair.a.peer->Send(pair.now, *channel, MessageKind::kBinary, Bytes(std::string(3000, 'a'))));
  pair.wire.clear();
  pair.Settle();
  const auto sent = SentByA(pair);
  ASSERT_GE(sent.size(), 3u);
  for (const auto& [first, ecn] : sent) EXPECT_EQ(ecn, EcnMark::kEct0);
  // The mark on one of them comes back as a smaller window.
  pair.wire[1].ecn = EcnMark::kCe;
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a.peer->stats().sctp.ecn_reductions == 1; }, seconds(1)));
  EXPECT_EQ(pair.z.peer->stats().sctp.ce_received, 1u);
  EXPECT_EQ(pair.a.peer->stats().sctp.retransmitted_chunks, 0u);
}

TEST(PeerTest, NothingIsMarkableForAPeerThatDoesNotOfferIt) {  // RFC 3168 §6.1.1
  PeerOptions without;
  without.ecn = false;
  PeerPair pair(1, {}, without);
  const auto channel = pair.a.peer->OpenChannel(pair.now, {.label = "unmarked"});
  ASSERT_TRUE(channel && pair.Connect());
  ASSERT_TRUE(pair.a.peer->Send(pair.now, *channel, MessageKind::kBinary, Bytes(std::string(3000, 'a'))));
  pair.wire.clear();
  pair.Settle();
  ASSERT_GE(SentByA(pair).size(), 3u);
  for (const auto& [first, ecn] : SentByA(pair)) EXPECT_EQ(ecn, EcnMark::kNotEct);
}

TEST(PeerTest, NothingIsMarkableOnItsWayToARelay) {  // RFC 8656 §14: a relay may lose the mark
  PeerPair pair;
  const auto channel = pair.a.peer->OpenChannel(pair.now, {.label = "relayed"});
  pair.Signal([](bool is_offer, std::string sdp) {
    const size_t type = sdp.find("typ host");
    return is_offer ? sdp : sdp.replace(type, 8, "typ relay raddr 0.0.0.0 rport 0");
  });
  ASSERT_TRUE(pair.RunUntil([&] { return PeerPair::Count<datachannel::event::ChannelOpen>(pair.a) == 1; }));
  ASSERT_TRUE(pair.a.peer->Send(pair.now, *channel, MessageKind::kBinary, Bytes(std::string(3000, 'a'))));
  pair.wire.clear();
  pair.Settle();
  ASSERT_GE(SentByA(pair).size(), 3u);
  for (const auto& [first, ecn] : SentByA(pair)) EXPECT_EQ(ecn, EcnMark::kNotEct);
}

TEST(PeerTest, ConnectsInAFewRoundTrips) {
  PeerPair pair;
  ASSERT_TRUE(pair.Signal());
  const Timestamp start = pair.now;
  ASSERT_TRUE(pair.RunUntil(
      [&] { return pair.a.peer->stats().timings.sctp_connected && pair.z.peer->stats().timings.sctp_connected; }));
  // One round trip of checks, two of DTLS 1.2, two of SCTP, at 20 ms each, and half of one for the answerer's lead.
  EXPECT_LE(pair.now - start, milliseconds(120));
}

TEST(PeerTest, D11_AWrongFingerprintFailsAtOnceAndDeliversNothing) {  // RFC 8122 §6.2
  PeerPair pair;
  const auto channel = pair.a.peer->OpenChannel(pair.now, {.label = "secret"});
  ASSERT_TRUE(channel);
  (void)pair.a.peer->Send(pair.now, *channel, MessageKind::kString, Bytes("secret"));
  pair.Signal([](bool is_offer, std::string sdp) {
    if (!is_offer) return sdp;
    const size_t at = sdp.find("a=fingerprint:sha-256 ") + 22;
    sdp[at] = sdp[at] == 'A' ? 'B' : 'A';
    return sdp;
  });
  const auto failed = [](const PeerPair::Side& side) { return side.peer->state() == ConnectionState::kFailed; };
  ASSERT_TRUE(pair.RunUntil([&] { return failed(pair.z); }));
  EXPECT_EQ(pair.z.peer->stats().state_reason, "fingerprint mismatch");
  ASSERT_TRUE(pair.RunUntil([&] { return failed(pair.a); }, seconds(2))) << "the alert reaches the other side";
  EXPECT_TRUE(pair.z.messages.empty());
}

TEST(PeerTest, I2_TakesNoDtlsFromAnAddressWithoutACheck) {  // RFC 8445 §12
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const std::vector<uint8_t> hello = {22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
  pair.z.peer->HandleDatagram(pair.now, pair.z.address, *SocketAddress::Parse("203.0.113.9:9"), hello);
  EXPECT_EQ(pair.z.peer->stats().demux.dropped_not_validated, 1u);
  EXPECT_EQ(pair.z.peer->state(), ConnectionState::kCompleted);
}

TEST(PeerTest, D20_CountsDatagramsThatAreNoneOfOurs) {  // RFC 7983 §7
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const uint64_t before = pair.z.peer->stats().demux.dropped_unknown_kind;
  for (const int first : {4, 16, 80, 128, 192, 255}) {
    const std::vector<uint8_t> datagram = {static_cast<uint8_t>(first), 1, 2, 3};
    pair.z.peer->HandleDatagram(pair.now, pair.z.address, pair.a.address, datagram);
  }
  pair.z.peer->HandleDatagram(pair.now, pair.z.address, pair.a.address, {});
  EXPECT_EQ(pair.z.peer->stats().demux.dropped_unknown_kind, before + 7);
  EXPECT_EQ(pair.z.peer->state(), ConnectionState::kCompleted);
}

TEST(PeerTest, SurvivesGarbageFromTheRightAddress) {
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  Rng rng = Rng::FromNumber(7);
  for (int i = 0; i < 2000; ++i) {
    std::vector<uint8_t> datagram(1 + rng.Below(200));
    rng.Fill(datagram);
    datagram[0] = static_cast<uint8_t>(i % 64);
    pair.z.peer->HandleDatagram(pair.now, pair.z.address, pair.a.address, datagram);
  }
  const auto channel = pair.a.peer->OpenChannel(pair.now, {.label = "after"});
  (void)pair.a.peer->Send(pair.now, *channel, MessageKind::kString, Bytes("still here"));
  EXPECT_TRUE(pair.RunUntil([&] { return !pair.z.messages.empty(); }));
}

TEST(PeerTest, R6_AnApplicationThatDoesNotReadStopsTheSenderAndLosesNothing) {
  PeerOptions options;
  options.sctp.receive_window = 256 * 1024;
  options.sctp.max_send_buffer = 512 * 1024;
  PeerPair pair(3, options, options);
  ASSERT_TRUE(pair.Connect());
  pair.z.read = false;
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "bulk"});
  size_t accepted = 0;
  for (int round = 0; round < 200; ++round) {
    while (pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(16384))) ++accepted;
    (void)pair.RunUntil([] { return false; }, milliseconds(50));
  }
  EXPECT_LE(accepted * 16384, 256u * 1024 + 512 * 1024 + 65536) << "bounded by window and send buffer";
  EXPECT_EQ(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(16384)).error(),
            datachannel::SendError::kQueueFull);
  pair.z.read = true;
  EXPECT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == accepted; }));
}

TEST(PeerTest, R8_ClosingAChannelWhileTheSendBufferIsFullLosesNothing) {  // RFC 8831 §6.7
  PeerOptions options;
  options.sctp.max_send_buffer = 64 * 1024;
  options.sctp.max_message_size = 64 * 1024;
  PeerPair pair(5, options, options);
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "bulk"});
  size_t accepted = 0;
  while (pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(16384))) ++accepted;
  EXPECT_EQ(accepted, 4u) << "the whole buffer; the OPEN that goes before takes room of the last one";
  pair.a.peer->CloseChannel(pair.now, channel);
  ASSERT_TRUE(pair.Connect());
  EXPECT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == accepted; }));
  EXPECT_TRUE(pair.RunUntil([&] { return pair.a.peer->channel_state(channel) == datachannel::ChannelState::kClosed; }));
}

TEST(PeerTest, P28_MessagesWaitUntilAReaderAttaches) {
  PeerPair pair;
  pair.z.read = false;
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "early"});
  for (int i = 0; i < 26; ++i) (void)pair.a.peer->Send(pair.now, channel, MessageKind::kString, Bytes("m"));
  (void)pair.RunUntil([] { return false; }, seconds(1));
  pair.z.read = true;
  pair.Settle();
  EXPECT_EQ(pair.z.messages.size(), 26u);
}

TEST(PeerTest, ClosingTellsTheOtherSide) {
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  pair.a.peer->Close(pair.now);
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kClosed);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z.peer->state() == ConnectionState::kClosed; }, seconds(1)));
  EXPECT_EQ(pair.z.peer->stats().state_reason, "the peer closed the connection");
  EXPECT_EQ(pair.a.peer->NextTimeout(), Timestamp::Never());
}

TEST(PeerTest, I11_StopsSendingWhenConsentIsLost) {  // RFC 7675 §5.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  pair.cut = true;
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a.peer->state() == ConnectionState::kDisconnected; }));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a.peer->state() == ConnectionState::kFailed; }));
  const uint64_t sent = pair.a.peer->stats().demux.datagrams_sent;
  (void)pair.RunUntil([] { return false; }, seconds(60));
  EXPECT_EQ(pair.a.peer->stats().demux.datagrams_sent, sent);
}

TEST(PeerTest, BufferedAmountCountsWhatHasNotLeftAndTellsItsLowWater) {
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "bulk"});
  pair.a.peer->SetBufferedAmountLowThreshold(channel, 1000);
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(200'000)));
  EXPECT_EQ(pair.a.peer->buffered_amount(channel), 200'000u);
  ASSERT_TRUE(pair.RunUntil([&] { return !pair.z.messages.empty(); }));
  EXPECT_EQ(pair.a.peer->buffered_amount(channel), 0u);
  EXPECT_EQ(PeerPair::Count<datachannel::event::BufferedAmountLow>(pair.a), 1u);
}

TEST(PeerTest, RefusesAMessageAboveThePeersLimitAndStaysConnected) {  // RFC 8841 §6.1
  PeerOptions small;
  small.sctp.max_message_size = 1000;
  PeerPair pair(1, {}, small);
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  EXPECT_EQ(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(1001)).error(),
            datachannel::SendError::kTooLarge);
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(1000)));
  EXPECT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == 1; }));
}

TEST(PeerTest, RefusesAnOversizeLabel) {  // RFC 8832 §5.1
  PeerPair pair;
  EXPECT_EQ(pair.a.peer->OpenChannel(pair.now, {.label = std::string(65536, 'x')}).error(),
            datachannel::OpenError::kLabelTooLong);
}

TEST(PeerTest, BadSdpNamesTheLineAndChangesNothing) {
  PeerPair pair;
  const auto refused = pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, "v=0\r\nnonsense\r\n");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("line 2"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(pair.Connect());
}

TEST(PeerTest, SignallingVerbsOutOfOrderAreErrors) {
  PeerPair pair;
  EXPECT_EQ(pair.a.peer->CreateAnswer(pair.now).error().code, DescriptionError::Code::kWrongState);
  const auto offer = pair.a.peer->CreateOffer(pair.now);
  ASSERT_TRUE(offer);
  EXPECT_EQ(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kOffer, *offer).error().code,
            DescriptionError::Code::kWrongState);
  pair.a.peer->Close(pair.now);
  EXPECT_EQ(pair.a.peer->CreateOffer(pair.now).error().code, DescriptionError::Code::kClosed);
}

TEST(PeerTest, ChannelsOfEverySizeAndKindCrossALossyPath) {
  PeerPair pair(11);
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "sizes"});
  const std::vector<size_t> sizes = {0, 1, 1200, 65536, 262144};
  for (const size_t size : sizes) {
    ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(size, 7)));
    ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kString, std::vector<uint8_t>(size, 'x')));
  }
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == 2 * sizes.size(); }));
  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(pair.z.messages[2 * i].payload.size(), sizes[i]);
    EXPECT_EQ(pair.z.messages[2 * i].kind, MessageKind::kBinary);
    EXPECT_EQ(pair.z.messages[2 * i + 1].kind, MessageKind::kString);
  }
}

}  // namespace
}  // namespace jsp::transport
