// Datagrams that came together (UDP_GRO) are what they are one by one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "stun/message_view.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using testing::PeerPair;
using namespace std::chrono_literals;

constexpr size_t kMessage = 10'000;  // within the first window

class PeerTrainTest : public ::testing::Test {
 protected:
  void SetUp() override {
    channel_ = *pair_.a.peer->OpenChannel(pair_.now, {.label = "trains"});
    ASSERT_TRUE(pair_.Connect());
    (void)pair_.RunUntil([] { return false; }, 500ms);
    pair_.wire.clear();
    pair_.z.events.clear();
  }
  void Send() {
    ASSERT_TRUE(pair_.a.peer->Send(pair_.now, channel_, MessageKind::kBinary, std::vector<uint8_t>(kMessage, 7)));
    // A paced burst, all of it still on its way.
    pair_.delay = 1s;
    (void)pair_.RunUntil([] { return false; }, 300ms);
    pair_.delay = 10ms;
  }
  // What is under way to z and as long as the first, joined; what is shorter ends it.
  std::vector<uint8_t> TakeTrain() {
    std::vector<uint8_t> train;
    segment_ = pair_.wire.empty() ? 1 : pair_.wire.front().bytes.size();
    size_t last = segment_;
    while (!pair_.wire.empty() && last == segment_) {
      const auto packet = std::move(pair_.wire.front());
      pair_.wire.pop_front();
      last = packet.bytes.size();
      if (last > segment_) break;
      train.insert(train.end(), packet.bytes.begin(), packet.bytes.end());
    }
    return train;
  }
  void Deliver(std::span<const uint8_t> train) {
    pair_.z.peer->HandleTrain(pair_.now, pair_.z.address, pair_.a.address, {train, segment_});
    pair_.Settle();
  }
  uint64_t Received() const { return pair_.z.peer->stats().demux.datagrams_received; }

  PeerPair pair_;
  datachannel::ChannelId channel_{};
  size_t segment_ = 1;
};

TEST_F(PeerTrainTest, RecordsOfATrainAreAsGoodAsApart) {
  Send();
  const auto train = TakeTrain();
  const uint64_t before = Received();
  const uint64_t opened = pair_.z.peer->stats().dtls.records_opened;
  ASSERT_GT(train.size(), 5 * segment_);
  Deliver(train);
  EXPECT_EQ(Received() - before, (train.size() + segment_ - 1) / segment_);
  EXPECT_EQ(pair_.z.peer->stats().dtls.records_opened - opened, (train.size() + segment_ - 1) / segment_);
  EXPECT_TRUE(pair_.RunUntil([&] { return !pair_.z.messages.empty(); }));
  EXPECT_EQ(pair_.z.messages.at(0).payload.size(), kMessage);
  EXPECT_EQ(pair_.z.peer->stats().paths.direct.datagrams_received, Received());
}

TEST_F(PeerTrainTest, AForgedRecordCostsNoOther) {
  Send();
  auto train = TakeTrain();
  ASSERT_GT(train.size(), 5 * segment_);
  train[2 * segment_ + segment_ / 2] ^= 0x40;
  Deliver(train);
  EXPECT_TRUE(pair_.z.messages.empty());
  EXPECT_EQ(pair_.z.peer->stats().dtls.dropped.at(static_cast<size_t>(dtls::DropReason::kNotAuthentic)), 1u);
  EXPECT_TRUE(pair_.RunUntil([&] { return !pair_.z.messages.empty(); }));
  EXPECT_EQ(pair_.z.messages.at(0).payload.size(), kMessage);
  EXPECT_GE(pair_.a.peer->stats().sctp.retransmitted_chunks, 1u);
}

TEST_F(PeerTrainTest, ACheckBehindRecordsIsAnswered) {
  std::vector<uint8_t> check;
  pair_.passes = [&](const PeerPair::Packet& packet) {
    if (packet.to_z && stun::MessageView::LooksLikeStun(packet.bytes)) check = packet.bytes;
    return check.empty();
  };
  ASSERT_TRUE(pair_.RunUntil([&] { return !check.empty(); }));
  pair_.passes = [](const PeerPair::Packet&) { return true; };
  pair_.wire.clear();
  Send();
  auto train = TakeTrain();
  train.resize(train.size() / segment_ * segment_);  // its full records
  ASSERT_LT(check.size(), segment_);
  train.insert(train.end(), check.begin(), check.end());
  pair_.wire.clear();
  Deliver(train);
  const auto is_answer = [](const PeerPair::Packet& packet) {
    const auto message = stun::MessageView::Parse(packet.bytes);
    return !packet.to_z && message && message->message_class() == stun::MessageClass::kSuccessResponse;
  };
  EXPECT_TRUE(std::ranges::any_of(pair_.wire, is_answer));
}

TEST_F(PeerTrainTest, WhatFollowsAGoodbyeIsDropped) {
  Send();
  const auto train = TakeTrain();
  pair_.wire.clear();
  pair_.a.peer->Close(pair_.now);
  pair_.Settle();
  const auto goodbye = TakeTrain();  // ABORT and close_notify
  Deliver(goodbye);
  EXPECT_EQ(pair_.z.peer->state(), ConnectionState::kClosed);
  segment_ = 1200;
  Deliver(train);
  EXPECT_TRUE(pair_.z.messages.empty());
}

TEST_F(PeerTrainTest, StrangersGetNoFurtherThanOneByOne) {
  Send();
  const auto train = TakeTrain();
  const auto before = pair_.z.peer->stats();
  pair_.z.peer->HandleTrain(pair_.now, pair_.z.address, *SocketAddress::Parse("203.0.113.9:9"), {train, segment_});
  const auto after = pair_.z.peer->stats();
  EXPECT_EQ(after.demux.dropped_not_validated - before.demux.dropped_not_validated,
            (train.size() + segment_ - 1) / segment_);
  EXPECT_EQ(after.dtls.records_opened, before.dtls.records_opened);
}

}  // namespace
}  // namespace jsp::transport
