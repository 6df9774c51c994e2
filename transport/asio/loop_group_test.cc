#include "transport/asio/loop_group.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>

#include "ice/stun_attributes.h"
#include "transport/asio/system_rng.h"
#include "transport/asio/udp_mux.h"
namespace jsp::transport::io {
namespace {

class LoopGroupTest : public ::testing::Test {
 protected:
  static constexpr size_t kLoops = 3;
  LoopGroupTest() { group_.Join(1, io_.get_executor(), {}); }
  // From loop 0: what came from `remote` together.
  LoopGroup::Parcel TrainTo(size_t loop, size_t octets, size_t segment, EcnMark mark = EcnMark::kNotEct) const {
    return {loop,
            {.mark = mark,
             .route = route_,
             .size = static_cast<uint32_t>(octets),
             .segment = static_cast<uint32_t>(segment)},
            std::span(datagram_).first(octets)};
  }
  void HandOver(const LoopGroup::Parcel& parcel) { group_.HandOver(0, std::span(&parcel, 1)); }

  boost::asio::io_context io_;
  Rng rng_ = SystemRng();
  LoopGroup group_{{kLoops, 7, Steering::kBySource}, {}, rng_};
  const LoopRoute route_{{IpAddress::V4(192, 0, 2, 1), 5000}, {IpAddress::V4(192, 0, 2, 2), 6000}};
  const std::vector<uint8_t> datagram_ = std::vector<uint8_t>(1000, 9);
};

TEST_F(LoopGroupTest, HandsOverDatagramsWithTheirMarks) {  // RFC 3168 §5
  HandOver(TrainTo(1, 1000, 1000, EcnMark::kCe));
  LoopGroup::Box::Mail mail;
  group_.Take(1, mail);
  ASSERT_EQ(mail.letters.size(), 1u);
  EXPECT_EQ(mail.letters[0].route, route_);
  EXPECT_EQ(mail.letters[0].mark, EcnMark::kCe);
  EXPECT_EQ(mail.letters[0].size, datagram_.size());
  EXPECT_EQ(mail.octets, datagram_);
  EXPECT_EQ(group_.stats(0).sent, 1u);
}

TEST_F(LoopGroupTest, ATrainIsOneLetterAndABatchOneDeliveryForEachLoop) {
  group_.Join(2, io_.get_executor(), {});
  const std::vector<LoopGroup::Parcel> batch = {TrainTo(1, 1000, 90), TrainTo(2, 10, 10), TrainTo(1, 0, 1),
                                                TrainTo(2, 20, 10), TrainTo(1, 500, 100)};
  group_.HandOver(0, batch);
  LoopGroup::Box::Mail mail;
  group_.Take(1, mail);
  ASSERT_EQ(mail.letters.size(), 3u);
  EXPECT_EQ(mail.octets.size(), 1500u);
  const ReceivedTrain first = mail.letters[0].Train(std::span(mail.octets).first(1000));
  EXPECT_EQ(first.count(), 12u);
  EXPECT_EQ(first.segment, 90u);
  EXPECT_EQ(first.remote, route_.remote);
  EXPECT_EQ(mail.letters[1].Train({}).count(), 1u) << "a datagram may be empty";
  EXPECT_EQ(mail.letters[2].size, 500u);
  group_.Take(2, mail);
  EXPECT_EQ(mail.letters.size(), 2u);
  EXPECT_EQ(mail.octets.size(), 30u);
  EXPECT_EQ(group_.stats(0).sent, 12u + 1 + 1 + 2 + 5) << "datagrams";
  EXPECT_EQ(group_.stats(0).letters, 5u);
}

TEST_F(LoopGroupTest, WhatItsMailTookIsToldAndGivenBack) {
  for (int i = 0; i < 100; ++i) HandOver(TrainTo(1, 1000, 100));
  EXPECT_GE(group_.stats(1).mail_room, 100'000u);
  LoopGroup::Box::Mail mail;
  group_.Take(1, mail);
  group_.NoteRead(1, 1000, 0, mail.room());
  EXPECT_EQ(group_.stats(1).mail_room, mail.room());
  mail = {};
  group_.TrimMail(1);
  EXPECT_EQ(group_.stats(1).mail_room, 0u);
}

TEST_F(LoopGroupTest, EveryDropIsCountedByItsReason) {
  for (size_t i = 0; i < LoopGroup::kMaxLetters + 10; ++i) {
    HandOver(TrainTo(1, 2, 1));
  }
  EXPECT_EQ(group_.stats(0).sent, 2 * LoopGroup::kMaxLetters) << "datagrams";
  EXPECT_EQ(group_.stats(0).letters, LoopGroup::kMaxLetters);
  EXPECT_EQ(group_.stats(0).full, 2 * 10u);
  HandOver(TrainTo(2, 1000, 1000));
  EXPECT_EQ(group_.stats(0).gone, 1u) << "never joined";
  group_.Leave(1);
  HandOver(TrainTo(1, 1000, 1000));
  EXPECT_EQ(group_.stats(0).gone, 2u);
}

TEST_F(LoopGroupTest, AnAddressIsOneLoopsAndItsHolderIsAskedForIt) {
  EXPECT_TRUE(group_.ClaimRoute(1, route_));
  EXPECT_TRUE(group_.ClaimRoute(1, route_));
  EXPECT_FALSE(group_.ClaimRoute(0, route_));
  EXPECT_EQ(group_.stats(0).routes_contested, 1u);
  LoopGroup::Box::Mail mail;
  group_.Take(1, mail);
  ASSERT_EQ(mail.letters.size(), 1u);
  EXPECT_EQ(mail.letters[0].kind, LoopGroup::Letter::Kind::kRouteWanted);
  EXPECT_EQ(mail.letters[0].route, route_);
  group_.directory().routes.Release(route_, 0);
  EXPECT_FALSE(group_.ClaimRoute(0, route_)) << "only its holder gives it back";
  group_.directory().routes.Release(route_, 1);
  EXPECT_TRUE(group_.ClaimRoute(0, route_));
}

TEST_F(LoopGroupTest, WhatALoopHadIsForgottenWithIt) {
  LoopDirectory& directory = group_.directory();
  EXPECT_EQ(directory.ufrags.Claim(std::string_view("one"), 1), 1u);
  EXPECT_EQ(directory.ufrags.Claim(std::string_view("one"), 2), 1u) << "taken";
  EXPECT_EQ(directory.ufrags.Claim(std::string_view("two"), 2), 2u);
  (void)directory.requests.Claim(stun::TransactionId::Random(rng_), 1);
  EXPECT_TRUE(group_.ClaimRoute(1, route_));
  EXPECT_EQ(directory.size(), 4u);
  group_.Leave(1);
  EXPECT_EQ(directory.size(), 1u);
  EXPECT_FALSE(directory.ufrags.Find(std::string_view("one")));
  EXPECT_EQ(directory.ufrags.Find(std::string_view("two")), 2u);
}

// The sockets and routes of two loops, at the same port.
class LoopMuxTest : public ::testing::Test {
 protected:
  LoopMuxTest() {
    here_ = Open(0, {{.address = {IpAddress::V4(127, 0, 0, 1), 0}}});
    there_ = Open(1, here_->local_addresses());
    EXPECT_TRUE(there_->AddPeer(&peer_, "ours"));
  }
  std::unique_ptr<UdpMux> Open(size_t loop, const std::vector<LocalAddress>& addresses) {
    auto opened = UdpMux::Open(io_.get_executor(), addresses, {}, {group_, loop});
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  std::vector<uint8_t> Request(const char* username) {
    std::vector<uint8_t> out(ice::kMaxMessageSize);
    const ice::CheckContent content{stun::TransactionId::Random(rng_), username, 1, {ice::Role::kControlling, 9}, true};
    out.resize(ice::WriteCheck(out, content, key_));
    return out;
  }
  std::vector<uint8_t> ResponseTo(std::span<const uint8_t> request) {
    std::vector<uint8_t> out(ice::kMaxMessageSize);
    stun::TransactionId id;
    std::ranges::copy(request.subspan(8, id.octets.size()), id.octets.begin());
    out.resize(ice::WriteSuccess(out, id, remote_, key_));
    return out;
  }
  UdpMux::Match FindHere(std::span<const uint8_t> datagram) { return here_->Find(0, remote_, datagram); }

  boost::asio::io_context io_;
  Rng rng_ = SystemRng();
  const crypto::HmacSha1Key key_{crypto::AsBytes(std::string_view("password"))};
  std::shared_ptr<LoopGroup> group_ =
      std::make_shared<LoopGroup>(SharedPorts::Options{2, 7}, UnknownRequestOptions{}, rng_);
  std::unique_ptr<UdpMux> here_;
  std::unique_ptr<UdpMux> there_;
  int peer_ = 0;
  const SocketAddress remote_{IpAddress::V4(192, 0, 2, 2), 6000};
  const std::vector<uint8_t> record_ = {22, 254, 253, 0};
};

TEST_F(LoopMuxTest, RequestsAreFoundElsewhereByTheirUfrag) {  // RFC 8445 §7.2.2
  EXPECT_EQ(FindHere(Request("ours:theirs")).loop, 1u);
  EXPECT_FALSE(FindHere(Request("ours:theirs")).is_unknown_request);
  EXPECT_TRUE(there_->Find(0, remote_, Request("ours:theirs")).peer == &peer_);
  const auto nobodys = FindHere(Request("nobodys:theirs"));
  EXPECT_TRUE(nobodys.is_unknown_request);
  EXPECT_FALSE(nobodys.loop);
  EXPECT_EQ(here_->stats().unknown_ufrag, 1u);
  there_->RemovePeer(&peer_);
  EXPECT_TRUE(FindHere(Request("ours:theirs")).is_unknown_request);
}

TEST_F(LoopMuxTest, ResponsesAreFoundElsewhereByTheirTransactionOrTheirAddress) {
  const auto first = Request("theirs:ours");
  EXPECT_FALSE(FindHere(ResponseTo(first)).loop);
  there_->NoteSent(&peer_, 0, remote_, first);
  EXPECT_EQ(FindHere(ResponseTo(first)).loop, 1u);
  there_->AddRoute(&peer_, 0, remote_);
  const auto later = Request("theirs:ours");
  there_->NoteSent(&peer_, 0, remote_, later);  // not noted: its peer has a route
  EXPECT_EQ(FindHere(ResponseTo(later)).loop, 1u);
  EXPECT_EQ(here_->stats().unknown_source, 1u);
}

TEST_F(LoopMuxTest, AllElseIsFoundElsewhereByItsAddress) {
  EXPECT_FALSE(FindHere(record_).loop);
  there_->AddRoute(&peer_, 0, remote_);
  EXPECT_EQ(FindHere(record_).loop, 1u);
  // As within one loop, the peer of the address hears of what is nobody's, and so may the application.
  EXPECT_EQ(FindHere(Request("nobodys:theirs")).loop, 1u);
  EXPECT_TRUE(FindHere(Request("nobodys:theirs")).is_unknown_request);
  there_->RemoveRoute(0, remote_);
  EXPECT_FALSE(FindHere(record_).loop);
}

TEST_F(LoopMuxTest, AnAddressIsNotTakenFromAnotherLoopsPeer) {
  int other = 0;
  EXPECT_TRUE(here_->AddPeer(&other, "other"));
  there_->AddRoute(&peer_, 0, remote_);
  here_->AddRoute(&other, 0, remote_);
  EXPECT_EQ(FindHere(record_).loop, 1u);
  EXPECT_EQ(here_->route_count(), 0u);
  there_->RemoveSocket(0);
  here_->AddRoute(&other, 0, remote_);
  EXPECT_EQ(FindHere(record_).peer, &other);
  EXPECT_FALSE(here_->AddUfrag(&other, "ours")) << "a ufrag is one peer's in the group";
}

}  // namespace
}  // namespace jsp::transport::io
