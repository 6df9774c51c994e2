// What a connection says that it holds, beside what it takes from the heap, OpenSSL's part included.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "dtls/counted_openssl.h"
#include "test/support/allocations.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using std::chrono::seconds;
using testing::PeerPair;

const bool counts_openssl = dtls::CountOpenSslAllocations();

class PeerAccountingTest : public ::testing::Test {
 protected:
  // Connections of one process share both.
  static PeerOptions Options(Duration nomination_delay = {}) {
    static const std::shared_ptr<const dtls::Certificate> certificate = *dtls::Certificate::Generate();
    PeerOptions options;
    options.certificate = certificate;
    options.ice.nomination.delay = nomination_delay;
    return options;
  }
  void RunFor(Duration duration) {
    (void)pair_->RunUntil([] { return false; }, duration);
  }
  // Ends both. What they said they held is what went with them, to a fifth.
  void ExpectHonesty() {
    ASSERT_TRUE(counts_openssl);
    for (PeerPair::Side* side : {&pair_->a, &pair_->z}) {
      const MemoryStats said = side->peer->stats().memory;
      const size_t before = CountAllocations().octets;
      side->peer.reset();
      const size_t held = before - CountAllocations().octets;
      EXPECT_NEAR(static_cast<double>(said.total()), static_cast<double>(held), static_cast<double>(held) / 5)
          << "fixed " << said.fixed << " handshake " << said.handshake << " working " << said.working << " channels "
          << said.channels << " paths " << said.paths << " pooled " << said.pooled;
    }
  }
  // Six interfaces each, all of which reach each other, and time to check all pairs.
  void AddInterfaces() {
    pair_ = std::make_unique<PeerPair>(1, Options(seconds(3)), Options(seconds(3)));
    for (int i = 3; i <= 7; ++i) {
      const std::string network = "192.0." + std::to_string(i);
      pair_->a.peer->AddLocalAddress(pair_->now, {*SocketAddress::Parse(network + ".1:5000")});
      pair_->z.peer->AddLocalAddress(pair_->now, {*SocketAddress::Parse(network + ".2:6000")});
    }
  }

  std::unique_ptr<PeerPair> pair_ = std::make_unique<PeerPair>(1, Options(), Options());
};

TEST_F(PeerAccountingTest, IsHonestWhenNothingWasSaidYet) { ExpectHonesty(); }

TEST_F(PeerAccountingTest, IsHonestBeforeTheHandshake) {
  ASSERT_TRUE(pair_->Signal());
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestWhenConnected) {
  ASSERT_TRUE(pair_->Connect());
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestWhenTheHandshakeIsForgotten) {
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(1));
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestAtRest) {
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(15));
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestWhenTheSparesAreGone) {
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(50));
  EXPECT_LE(pair_->a.peer->stats().memory.total(), 16u * 1024);
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestWithManyChannels) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(pair_->a.peer->OpenChannel(pair_->now, {.label = "x"}));
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(50));
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestWithManyPairs) {
  AddInterfaces();
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(15));
  EXPECT_EQ(pair_->a.peer->stats().pairs.size(), 36u);
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, FallsWithTheSpares) {
  AddInterfaces();
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(15));
  const size_t before = pair_->a.peer->stats().memory.total();
  RunFor(seconds(30));
  EXPECT_EQ(pair_->a.peer->stats().pairs.size(), 1u);
  EXPECT_LE(pair_->a.peer->stats().memory.total() + 35 * 250, before);
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestDuringARestart) {
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(50));
  ASSERT_TRUE(pair_->a.peer->RestartIce(pair_->now));
  ASSERT_TRUE(pair_->Signal());
  RunFor(seconds(1));
  ExpectHonesty();
}

TEST_F(PeerAccountingTest, IsHonestWhenMessagesCameAndWent) {
  const auto channel = *pair_->a.peer->OpenChannel(pair_->now, {.label = "x"});
  ASSERT_TRUE(pair_->Connect());
  RunFor(seconds(1));
  for (int i = 0; i < 500; ++i) {
    Payload payload(pair_->a.peer->pool());
    payload.assign(1000, 'a');
    ASSERT_TRUE(pair_->a.peer->Send(pair_->now, channel, datachannel::MessageKind::kBinary, std::move(payload)));
  }
  ASSERT_TRUE(pair_->RunUntil([&] { return pair_->z.messages.size() == 500; }));
  pair_->z.messages.clear();
  RunFor(seconds(15));
  ExpectHonesty();
}

}  // namespace
}  // namespace jsp::transport
