// Candidates over TCP in a peer, and who may connect (RFC 6544). What whole connections do is in //test/integration.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "dtls/certificate.h"
#include "ice/stun_attributes.h"
#include "ice/tcp_framing.h"
#include "stun/message_builder.h"
#include "transport/peer.h"

namespace jsp::transport {
namespace {

using std::chrono::seconds;
using Bytes = std::vector<uint8_t>;

const SocketAddress kUdp = *SocketAddress::Parse("192.0.2.1:443");
const SocketAddress kListener = *SocketAddress::Parse("192.0.2.1:443");  // the same port, of TCP
const SocketAddress kRemote = *SocketAddress::Parse("198.51.100.7:50000");

class PeerTcpTest : public ::testing::Test {
 protected:
  void Open(IceTcp mode, PeerOptions options = {}) {
    Begin(mode, std::move(options));
    peer_->EndOfLocalAddresses(now_);
  }
  // Gathering goes on.
  void Begin(IceTcp mode, PeerOptions options = {}) {
    options.certificate = *dtls::Certificate::Generate();
    options.ice_tcp.mode = mode;
    peer_.emplace(options, rng_, now_);
    peer_->AddLocalAddress(now_, {kUdp});
    peer_->AddLocalAddress(now_, {*SocketAddress::Parse("[2001:db8::1]:443")});
    peer_->AddTcpListener(now_, {kListener});
  }
  std::vector<std::string> Lines(const char* type) {
    std::vector<std::string> lines;
    const std::string sdp = *peer_->CreateOffer(now_);
    for (size_t at = sdp.find("a=candidate:"); at != std::string::npos; at = sdp.find("a=candidate:", at + 1)) {
      const std::string line = sdp.substr(at, sdp.find("\r\n", at) - at);
      if (line.find(type) != std::string::npos) lines.push_back(line);
    }
    return lines;
  }
  // A check of the peer's, whose ufrag is "them", with this password of ours.
  Bytes Check(const std::string& password) {
    Bytes out(640);
    const crypto::HmacSha1Key key(crypto::AsBytes(password));
    const std::string username = peer_->local_ufrag() + ":them";
    const ice::CheckContent content{stun::TransactionId::Random(rng_), username, 1, {ice::Role::kControlled, 5}, false};
    out.resize(ice::WriteCheck(out, content, key));
    return out;
  }
  std::string Password() {
    const std::string sdp = *peer_->CreateOffer(now_);
    const size_t at = sdp.find("a=ice-pwd:") + 10;
    return sdp.substr(at, sdp.find("\r\n", at) - at);
  }
  // The octets for one connection that leave now.
  Bytes Sent(ice::TcpId id) {
    Bytes sent;
    std::array<uint8_t, Peer::kMaxDatagram> out;
    while (const auto transmit = peer_->PollTransmit(now_, out)) {
      if (transmit->tcp == id)
        sent.insert(sent.end(), out.begin(), out.begin() + static_cast<ptrdiff_t>(transmit->size));
    }
    return sent;
  }

  Timestamp now_ = Timestamp::FromEpoch(seconds(100));
  Rng rng_ = Rng::FromNumber(6544);
  std::optional<Peer> peer_;
};

TEST_F(PeerTcpTest, GathersActiveAndPassiveCandidatesOfEachAddress) {  // RFC 6544 §4.1, §4.5
  Open(IceTcp::kBoth);
  const auto active = Lines("tcptype active");
  ASSERT_EQ(active.size(), 2u);  // IPv4 and IPv6
  EXPECT_NE(active[0].find(" 192.0.2.1 9 typ host tcptype active"), std::string::npos) << active[0];
  EXPECT_NE(active[1].find(" 2001:db8::1 9 typ host tcptype active"), std::string::npos) << active[1];
  const auto passive = Lines("tcptype passive");
  ASSERT_EQ(passive.size(), 1u);
  EXPECT_NE(passive[0].find(" 192.0.2.1 443 typ host tcptype passive"), std::string::npos) << passive[0];
  EXPECT_EQ(Lines(" UDP ").size() + Lines(" udp ").size(), 2u);
}

TEST_F(PeerTcpTest, CandidatesFollowTheAddressesOfTheHost) {
  Begin(IceTcp::kBoth);
  const LocalAddress v6{*SocketAddress::Parse("[2001:db8::1]:443")};
  const LocalAddress second{*SocketAddress::Parse("192.0.2.1:444")};
  peer_->HandleLocalAddresses(now_, std::vector<LocalAddress>{second, v6});
  EXPECT_EQ(Lines("tcptype active").size(), 2u) << "the address is still there";
  peer_->HandleLocalAddresses(now_, std::vector<LocalAddress>{v6});
  EXPECT_TRUE(Lines("tcptype passive").empty());
  ASSERT_EQ(Lines("tcptype active").size(), 1u);
  EXPECT_NE(Lines("tcptype active")[0].find("2001:db8::1"), std::string::npos);
  const LocalAddress moved{*SocketAddress::Parse("192.0.2.9:443")};
  peer_->HandleLocalAddresses(now_, std::vector<LocalAddress>{v6, moved});
  peer_->AddTcpListener(now_, moved);
  EXPECT_EQ(Lines("tcptype active").size(), 2u);
  ASSERT_EQ(Lines("tcptype passive").size(), 1u);
  EXPECT_NE(Lines("tcptype passive")[0].find(" 192.0.2.9 443 "), std::string::npos);
}

TEST_F(PeerTcpTest, AConnectionGoesWithItsAddress) {  // RFC 6544 §11.1 has nothing to reopen then
  Open(IceTcp::kBoth);
  const auto id = peer_->HandleTcpAccepted(now_, kListener, kRemote, Check(Password()));
  ASSERT_TRUE(id);
  peer_->HandleLocalAddresses(now_, std::vector<LocalAddress>{{*SocketAddress::Parse("[2001:db8::1]:443")}});
  bool is_closed = false;
  while (const auto event = peer_->PollEvent()) {
    const auto* close = std::get_if<event::TcpCloseWanted>(&*event);
    is_closed = is_closed || (close != nullptr && close->id == *id);
  }
  EXPECT_TRUE(is_closed);
}

TEST_F(PeerTcpTest, GathersWhatItIsToldAndNothingWithRelaysOnly) {
  Open(IceTcp::kOff);
  EXPECT_TRUE(Lines("tcptype").empty());
  Open(IceTcp::kActive);
  EXPECT_EQ(Lines("tcptype").size(), 2u);
  EXPECT_TRUE(Lines("tcptype passive").empty());
  Open(IceTcp::kPassive);
  EXPECT_EQ(Lines("tcptype").size(), 1u);
  PeerOptions hidden;
  hidden.only_relays = true;  // RFC 8828 §5
  hidden.relay_servers.push_back(
      {.address = *SocketAddress::Parse("203.0.113.1:3478"), .username = "u", .password = "p"});
  Open(IceTcp::kBoth, hidden);
  EXPECT_EQ((*peer_->CreateOffer(now_)).find("tcptype"), std::string::npos);
  EXPECT_FALSE(peer_->HandleTcpAccepted(now_, kListener, kRemote, Check(Password())));
}

TEST_F(PeerTcpTest, ALiteAgentListensOnly) {  // RFC 8445 §2.5
  PeerOptions lite;
  lite.ice.implementation = ice::Implementation::kLite;
  Open(IceTcp::kBoth, lite);
  EXPECT_TRUE(Lines("tcptype active").empty());
  EXPECT_EQ(Lines("tcptype passive").size(), 1u);
}

TEST_F(PeerTcpTest, AnAuthenticCheckIsLetInAndAnswered) {  // RFC 6544 §7.2
  Open(IceTcp::kPassive);
  const auto id = peer_->HandleTcpAccepted(now_, kListener, kRemote, Check(Password()));
  ASSERT_TRUE(id);
  const Bytes answer = Sent(*id);
  ASSERT_GT(answer.size(), 22u);
  EXPECT_EQ(size_t{answer[0]} * 256 + answer[1], answer.size() - 2);  // RFC 4571 §2
  EXPECT_EQ(answer[2], 1u);                                           // a success response
  EXPECT_EQ(answer[3], 1u);
  EXPECT_TRUE(peer_->IsAuthenticated({kListener.ip, ice::kTcpPassivePort}, kRemote));
}

TEST_F(PeerTcpTest, I15_AStrangerLeavesNoState) {
  Open(IceTcp::kPassive);
  for (int i = 0; i < 1000; ++i) {
    const SocketAddress remote{kRemote.ip, static_cast<uint16_t>(1024 + i)};
    EXPECT_FALSE(peer_->HandleTcpAccepted(now_, kListener, remote, Check("a password of 22 chars")));
    EXPECT_FALSE(peer_->IsAuthenticated({kListener.ip, ice::kTcpPassivePort}, remote));
  }
  const auto stats = peer_->stats();
  EXPECT_EQ(stats.ice_tcp.accepts, 0u);
  EXPECT_EQ(stats.demux.dropped_stun, 1000u);
  EXPECT_TRUE(stats.pairs.empty());
}

TEST_F(PeerTcpTest, I15_WhoKnowsThePasswordHasSixteenConnectionsAndNoMore) {
  Open(IceTcp::kPassive);
  const std::string password = Password();
  std::vector<ice::TcpId> ids;
  for (int i = 0; i < 200; ++i) {
    const SocketAddress remote{kRemote.ip, static_cast<uint16_t>(1024 + i)};
    const auto id = peer_->HandleTcpAccepted(now_, kListener, remote, Check(password));
    ASSERT_TRUE(id);
    (void)Sent(*id);
  }
  size_t closed = 0;
  while (const auto event = peer_->PollEvent()) closed += std::holds_alternative<event::TcpCloseWanted>(*event) ? 1 : 0;
  EXPECT_EQ(closed, 200u - 16u);
}

TEST_F(PeerTcpTest, I15_OctetsOfAnyKindOnAConnectionAreSurvived) {
  Open(IceTcp::kPassive);
  const auto id = peer_->HandleTcpAccepted(now_, kListener, kRemote, Check(Password()));
  ASSERT_TRUE(id);
  for (int i = 0; i < 2000; ++i) {
    Bytes noise(rng_.Below(300));
    rng_.Fill(noise);
    if (rng_.Below(2) == 0) noise.insert(noise.begin(), {0, static_cast<uint8_t>(rng_.Below(64)), 0, 1});
    peer_->HandleTcpOctets(now_, *id, noise);
    (void)Sent(*id);
  }
  peer_->HandleTcpOctets(now_, *id, Bytes(100'000, 0));     // empty frames
  peer_->HandleTcpOctets(now_, *id, Bytes(200'000, 0xff));  // giant ones
  peer_->HandleTcpOctets(now_, ice::TcpId(99), Bytes(100, 1));
  EXPECT_EQ(peer_->state(), ConnectionState::kNew);
  peer_->HandleTcpClosed(now_, *id);
  peer_->HandleTcpClosed(now_, *id);
}

TEST_F(PeerTcpTest, AClosedPeerClosesItsConnectionsAndTakesNone) {
  Open(IceTcp::kBoth);
  const std::string password = Password();
  const auto id = peer_->HandleTcpAccepted(now_, kListener, kRemote, Check(password));
  ASSERT_TRUE(id);
  peer_->Close(now_);
  (void)Sent(*id);
  size_t closed = 0;
  while (const auto event = peer_->PollEvent()) closed += std::holds_alternative<event::TcpCloseWanted>(*event) ? 1 : 0;
  EXPECT_EQ(closed, 1u);
  EXPECT_FALSE(peer_->HandleTcpAccepted(now_, kListener, kRemote, Check(password)));
}

}  // namespace
}  // namespace jsp::transport
