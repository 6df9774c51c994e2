#include "ice/tcp_connections.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/rng.h"
namespace jsp::ice {
namespace {

using std::chrono::seconds;
using Bytes = std::vector<uint8_t>;

const SocketAddress kActive = *SocketAddress::Parse("10.0.0.2:9");
const SocketAddress kListener = *SocketAddress::Parse("10.0.0.2:5000");
const SocketAddress kRemote = *SocketAddress::Parse("192.0.2.7:6000");
const AddressPair kPath{kActive, kRemote};

SocketAddress Remote(uint16_t port) { return {kRemote.ip, port}; }

// RFC 8489 §5: an empty Binding request; `tag` tells them apart.
Bytes Stun(uint8_t tag = 0) { return {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tag}; }
const Bytes kData{23, 254, 253, 1, 2};  // a DTLS record's first octets

Bytes Framed(const Bytes& datagram) {
  const auto header = TcpFrameHeader(datagram.size());
  Bytes out(header.begin(), header.end());
  out.insert(out.end(), datagram.begin(), datagram.end());
  return out;
}

class TcpConnectionsTest : public ::testing::Test {
 protected:
  // The octets that go out now, if any do.
  std::optional<Bytes> Send(const AddressPair& path, const Bytes& datagram) {
    return Sent(tcp_.Send(now_, path, datagram, out_));
  }
  std::optional<Bytes> Poll() { return Sent(tcp_.PollTransmit(now_, out_)); }
  template <class E>
  std::optional<E> Next() {
    const auto event = tcp_.PollEvent();
    if (!event || !std::holds_alternative<E>(*event)) return std::nullopt;
    return std::get<E>(*event);
  }
  std::vector<Bytes> Read(TcpId id, const Bytes& octets) {
    std::vector<Bytes> datagrams;
    std::span<const uint8_t> rest(octets);
    while (const auto received = tcp_.Next(now_, id, rest)) {
      datagrams.emplace_back(received->datagram.begin(), received->datagram.end());
    }
    EXPECT_TRUE(rest.empty());
    return datagrams;
  }
  // A connection of ours over which the peer has proved itself.
  TcpId Connect(const AddressPair& path = kPath) {
    EXPECT_FALSE(Send(path, Stun()));
    const auto wanted = Next<tcp_event::ConnectWanted>();
    EXPECT_TRUE(wanted);
    tcp_.HandleConnected(now_, wanted->id);
    EXPECT_EQ(Poll(), Framed(Stun()));
    EXPECT_EQ(Read(wanted->id, Framed(Stun(1))), std::vector<Bytes>{Stun(1)});
    tcp_.HandleAuthenticated(now_, path);
    return wanted->id;
  }
  void Pass(Duration duration) {
    now_ = now_ + duration;
    tcp_.HandleTimeout(now_);
  }
  uint64_t dropped(TcpDrop reason) const { return tcp_.metrics().dropped[static_cast<size_t>(reason)]; }

  Timestamp now_ = Timestamp::FromEpoch(seconds(1));
  TcpConnections tcp_{TcpOptions{}};
  std::array<uint8_t, 70'000> out_{};

 private:
  std::optional<Bytes> Sent(const std::optional<TcpConnections::Transmit>& transmit) {
    if (!transmit) return std::nullopt;
    return Bytes(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(transmit->size));
  }
};

TEST_F(TcpConnectionsTest, ACheckOpensTheConnectionAndWaitsForIt) {  // RFC 6544 §7.1
  EXPECT_FALSE(Send(kPath, Stun()));
  const auto wanted = Next<tcp_event::ConnectWanted>();
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->local, kActive);
  EXPECT_EQ(wanted->remote, kRemote);
  EXPECT_FALSE(Send(kPath, Stun(2)));  // the same connection
  EXPECT_FALSE(tcp_.PollEvent());
  EXPECT_FALSE(Poll());
  tcp_.HandleConnected(now_, wanted->id);
  Bytes both = Framed(Stun());
  const Bytes second = Framed(Stun(2));
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(Poll(), both);
  EXPECT_FALSE(Poll());
  EXPECT_EQ(Send(kPath, Stun(3)), Framed(Stun(3)));
}

TEST_F(TcpConnectionsTest, AConnectionThatCannotBeOpenedFailsItsPath) {  // RFC 6544 §7.1
  (void)Send(kPath, Stun());
  tcp_.HandleClosed(now_, Next<tcp_event::ConnectWanted>()->id);
  const auto failed = Next<tcp_event::PathFailed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->path, kPath);
  EXPECT_EQ(tcp_.size(), 0u);
}

TEST_F(TcpConnectionsTest, AConnectThatHangsIsGivenUp) {
  (void)Send(kPath, Stun());
  const auto wanted = Next<tcp_event::ConnectWanted>();
  EXPECT_EQ(tcp_.NextTimeout(), now_ + seconds(10));
  Pass(seconds(10));
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, wanted->id);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, kPath);
}

TEST_F(TcpConnectionsTest, NoMoreThanFiveConnectsToOneAddressAreUnderWay) {  // RFC 6544 §12
  std::vector<TcpId> under_way;
  for (uint16_t port = 1; port <= 50; ++port) (void)Send({kActive, Remote(port)}, Stun());
  while (const auto wanted = Next<tcp_event::ConnectWanted>()) under_way.push_back(wanted->id);
  EXPECT_EQ(under_way.size(), 5u);
  const AddressPair elsewhere{kActive, *SocketAddress::Parse("192.0.2.8:1")};
  (void)Send(elsewhere, Stun());
  EXPECT_TRUE(Next<tcp_event::ConnectWanted>());
  // Each that ends lets the next one go, in their order.
  tcp_.HandleConnected(now_, under_way[0]);
  EXPECT_EQ(Next<tcp_event::ConnectWanted>()->remote, Remote(6));
  tcp_.HandleClosed(now_, under_way[1]);
  EXPECT_TRUE(Next<tcp_event::PathFailed>());
  EXPECT_EQ(Next<tcp_event::ConnectWanted>()->remote, Remote(7));
  EXPECT_FALSE(tcp_.PollEvent());
}

TEST_F(TcpConnectionsTest, TakesConnectionsOnPassiveCandidates) {  // RFC 6544 §7.2
  const auto id = tcp_.HandleAccepted(now_, kListener, kRemote);
  ASSERT_TRUE(id);
  Bytes stream = Framed(Stun(1));
  const Bytes second = Framed(kData);
  stream.insert(stream.end(), second.begin(), second.end());
  EXPECT_EQ(Read(*id, stream), (std::vector<Bytes>{Stun(1), kData}));
  EXPECT_EQ(Send({kListener, kRemote}, Stun(3)), Framed(Stun(3)));  // the answer goes back the same way
  EXPECT_TRUE(tcp_.IsReady({kListener, kRemote}));
}

TEST_F(TcpConnectionsTest, APassiveCandidateNeverConnects) {  // RFC 6544 §6.2, §11.1
  EXPECT_FALSE(Send({kListener, kRemote}, Stun()));
  EXPECT_FALSE(tcp_.PollEvent());
  EXPECT_EQ(dropped(TcpDrop::kNoConnection), 1u);
}

TEST_F(TcpConnectionsTest, WhatBeginsWithoutStunIsClosed) {  // RFC 6544 §7.1
  (void)Send(kPath, Stun());
  const auto wanted = Next<tcp_event::ConnectWanted>();
  tcp_.HandleConnected(now_, wanted->id);
  EXPECT_TRUE(Read(wanted->id, Framed({'S', 'S', 'H'})).empty());
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, wanted->id);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, kPath);
  EXPECT_EQ(dropped(TcpDrop::kNotStunFirst), 1u);
  EXPECT_TRUE(Read(wanted->id, Framed(Stun())).empty());
  EXPECT_EQ(dropped(TcpDrop::kUnknown), 1u);
}

TEST_F(TcpConnectionsTest, CarriesDataOnceThePeerHasProvedItself) {  // RFC 6544 §10.1
  EXPECT_FALSE(Send(kPath, Stun()));
  const TcpId id = Next<tcp_event::ConnectWanted>()->id;
  tcp_.HandleConnected(now_, id);
  EXPECT_FALSE(tcp_.IsReady(kPath));
  EXPECT_FALSE(Send(kPath, kData));
  EXPECT_EQ(dropped(TcpDrop::kNotVerified), 1u);
  EXPECT_EQ(Poll(), Framed(Stun()));
  tcp_.HandleAuthenticated(now_, kPath);
  EXPECT_TRUE(tcp_.IsReady(kPath));
  EXPECT_EQ(Send(kPath, kData), Framed(kData));
  EXPECT_EQ(Read(id, Framed(Stun(1))), std::vector<Bytes>{Stun(1)});
  EXPECT_EQ(Read(id, Framed(kData)), std::vector<Bytes>{kData});
}

TEST_F(TcpConnectionsTest, FramesADatagramWhereItStands) {  // RFC 4571 §2
  (void)Connect();
  std::ranges::copy(kData, out_.begin());
  const auto transmit = tcp_.Send(now_, kPath, std::span(out_).first(kData.size()), out_);
  ASSERT_TRUE(transmit);
  EXPECT_EQ(Bytes(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(transmit->size)), Framed(kData));
}

TEST_F(TcpConnectionsTest, AConnectionOnWhichNothingIsProvedIsGivenUp) {  // RFC 6544 §7.1: Ti
  EXPECT_FALSE(Send(kPath, Stun()));
  const TcpId id = Next<tcp_event::ConnectWanted>()->id;
  tcp_.HandleConnected(now_, id);
  Pass(seconds(39));
  EXPECT_FALSE(tcp_.PollEvent());
  Pass(seconds(1));
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, id);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, kPath);
  EXPECT_EQ(tcp_.size(), 0u);
}

TEST_F(TcpConnectionsTest, OnlyTheSelectedConnectionStays) {  // RFC 6544 §8
  const TcpId selected = Connect();
  const AddressPair other{kActive, Remote(7000)};
  const TcpId unused = Connect(other);
  const auto accepted = tcp_.HandleAccepted(now_, kListener, Remote(8000));
  tcp_.Select(now_, kPath);
  tcp_.CloseOthers(now_);
  EXPECT_EQ(Send(other, Stun()), Framed(Stun()));  // the peer may not be there yet
  Pass(seconds(3));
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, unused);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, other);  // nobody may fall back on it
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, *accepted);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, (AddressPair{kListener, Remote(8000)}));
  EXPECT_FALSE(tcp_.PollEvent());
  EXPECT_TRUE(tcp_.IsReady(kPath));
  Pass(seconds(3600));  // RFC 6544 §11.1: for as long as the session lasts
  EXPECT_EQ(Read(selected, Framed(kData)), std::vector<Bytes>{kData});
}

TEST_F(TcpConnectionsTest, TheSelectedConnectionIsReopenedAtOnce) {  // RFC 6544 §11.1
  const TcpId first = Connect();
  tcp_.Select(now_, kPath);
  tcp_.HandleClosed(now_, first);
  const auto wanted = Next<tcp_event::ConnectWanted>();
  ASSERT_TRUE(wanted);  // and the path has not failed
  EXPECT_NE(wanted->id, first);
  EXPECT_FALSE(tcp_.PollEvent());
  EXPECT_FALSE(Send(kPath, kData));
  EXPECT_EQ(dropped(TcpDrop::kNotVerified), 1u);
  tcp_.HandleConnected(now_, wanted->id);
  EXPECT_EQ(Next<tcp_event::Reopened>()->path, kPath);
  EXPECT_FALSE(Send(kPath, kData));  // not before a check
  EXPECT_EQ(Send(kPath, Stun()), Framed(Stun()));
  EXPECT_EQ(Read(wanted->id, Framed(Stun(1))).size(), 1u);
  tcp_.HandleAuthenticated(now_, kPath);
  EXPECT_EQ(Send(kPath, kData), Framed(kData));
  EXPECT_EQ(tcp_.metrics().reopened, 1u);
}

// I15: a peer, or somebody on the way, that resets every connection.
// RFC 6544 §11.1 would have it opened again, but there is nowhere to open it from.
TEST_F(TcpConnectionsTest, WhatALostAddressHadIsClosedAndNotReopened) {
  const TcpId selected = Connect();
  tcp_.Select(now_, kPath);
  const SocketAddress elsewhere = *SocketAddress::Parse("10.0.0.3:9");
  (void)Connect({elsewhere, kRemote});
  const auto accepted = tcp_.HandleAccepted(now_, {kActive.ip, kTcpPassivePort}, Remote(6000));
  ASSERT_TRUE(accepted);
  while (tcp_.PollEvent()) {
  }
  tcp_.LoseAddress(kActive.ip);
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, selected);
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, *accepted);
  tcp_.HandleClosed(now_, selected);
  Pass(seconds(60));
  EXPECT_FALSE(Next<tcp_event::ConnectWanted>());
  EXPECT_TRUE(tcp_.IsReady({elsewhere, kRemote}));
}

TEST_F(TcpConnectionsTest, I15_AStormOfResetsSlowsReconnectingDown) {
  TcpId id = Connect();
  tcp_.Select(now_, kPath);
  size_t connects = 0;
  const Timestamp end = now_ + seconds(60);
  for (tcp_.HandleClosed(now_, id); now_ < end;) {
    while (const auto event = tcp_.PollEvent()) {
      const auto* wanted = std::get_if<tcp_event::ConnectWanted>(&*event);
      if (wanted == nullptr) continue;
      ++connects;
      id = wanted->id;
      tcp_.HandleConnected(now_, id);
      if (connects % 2 == 0) tcp_.HandleAuthenticated(now_, kPath);  // even a proof buys nothing
      tcp_.HandleClosed(now_, id);
    }
    const Timestamp next = tcp_.NextTimeout();
    ASSERT_GT(next, now_);  // no spinning
    now_ = std::min(next, end);
    tcp_.HandleTimeout(now_);
  }
  // At 0, 0.25, 0.75, 1.75, 3.75, 7.75 s, then every 8 s.
  EXPECT_GE(connects, 11u);
  EXPECT_LE(connects, 13u);
}

TEST_F(TcpConnectionsTest, AConnectionThatLivedIsReopenedAtOnceAgain) {
  TcpId id = Connect();
  tcp_.Select(now_, kPath);
  for (int i = 0; i < 5; ++i) {
    Pass(seconds(10));
    tcp_.HandleClosed(now_, id);
    const auto wanted = Next<tcp_event::ConnectWanted>();
    ASSERT_TRUE(wanted) << i;
    id = wanted->id;
    tcp_.HandleConnected(now_, id);
    (void)Next<tcp_event::Reopened>();
    tcp_.HandleAuthenticated(now_, kPath);
  }
}

TEST_F(TcpConnectionsTest, ASelectedPathThatCannotBeReopenedFailsAndIsTriedOn) {
  const TcpId first = Connect();
  tcp_.Select(now_, kPath);
  tcp_.HandleClosed(now_, first);
  tcp_.HandleClosed(now_, Next<tcp_event::ConnectWanted>()->id);  // refused
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, kPath);
  EXPECT_FALSE(tcp_.PollEvent());
  Pass(std::chrono::milliseconds(250));
  EXPECT_TRUE(Next<tcp_event::ConnectWanted>());
  tcp_.Select(now_, std::nullopt);  // consent has expired
  tcp_.Close();
  Pass(seconds(60));
  EXPECT_TRUE(Next<tcp_event::CloseWanted>());
  EXPECT_FALSE(tcp_.PollEvent());
  EXPECT_EQ(tcp_.NextTimeout(), Timestamp::Never());
}

TEST_F(TcpConnectionsTest, OneThatIsNotSelectedIsNotReopened) {
  const TcpId first = Connect();
  tcp_.HandleClosed(now_, first);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, kPath);
  Pass(seconds(60));
  EXPECT_FALSE(tcp_.PollEvent());
}

TEST_F(TcpConnectionsTest, APassiveCandidateWaitsUntilThePeerComesBack) {  // RFC 6544 §11.1
  const AddressPair path{kListener, kRemote};
  const auto first = tcp_.HandleAccepted(now_, kListener, kRemote);
  tcp_.Select(now_, path);
  tcp_.CloseOthers(now_);
  tcp_.HandleClosed(now_, *first);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, path);
  EXPECT_FALSE(Send(path, kData));
  EXPECT_FALSE(tcp_.PollEvent());
  const AddressPair again{kListener, Remote(6001)};  // the same peer, from another port
  ASSERT_TRUE(tcp_.HandleAccepted(now_, kListener, Remote(6001)));
  EXPECT_EQ(Send(again, kData), Framed(kData));
  tcp_.Select(now_, again);
  Pass(seconds(3600));
  EXPECT_TRUE(tcp_.IsReady(again));
}

TEST_F(TcpConnectionsTest, WhatComesLateAndIsNotSelectedIsClosed) {
  const TcpId selected = Connect();
  tcp_.Select(now_, kPath);
  tcp_.CloseOthers(now_);
  const auto spare = tcp_.HandleAccepted(now_, kListener, Remote(8000));
  Pass(seconds(29));
  EXPECT_FALSE(tcp_.PollEvent());
  Pass(seconds(1));
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, *spare);
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, (AddressPair{kListener, Remote(8000)}));
  EXPECT_EQ(tcp_.size(), 1u);
  // The one that was selected gets the same time when it yields to another.
  ASSERT_TRUE(tcp_.HandleAccepted(now_, kListener, Remote(8001)));
  tcp_.Select(now_, AddressPair{kListener, Remote(8001)});
  Pass(seconds(30));
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, selected);
  EXPECT_TRUE(tcp_.IsReady({kListener, Remote(8001)}));
}

// I15: whoever knows the credentials may still not have as many as it likes.
TEST_F(TcpConnectionsTest, I15_ManyConnectionsWithTheSameUfragAreBounded) {
  const auto selected = tcp_.HandleAccepted(now_, kListener, Remote(1));
  tcp_.Select(now_, AddressPair{kListener, Remote(1)});
  const auto oldest = tcp_.HandleAccepted(now_, kListener, Remote(2));
  for (uint16_t port = 3; port <= 16; ++port) ASSERT_TRUE(tcp_.HandleAccepted(now_, kListener, Remote(port)));
  EXPECT_FALSE(tcp_.PollEvent());
  EXPECT_TRUE(tcp_.HandleAccepted(now_, kListener, Remote(17)));
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, (AddressPair{kListener, Remote(2)}));
  EXPECT_EQ(Next<tcp_event::CloseWanted>()->id, *oldest);
  for (uint16_t port = 18; port < 1000; ++port) ASSERT_TRUE(tcp_.HandleAccepted(now_, kListener, Remote(port)));
  EXPECT_EQ(tcp_.size(), 16u);
  EXPECT_TRUE(tcp_.IsReady({kListener, Remote(1)}));
  EXPECT_EQ(Read(*selected, Framed(kData)).size(), 1u);
}

TEST_F(TcpConnectionsTest, ConnectionsAreBounded) {
  for (uint16_t port = 1; port <= 64; ++port) (void)Connect({kActive, Remote(port)});
  EXPECT_FALSE(Send({kActive, Remote(65)}, Stun()));
  EXPECT_EQ(Next<tcp_event::PathFailed>()->path, (AddressPair{kActive, Remote(65)}));
  EXPECT_FALSE(tcp_.HandleAccepted(now_, kListener, Remote(66)));
  EXPECT_EQ(dropped(TcpDrop::kTooMany), 2u);
}

TEST_F(TcpConnectionsTest, WhatWaitsForAConnectionIsBounded) {
  for (int i = 0; i < 1000; ++i) (void)Send(kPath, Stun());
  EXPECT_EQ(dropped(TcpDrop::kTooMuchWaits), 1000u - 4096 / (20 + kTcpFrameHeader));
  tcp_.HandleConnected(now_, Next<tcp_event::ConnectWanted>()->id);
  size_t polled = 0;
  while (const auto octets = Poll()) polled += octets->size();
  EXPECT_LE(polled, 4096u);
}

TEST_F(TcpConnectionsTest, ASmallBufferCutsTheStreamAnywhere) {
  (void)Send(kPath, Stun(1));
  tcp_.HandleConnected(now_, Next<tcp_event::ConnectWanted>()->id);
  Bytes stream;
  std::array<uint8_t, 3> small;
  while (const auto transmit = tcp_.PollTransmit(now_, small)) {
    stream.insert(stream.end(), small.begin(), small.begin() + static_cast<std::ptrdiff_t>(transmit->size));
  }
  EXPECT_EQ(stream, Framed(Stun(1)));
}

TEST_F(TcpConnectionsTest, SurvivesAnyOrderOfWhatCanHappen) {
  constexpr uint64_t kSeed = 6544;
  Rng rng = Rng::FromNumber(kSeed);
  std::vector<TcpId> ids{TcpId(1)};
  for (int i = 0; i < 20'000; ++i) {
    const TcpId id = ids[rng.Below(ids.size())];
    const SocketAddress remote = Remote(static_cast<uint16_t>(1 + rng.Below(80)));
    const AddressPair path{rng.Below(2) == 0 ? kActive : kListener, remote};
    switch (rng.Below(8)) {
      case 0:
        (void)Send(path, rng.Below(2) == 0 ? Stun() : kData);
        break;
      case 1:
        tcp_.HandleConnected(now_, id);
        break;
      case 2:
        tcp_.HandleClosed(now_, id);
        break;
      case 3:
        if (const auto accepted = tcp_.HandleAccepted(now_, kListener, remote)) ids.push_back(*accepted);
        break;
      case 4: {
        Bytes noise(rng.Below(40));
        rng.Fill(noise);
        (void)Read(id, rng.Below(2) == 0 ? Framed(Stun()) : noise);
        break;
      }
      case 5:
        tcp_.HandleAuthenticated(now_, path);
        break;
      case 6:
        Pass(std::chrono::milliseconds(rng.Below(3000)));
        break;
      default:
        if (rng.Below(4) == 0) tcp_.Select(now_, path);
        if (rng.Below(50) == 0) tcp_.CloseOthers(now_);
    }
    while (auto event = tcp_.PollEvent()) {
      if (const auto* wanted = std::get_if<tcp_event::ConnectWanted>(&*event)) ids.push_back(wanted->id);
    }
    while (Poll()) {
    }
    ASSERT_LE(tcp_.size(), 64u) << "seed " << kSeed << " step " << i;
    if (ids.size() > 100) ids.erase(ids.begin());
  }
}

}  // namespace
}  // namespace jsp::ice
