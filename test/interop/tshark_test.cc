#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "datachannel/channel_set.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/error_cause/user_initiated_abort.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
#include "test/interop/dissection.h"
namespace jsp::interop {
namespace {

using namespace std::chrono_literals;
using sctp::AssociationPair;
using sctp::ChunkType;
using sctp::Ppid;
using sctp::StreamId;
using Side = AssociationPair::Side;
namespace event = sctp::event;

// One capture that tshark and we both read.
class TsharkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (HasTshark()) return;
    GTEST_SKIP() << "tshark is not installed";
  }

  void Watch(AssociationPair& pair) {
    pair.set_filter([this, &pair](Side from, std::span<const uint8_t> packet) {
      capture_.Record(pair.now(), from == Side::kA ? Capture::Direction::kAToZ : Capture::Direction::kZToA, packet);
      return false;
    });
  }
  void Record(const std::vector<sctp::SentPacket>& packets) {
    for (const sctp::SentPacket& packet : packets) {
      capture_.Record(packet.at, Capture::Direction::kAToZ, packet.octets);
    }
  }

  // tshark's reading; fails where it complains or differs from ours.
  const std::vector<DissectedPacket>& Compare() {
    const char* directory = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    const std::string path =
        (directory == nullptr ? testing::TempDir() : std::string(directory) + "/") + name + ".pcapng";
    capture_.Write(path);
    auto dissected = Dissect(path);
    EXPECT_TRUE(dissected) << "tshark failed";
    dissected_ = std::move(*dissected);
    EXPECT_EQ(dissected_.size(), capture_.packets().size());
    for (size_t i = 0; i < std::min(dissected_.size(), capture_.packets().size()); ++i) ComparePacket(i);
    return dissected_;
  }

  // Chunk types that tshark saw in any packet.
  std::set<uint64_t> Types() const {
    std::set<uint64_t> types;
    for (const DissectedPacket& packet : dissected_) {
      if (const auto found = packet.numbers.find("sctp.chunk_type"); found != packet.numbers.end()) {
        types.insert(found->second.begin(), found->second.end());
      }
    }
    return types;
  }
  void ExpectTypes(const std::vector<ChunkType>& expected) const {
    const auto types = Types();
    for (const ChunkType type : expected) {
      EXPECT_TRUE(types.contains(static_cast<uint8_t>(type))) << "no chunk of type " << int{static_cast<uint8_t>(type)};
    }
  }

  // What tshark complains about because it does not know it.
  struct Excuse {
    bool zero_checksum = false;
  };
  Excuse excuse_;
  Capture capture_;

 private:
  void ComparePacket(size_t i) {
    const DissectedPacket& packet = dissected_[i];
    EXPECT_FALSE(packet.malformed) << "packet " << i + 1;
    const bool is_excused = excuse_.zero_checksum && packet.numbers.at("sctp.checksum")[0] == 0 &&
                            packet.expert.starts_with("Bad SCTP checksum.");
    if (!is_excused) {
      EXPECT_LT(packet.worst_severity, kWarning) << "packet " << i + 1 << ": " << packet.expert;
    }
    const Fields own = OwnReading(capture_.packets()[i]);
    EXPECT_FALSE(own.empty());
    for (const auto& [name, numbers] : own) {
      const auto found = packet.numbers.find(name);
      EXPECT_EQ(found == packet.numbers.end() ? std::vector<uint64_t>() : found->second, numbers)
          << name << " of packet " << i + 1;
    }
    for (const auto& [name, numbers] : packet.numbers) {
      if (name.starts_with("rtcdc.") || name.starts_with("sctp.checksum")) continue;
      EXPECT_TRUE(own.contains(name)) << name << " of packet " << i + 1 << " is tshark's alone";
    }
  }

  std::vector<DissectedPacket> dissected_;
};

AssociationPair::Config Config(bool interleaving, bool zero_checksum, uint64_t seed) {
  AssociationPair::Config config;
  config.a.interleaving = config.z.interleaving = interleaving;
  config.a.zero_checksum = config.z.zero_checksum = zero_checksum;
  // Not across the wrap: tshark compares acknowledged TSNs as plain numbers, and calls every repetition reneged there.
  config.a.initial_tsn = config.z.initial_tsn = sctp::Tsn(1000);
  config.seed = seed;
  return config;
}

// Everything that an association does in its life, short of its end.
void Live(AssociationPair& pair) {
  ASSERT_TRUE(pair.Connect());
  pair.set_link({.loss = 0.05, .duplicate = 0.05, .reorder = 0.1});
  for (uint16_t i = 0; i < 40; ++i) {
    sctp::SendOptions options;
    options.unordered = i % 2 == 1;
    if (i % 4 >= 2) options.max_retransmits = 0;
    const StreamId stream(static_cast<uint16_t>(i % 3));
    ASSERT_TRUE(pair.a().Send(pair.now(), sctp::MakeMessage(stream.value, 100u + 400u * i, 1), options));
    ASSERT_TRUE(pair.z().Send(pair.now(), sctp::MakeMessage(stream.value, 1u + 3u * i, 2), options));
    pair.Run(20ms);
  }
  pair.Run(10s);
  pair.set_link({});
  ASSERT_TRUE(pair.a().ResetStreams(pair.now(), std::vector{StreamId(1), StreamId(2)}));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.CountEvents<event::OutgoingStreamsReset>(Side::kA) > 0; }, 1min));
  pair.Run(2min);  // heartbeats
}

TEST_F(TsharkTest, ReadsALifeWithDataAndShutdownAsWeDo) {  // RFC 9260 §3, RFC 3758 §3, RFC 6525 §3
  AssociationPair pair(Config(false, false, 1));
  Watch(pair);
  Live(pair);
  pair.a().Shutdown(pair.now());
  pair.Run(1s);
  for (const DissectedPacket& packet : Compare()) {
    EXPECT_EQ(packet.numbers.at("sctp.checksum.status"), std::vector<uint64_t>{1});  // good
  }
  ExpectTypes({ChunkType::kInit, ChunkType::kInitAck, ChunkType::kCookieEcho, ChunkType::kCookieAck, ChunkType::kData,
               ChunkType::kSack, ChunkType::kForwardTsn, ChunkType::kReconfig, ChunkType::kHeartbeat,
               ChunkType::kHeartbeatAck, ChunkType::kShutdown, ChunkType::kShutdownAck, ChunkType::kShutdownComplete});
}

TEST_F(TsharkTest, ReadsALifeWithIDataAndAbortAsWeDo) {  // RFC 8260 §2
  AssociationPair pair(Config(true, false, 2));
  Watch(pair);
  Live(pair);
  pair.a().Abort(pair.now(), "enough of it");
  pair.Run(1s);
  for (const DissectedPacket& packet : Compare()) {
    EXPECT_EQ(packet.numbers.at("sctp.checksum.status"), std::vector<uint64_t>{1});
  }
  ExpectTypes({ChunkType::kIData, ChunkType::kIForwardTsn, ChunkType::kReconfig, ChunkType::kAbort});
  EXPECT_FALSE(Types().contains(static_cast<uint8_t>(ChunkType::kData)));
}

// tshark 4.0 knows neither the parameter nor that a zero is right: it shows both, and its complaint is about the zero.
TEST_F(TsharkTest, ReadsZeroChecksumsWithoutKnowingThem) {  // RFC 9653 §4, §5.2
  AssociationPair pair(Config(true, true, 3));
  Watch(pair);
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), sctp::MakeMessage(1, 3000)));
  pair.Run(1s);
  excuse_.zero_checksum = true;
  size_t zeros = 0;
  for (const DissectedPacket& packet : Compare()) {
    const bool is_zero = packet.numbers.at("sctp.checksum")[0] == 0;
    EXPECT_EQ(packet.numbers.at("sctp.checksum.status")[0], is_zero ? 0u : 1u);
    const uint64_t type = packet.numbers.at("sctp.chunk_type")[0];
    zeros += is_zero;
    if (type != static_cast<uint8_t>(ChunkType::kInit)) continue;
    EXPECT_FALSE(is_zero);
    EXPECT_EQ(std::ranges::count(packet.numbers.at("sctp.parameter_type"), 0x8001u), 1);
  }
  EXPECT_GE(zeros, 4u);
}

// What only a peer that misbehaves gets to see.
TEST_F(TsharkTest, ReadsOurErrorsAndAbortsAsWeDo) {  // RFC 9260 §3.3.7, §3.3.10
  const std::vector<uint8_t> payload{1, 2, 3};
  {
    sctp::EstablishedPeer peer;
    Record(peer.Deliver(sctp::RawChunk{0xee, 0, {1, 2, 3}}));  // Unrecognized Chunk Type
    Record(peer.Deliver(peer.NextData(65535, 0, payload)));    // Invalid Stream Identifier
    Record(peer.Deliver(peer.NextData(1, 0, {})));             // No User Data: ABORT
  }
  {
    sctp::ScriptedPeer peer;  // nothing is connected: what comes is out of the blue, and the answer has the T bit
    Record(peer.DeliverWithTag(sctp::VerificationTag(7), sctp::ShutdownAckChunk{}));
    Record(peer.DeliverWithTag(sctp::VerificationTag(9), peer.NextData(1, 0, payload)));
  }
  {
    sctp::EstablishedPeer peer;
    peer.core.Abort(peer.now, "five5");
    Record(peer.Drain());
  }
  {
    sctp::ScriptedPeer peer({.parameters = {0xc0, 0x77, 0, 8, 'w', 'x', 'y', 'z'}});  // Unrecognized Parameter
    Record(peer.DeliverWithTag(sctp::VerificationTag(0), peer.OwnInit()));
  }
  {
    sctp::ScriptedPeer peer({.streams = 0});  // Invalid Mandatory Parameter
    Record(peer.DeliverWithTag(sctp::VerificationTag(0), peer.OwnInit()));
  }
  Compare();
  ExpectTypes({ChunkType::kError, ChunkType::kAbort, ChunkType::kShutdownComplete, ChunkType::kInitAck});
  EXPECT_GE(capture_.packets().size(), 8u);
}

// Channels of all types, as DCEP announces them (RFC 8832 §5.1).
TEST_F(TsharkTest, ReadsDataChannelsAsTheyWereOpened) {  // RFC 8832 §5
  using datachannel::ChannelOptions;
  datachannel::ChannelSet channels(datachannel::Options{});
  AssociationPair pair(Config(false, false, 4));
  Watch(pair);
  ASSERT_TRUE(pair.Connect());
  channels.HandleConnected(pair.now(), datachannel::DtlsRole::kClient, 1000);
  std::vector<ChannelOptions> opened;
  for (const bool ordered : {true, false}) {
    for (const int kind : {0, 1, 2}) {
      ChannelOptions options;
      options.label = "label " + std::to_string(opened.size());
      options.protocol = opened.size() % 2 == 0 ? "protocol" : "";
      options.ordered = ordered;
      if (kind == 1) options.max_retransmits = 7;
      if (kind == 2) options.max_lifetime = 3s;
      options.priority = 512;
      ASSERT_TRUE(channels.OpenChannel(pair.now(), options));
      opened.push_back(options);
    }
  }
  while (auto transmit = channels.PollTransmit(pair.now(), {})) {
    ASSERT_TRUE(pair.a().Send(pair.now(), std::move(transmit->message), transmit->options));
  }
  pair.Run(1s);
  size_t seen = 0;
  for (const DissectedPacket& packet : Compare()) {
    const auto type = packet.numbers.find("rtcdc.channel_type");
    if (type == packet.numbers.end()) continue;
    // A packet may carry several; tshark joins their texts.
    for (size_t i = 0; i < type->second.size(); ++i, ++seen) {
      ASSERT_LT(seen, opened.size());
      const ChannelOptions& options = opened[seen];
      EXPECT_EQ(packet.numbers.at("rtcdc.message_type")[i], 3u);
      EXPECT_EQ(packet.numbers.at("rtcdc.priority")[i], 512u);
      EXPECT_EQ(type->second[i], (options.ordered ? 0u : 0x80u) + (options.max_retransmits ? 1u : 0u) +
                                     (options.max_lifetime ? 2u : 0u));
      EXPECT_EQ(packet.numbers.at("rtcdc.reliability_parameter")[i], options.max_retransmits ? 7u
                                                                     : options.max_lifetime  ? 3000u
                                                                                             : 0u);
      EXPECT_NE(packet.texts.at("rtcdc.label").find(options.label), std::string::npos);
    }
  }
  EXPECT_EQ(seen, opened.size());
}

}  // namespace
}  // namespace jsp::interop
