// What two whole peers allocate for messages in steady state: nothing. What OpenSSL takes inside of a record it takes
// from malloc, not from operator new; that is its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/circular_buffer.hpp>
#include <cstdint>
#include <span>
#include <utility>

#include "test/support/allocations.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::ChannelId;
using datachannel::MessageKind;
using testing::PeerPair;

constexpr size_t kEmpty = 100;           // octets as which an empty message counts
constexpr size_t kUnderWay = 96 * 1024;  // octets of messages between Send and acknowledgement, at least two

// A connected pair, driven from then on by a wire that does not allocate.
class SteadyPeers {
 public:
  explicit SteadyPeers(size_t under_way) : under_way_(under_way) {}
  bool Open(datachannel::ChannelOptions options) {
    room_ = pair_.a.peer->send_buffer_room();
    const auto opened = pair_.a.peer->OpenChannel(pair_.now, std::move(options));
    if (!opened || !pair_.Connect()) return false;
    channel_ = *opened;
    pair_.wire.clear();
    return true;
  }
  // As many messages as are ever under way lie there, unread: the pools of both ends then have blocks for all of them.
  void PileUp(MessageKind kind, size_t octets) {
    Send(kind, octets);
    reads_ = false;
    for (const Timestamp end = pair_.now + std::chrono::milliseconds(100); pair_.now < end;) Step();
    reads_ = true;
  }
  // Sends messages of `octets` until `total` octets were received; empty ones count as kEmpty.
  void Transfer(MessageKind kind, size_t octets, size_t total) {
    for (const size_t end = received_ + total; received_ < end; Step()) Send(kind, octets);
  }
  // Sends them for so long.
  void TransferFor(Duration duration, MessageKind kind, size_t octets) {
    for (const Timestamp end = pair_.now + duration; pair_.now < end; Step()) Send(kind, octets);
  }

 private:
  struct Packet {
    Timestamp at;
    Peer::Transmit transmit;
    std::array<uint8_t, 1500> octets;
  };
  using Wire = boost::circular_buffer<Packet>;

  void Send(MessageKind kind, size_t octets) {
    Peer& a = *pair_.a.peer;
    // RFC 8831 §6.6: an empty message is one octet.
    const size_t limit = octets == 0 ? under_way_ / kEmpty : std::max(under_way_, 2 * octets);
    while (room_ - a.send_buffer_room() + std::max<size_t>(octets, 1) <= limit) {
      Payload payload = octets == 0 ? Payload() : Payload(a.pool());
      payload.assign(octets, 'a');
      if (!a.Send(pair_.now, channel_, kind, std::move(payload))) return;
    }
  }
  void Step() {
    Collect(*pair_.a.peer, to_z_);
    Collect(*pair_.z.peer, to_a_);
    Timestamp next = std::min(pair_.a.peer->NextTimeout(), pair_.z.peer->NextTimeout());
    if (!to_a_.empty()) next = std::min(next, to_a_.front().at);
    if (!to_z_.empty()) next = std::min(next, to_z_.front().at);
    pair_.now = std::max(pair_.now, next);
    Deliver(*pair_.a.peer, to_a_);
    Deliver(*pair_.z.peer, to_z_);
    if (pair_.a.peer->NextTimeout() <= pair_.now) pair_.a.peer->HandleTimeout(pair_.now);
    if (pair_.z.peer->NextTimeout() <= pair_.now) pair_.z.peer->HandleTimeout(pair_.now);
    while (reads_) {
      const auto message = pair_.z.peer->PollAnyMessage(pair_.now);
      if (!message) break;
      received_ += std::max<size_t>(message->payload.size(), kEmpty);
    }
  }
  void Collect(Peer& from, Wire& wire) {
    Packet packet;
    while (const auto transmit = from.PollTransmit(pair_.now, packet.octets)) {
      if (wire.full()) continue;
      packet.at = pair_.now + std::chrono::milliseconds(1);
      packet.transmit = *transmit;
      wire.push_back(packet);
    }
    while (from.PollEvent()) continue;
  }
  void Deliver(Peer& to, Wire& wire) {
    for (; !wire.empty() && wire.front().at <= pair_.now; wire.pop_front()) {
      const Packet& packet = wire.front();
      to.HandleDatagram(pair_.now, packet.transmit.remote, packet.transmit.local,
                        std::span<const uint8_t>(packet.octets).first(packet.transmit.size));
    }
  }

  size_t under_way_;
  PeerPair pair_;
  Wire to_a_{1024};
  Wire to_z_{1024};
  ChannelId channel_;
  size_t room_ = 0;
  size_t received_ = 0;
  bool reads_ = true;
};

struct Case {
  MessageKind kind;
  size_t octets;
  bool ordered;
  size_t under_way = kUnderWay;
};

void ExpectNoAllocations(const Case& is) {
  SteadyPeers peers(is.under_way);
  ASSERT_TRUE(peers.Open({.label = "steady", .ordered = is.ordered}));
  const bool is_large = is.octets > 10000 || is.under_way > kUnderWay;
  const size_t total = is_large ? size_t{8} << 20 : size_t{1} << 20;
  peers.Transfer(is.kind, is.octets, 4 * total);  // until the windows have their size
  peers.PileUp(is.kind, is.octets);
  peers.Transfer(is.kind, is.octets, total);
  const uint64_t before = CountAllocations().count;
  peers.Transfer(is.kind, is.octets, total / 2);
  EXPECT_EQ(CountAllocations().count - before, 0u) << is.octets << (is.ordered ? " ordered" : " unordered");
}

TEST(PeerAllocationTest, BinaryMessagesAllocateNothing) {
  for (const size_t octets : {100u, 1024u, 65536u}) {
    for (const bool ordered : {true, false}) ExpectNoAllocations({MessageKind::kBinary, octets, ordered});
  }
}

// More than a thousand come between two reads, each time.
TEST(PeerAllocationTest, SmallMessagesInLargeBatchesAllocateNothing) {
  ExpectNoAllocations({MessageKind::kBinary, 100, true, size_t{512} * 1024});
}

TEST(PeerAllocationTest, TextAllocatesNothing) { ExpectNoAllocations({MessageKind::kString, 500, true}); }

// RFC 7675 §5.1: consent is asked for every 5 s meanwhile, by both sides.
TEST(PeerAllocationTest, ConsentAllocatesNothingWhileMessagesFlow) {
  constexpr size_t kOctets = 100;
  SteadyPeers peers(4 * kOctets);
  ASSERT_TRUE(peers.Open({.label = "steady"}));
  peers.TransferFor(std::chrono::seconds(12), MessageKind::kBinary, kOctets);
  const uint64_t before = CountAllocations().count;
  peers.TransferFor(std::chrono::seconds(12), MessageKind::kBinary, kOctets);
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

// RFC 8831 §6.6: their placeholder octet is our own.
TEST(PeerAllocationTest, EmptyMessagesAllocateNothing) {
  ExpectNoAllocations({MessageKind::kString, 0, true});
  ExpectNoAllocations({MessageKind::kBinary, 0, false});
}

}  // namespace
}  // namespace jsp::transport
