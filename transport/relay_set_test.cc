#include "transport/relay_set.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stun/credentials.h"
#include "stun/error_code.h"
#include "stun/message_builder.h"
#include "turn/channel_data.h"
namespace jsp::transport {
namespace {

using std::chrono::seconds;
using stun::AttributeType;
using stun::MessageClass;
using stun::Method;
using turn::ControlTransport;

const SocketAddress kServer = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kSecondServer = *SocketAddress::Parse("192.0.2.2:3478");
const SocketAddress kLocal = *SocketAddress::Parse("10.0.0.2:50000");
const SocketAddress kLocal2 = *SocketAddress::Parse("10.0.0.2:50001");
const SocketAddress kMapped = *SocketAddress::Parse("203.0.113.7:40000");
const SocketAddress kRelayed = *SocketAddress::Parse("192.0.2.1:49170");
const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.9:60000");

// Without credentials: what the client makes of those is tested in turn/.
class RelaySetTest : public ::testing::Test {
 protected:
  void Make(std::vector<RelayServer> servers, bool hide_mapped = false) {
    relays_.emplace(RelaySetOptions{.servers = std::move(servers), .hide_mapped = hide_mapped}, rng_);
    relays_->Start(now_);
  }
  template <class E>
  std::optional<E> Next() {
    const auto event = relays_->PollEvent();
    if (!event || !std::holds_alternative<E>(*event)) return std::nullopt;
    return std::get<E>(*event);
  }
  struct Sent {
    RelaySet::Transmit transmit;
    std::vector<uint8_t> octets;
    stun::MessageView view() const { return *stun::MessageView::Parse(octets); }
  };
  std::optional<Sent> Poll() {
    const auto transmit = relays_->PollTransmit(now_, out_);
    if (!transmit) return std::nullopt;
    return Sent{*transmit, {out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(transmit->size)}};
  }
  std::optional<RelaySet::Received> Answer(const Sent& request, uint16_t error = 0) {
    std::array<uint8_t, 512> out;
    const MessageClass message_class = error == 0 ? MessageClass::kSuccessResponse : MessageClass::kErrorResponse;
    stun::MessageBuilder b(out, {request.view().method(), message_class}, request.view().transaction_id());
    if (error != 0) {
      b.AddError(error, "");
    } else if (request.view().method() == Method::kAllocate) {
      b.AddAddress(AttributeType::kXorRelayedAddress, kRelayed)
          .AddAddress(AttributeType::kXorMappedAddress, kMapped)
          .AddU32(AttributeType::kLifetime, 600);
    }
    return relays_->HandleMessage(now_, request.transmit.relay, request.transmit.remote, b.Finish());
  }
  // One UDP server with an allocation; its candidate was taken.
  ice::Candidate Allocate(bool hide_mapped = false) {
    Make({{.address = kServer}}, hide_mapped);
    const auto wanted = Next<relay_event::ConnectionWanted>();
    EXPECT_TRUE(wanted);
    relays_->HandleConnected(now_, wanted->id, kLocal);
    const auto request = Poll();
    EXPECT_TRUE(request);
    Answer(*request);
    const auto found = Next<relay_event::CandidateGathered>();
    EXPECT_TRUE(found);
    return found ? found->candidate : ice::Candidate{};
  }

  Rng rng_ = Rng::FromNumber(5);
  Timestamp now_ = Timestamp::FromEpoch(seconds(1));
  std::optional<RelaySet> relays_;
  std::array<uint8_t, 4096> out_{};
};

TEST_F(RelaySetTest, WithoutServersItIsSettledAtOnce) {
  Make({});
  EXPECT_TRUE(Next<relay_event::Settled>());
  EXPECT_FALSE(relays_->PollEvent());
  EXPECT_TRUE(relays_->empty());
}

TEST_F(RelaySetTest, ARelayedAddressBecomesACandidate) {  // RFC 8445 §5.1.1.2
  const ice::Candidate candidate = Allocate();
  EXPECT_EQ(candidate.type, ice::CandidateType::kRelayed);
  EXPECT_EQ(candidate.address, kRelayed);
  EXPECT_EQ(candidate.base, kRelayed);
  EXPECT_EQ(candidate.related, kMapped);
  EXPECT_EQ(candidate.server, kServer);
  EXPECT_TRUE(Next<relay_event::Settled>());
  EXPECT_TRUE(relays_->IsRelayed(kRelayed));
  EXPECT_FALSE(relays_->IsRelayed(kLocal));
  EXPECT_EQ(relays_->TransportOf(kRelayed), ControlTransport::kUdp);
  EXPECT_TRUE(relays_->FindUdp(kLocal));
  EXPECT_FALSE(relays_->FindUdp(kLocal2));
}

TEST_F(RelaySetTest, I17_TheMappedAddressIsNamedOnlyWhereItMay) { EXPECT_FALSE(Allocate(true).related); }

TEST_F(RelaySetTest, WrapsWhatLeavesAndUnwrapsWhatComes) {  // RFC 8656 §12
  Allocate();
  const std::vector<uint8_t> data{1, 2, 3, 4};
  EXPECT_FALSE(relays_->Send(now_, kRelayed, kPeer, data, out_));  // waits behind the ChannelBind
  const auto bind = Poll();
  ASSERT_TRUE(bind);
  EXPECT_EQ(bind->view().method(), Method::kChannelBind);
  const auto first = Poll();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->octets.size(), turn::kChannelDataHeader + data.size());
  Answer(*bind);

  const auto second = relays_->Send(now_, kRelayed, kPeer, data, out_);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->local, kLocal);
  EXPECT_EQ(second->remote, kServer);
  EXPECT_TRUE(std::ranges::equal(first->octets, std::span(out_).first(second->size)));

  const auto received = relays_->HandleMessage(now_, second->relay, kServer, first->octets);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->relayed, kRelayed);
  EXPECT_EQ(received->peer, kPeer);
  EXPECT_TRUE(std::ranges::equal(received->data, data));
  EXPECT_EQ(relays_->metrics().datagrams_sent, 2u);
  EXPECT_EQ(relays_->metrics().bytes_received, data.size());
}

TEST_F(RelaySetTest, T11_WhatDoesNotComeFromTheServerIsNotTaken) {
  Allocate();
  (void)relays_->Send(now_, kRelayed, kPeer, std::vector<uint8_t>{1}, out_);
  const auto bind = Poll();
  const auto data = Poll();
  ASSERT_TRUE(bind && data);
  EXPECT_FALSE(relays_->HandleMessage(now_, data->transmit.relay, kPeer, data->octets));
  EXPECT_FALSE(relays_->HandleMessage(now_, RelayId(77), kServer, data->octets));
  EXPECT_EQ(relays_->metrics().dropped_unknown_connection, 1u);
}

TEST_F(RelaySetTest, T12_ARefusedPeerHarmsNoOther) {
  Allocate();
  const SocketAddress other = *SocketAddress::Parse("198.51.100.10:60000");
  const std::vector<uint8_t> data{1};
  (void)relays_->Send(now_, kRelayed, kPeer, data, out_);
  const auto refused = Poll();
  ASSERT_TRUE(refused);
  Answer(*refused, stun::error_code::kForbidden);
  while (Poll()) {
  }
  EXPECT_FALSE(relays_->Send(now_, kRelayed, kPeer, data, out_));
  EXPECT_GE(relays_->metrics().dropped_unsendable, 1u);
  ASSERT_EQ(relays_->refusals().size(), 1u);
  EXPECT_EQ(relays_->refusals().front(), (RelayRefusal{kServer, kPeer.ip, stun::error_code::kForbidden}));
  (void)relays_->Send(now_, kRelayed, other, data, out_);
  const auto bind = Poll();
  ASSERT_TRUE(bind);
  Answer(*bind);
  EXPECT_TRUE(relays_->Send(now_, kRelayed, other, data, out_));
}

TEST_F(RelaySetTest, ADeadServerDelaysNoOther) {  // PITFALLS P16
  Make({{.address = kServer}, {.address = kSecondServer, .transport = ControlTransport::kTcp}});
  const auto first = Next<relay_event::ConnectionWanted>();
  const auto second = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->server.transport, ControlTransport::kTcp);
  relays_->HandleConnected(now_, second->id, kLocal2);
  const auto request = Poll();
  ASSERT_TRUE(request);
  Answer(*request);
  const auto found = Next<relay_event::CandidateGathered>();
  ASSERT_TRUE(found);
  EXPECT_GT(found->candidate.network_cost, 0);
  EXPECT_FALSE(relays_->is_settled());
  relays_->HandleConnectionFailed(now_, first->id, "connection refused");
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  EXPECT_TRUE(Next<relay_event::Settled>());
  ASSERT_EQ(relays_->failures().size(), 1u);
  EXPECT_EQ(relays_->failures()[0].reason, "connection refused");
}

TEST_F(RelaySetTest, WhatIsNotThereInTimeIsGivenUp) {
  Make({{.address = kServer}});
  const auto wanted = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(wanted);
  relays_->GiveUpUnsettled(now_);
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  EXPECT_TRUE(Next<relay_event::Settled>());
  relays_->HandleConnected(now_, wanted->id, kLocal);  // too late: nothing happens
  EXPECT_FALSE(Poll());
  EXPECT_EQ(relays_->NextTimeout(), Timestamp::Never());
}

TEST_F(RelaySetTest, ARestartAsksTheServersAgainThatGaveNoAddress) {  // RFC 8445 §9
  Make({{.address = kServer}, {.address = kSecondServer}});
  const auto wanted = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(wanted && Next<relay_event::ConnectionWanted>());
  relays_->HandleConnected(now_, wanted->id, kLocal);
  const auto request = Poll();
  ASSERT_TRUE(request);
  Answer(*request);
  ASSERT_TRUE(Next<relay_event::CandidateGathered>());
  relays_->GiveUpUnsettled(now_);
  ASSERT_TRUE(Next<relay_event::ConnectionDone>());
  ASSERT_TRUE(Next<relay_event::Settled>());
  EXPECT_EQ(relays_->failures().size(), 1u);

  relays_->Restart(now_);
  const auto again = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->server.address, kSecondServer) << "the other one is asked for its allocation only";
  const auto refresh = Poll();
  ASSERT_TRUE(refresh);
  EXPECT_EQ(refresh->view().method(), Method::kRefresh);
  EXPECT_EQ(refresh->transmit.remote, kServer);
  Answer(*refresh);
  EXPECT_FALSE(relays_->PollEvent());
  EXPECT_TRUE(relays_->failures().empty());
  relays_->HandleConnected(now_, again->id, kLocal2);
  const auto allocate = Poll();
  ASSERT_TRUE(allocate);
  EXPECT_EQ(allocate->transmit.remote, kSecondServer);
  Answer(*allocate);
  EXPECT_TRUE(Next<relay_event::CandidateGathered>());
  EXPECT_TRUE(Next<relay_event::Settled>());
}

// RFC 8656 §7.1. A server that was rebooted, or sees us behind another mapping, has none (RFC 8656 §7.2: 437).
TEST_F(RelaySetTest, ARestartReplacesAnAllocationThatTheServerHasNoMore) {
  Allocate();
  EXPECT_TRUE(Next<relay_event::Settled>());
  relays_->Restart(now_);
  EXPECT_FALSE(relays_->PollEvent()) << "not settled before the server has answered";
  const auto alive = Poll();
  ASSERT_TRUE(alive);
  EXPECT_EQ(alive->view().method(), Method::kRefresh);
  EXPECT_NE(alive->view().FindU32(AttributeType::kLifetime), 0u);
  Answer(*alive);
  EXPECT_TRUE(Next<relay_event::Settled>()) << "it lives, and stays";
  EXPECT_TRUE(relays_->IsRelayed(kRelayed));

  relays_->Restart(now_);
  const auto dead = Poll();
  ASSERT_TRUE(dead);
  Answer(*dead, stun::error_code::kAllocationMismatch);
  EXPECT_EQ(Next<relay_event::AddressLost>()->relayed, kRelayed);
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  const auto wanted = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(wanted);
  relays_->HandleConnected(now_, wanted->id, kLocal2);
  const auto allocate = Poll();
  ASSERT_TRUE(allocate);
  EXPECT_EQ(allocate->transmit.local, kLocal2);
  EXPECT_EQ(allocate->view().method(), Method::kAllocate);
  Answer(*allocate);
  EXPECT_TRUE(Next<relay_event::CandidateGathered>());
  EXPECT_TRUE(Next<relay_event::Settled>());
  EXPECT_TRUE(relays_->failures().empty());
}

TEST_F(RelaySetTest, ARestartReplacesAnAllocationThatGivesNoSignOfLife) {
  Allocate();
  EXPECT_TRUE(Next<relay_event::Settled>());
  relays_->Restart(now_);
  const Timestamp start = now_;
  size_t sent = 0;
  std::optional<relay_event::ConnectionWanted> wanted;
  while (!wanted && now_ < start + seconds(3)) {
    while (Poll()) ++sent;
    now_ = relays_->NextTimeout();
    relays_->HandleTimeout(now_);
    while (auto event = relays_->PollEvent()) {
      if (auto* asked = std::get_if<relay_event::ConnectionWanted>(&*event)) wanted = *asked;
    }
  }
  ASSERT_TRUE(wanted);
  EXPECT_EQ(now_ - start, std::chrono::milliseconds(1250));
  EXPECT_GE(sent, 2u) << "one loss is no death";
  EXPECT_FALSE(relays_->IsRelayed(kRelayed));
}

TEST_F(RelaySetTest, ARefusalIsAReasonForPeople) {  // RFC 8656 §7.4
  Make({{.address = kServer}});
  relays_->HandleConnected(now_, Next<relay_event::ConnectionWanted>()->id, kLocal);
  Answer(*Poll(), stun::error_code::kAllocationQuotaReached);
  ASSERT_EQ(relays_->failures().size(), 1u);
  EXPECT_NE(relays_->failures()[0].reason.find("(486)"), std::string::npos);
  const auto exhausted = Next<relay_event::Exhausted>();
  ASSERT_TRUE(exhausted) << "it may still tell the mapped address (RFC 8445 §5.1.1.2)";
  EXPECT_EQ(exhausted->server, kServer);
}

TEST_F(RelaySetTest, APortThatTheServerHoldsAllocatedIsReplaced) {  // RFC 8656 §7.4: 437
  Make({{.address = kServer}});
  const auto wanted = Next<relay_event::ConnectionWanted>();
  relays_->HandleConnected(now_, wanted->id, kLocal);
  Answer(*Poll(), stun::error_code::kAllocationMismatch);
  EXPECT_EQ(Next<relay_event::ConnectionDone>()->id, wanted->id);
  const auto again = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(again);
  EXPECT_NE(again->id, wanted->id);
  relays_->HandleConnected(now_, again->id, kLocal2);
  const auto request = Poll();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->transmit.local, kLocal2);
  EXPECT_EQ(request->transmit.relay, again->id);
  Answer(*request);
  EXPECT_TRUE(Next<relay_event::CandidateGathered>());
}

// What carries nothing is let go when ICE has settled, and comes back.

TEST_F(RelaySetTest, ReleasesWhatIsNotUsedAndAsksForItAgain) {  // RFC 8656 §8
  Allocate();
  EXPECT_TRUE(Next<relay_event::Settled>());
  relays_->Reclaim(now_);
  EXPECT_FALSE(relays_->PollEvent()) << "nothing was released";
  relays_->Release(now_, kPeer);  // a direct path's base
  const auto lost = Next<relay_event::AddressLost>();
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->relayed, kRelayed);
  EXPECT_FALSE(relays_->IsRelayed(kRelayed));
  const auto deletion = Poll();
  ASSERT_TRUE(deletion);
  EXPECT_EQ(deletion->view().method(), Method::kRefresh);
  EXPECT_EQ(deletion->view().FindU32(AttributeType::kLifetime), 0u);
  relays_->Release(now_, kPeer);
  EXPECT_FALSE(relays_->PollEvent());
  Answer(*deletion);
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  EXPECT_EQ(relays_->NextTimeout(), Timestamp::Never());
  EXPECT_TRUE(relays_->failures().empty()) << "no server failed";

  relays_->Reclaim(now_);
  const auto wanted = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(wanted);
  relays_->HandleConnected(now_, wanted->id, kLocal2);
  Answer(*Poll());
  EXPECT_TRUE(Next<relay_event::CandidateGathered>());
  EXPECT_TRUE(relays_->IsRelayed(kRelayed));
}

TEST_F(RelaySetTest, KeepsTheAllocationThatIsUsed) {
  Allocate();
  relays_->Release(now_, kRelayed);
  EXPECT_TRUE(relays_->IsRelayed(kRelayed));
  EXPECT_FALSE(Poll());
}

TEST_F(RelaySetTest, WhatIsWantedAgainWhileItIsBeingDeletedIsAskedForOverAnotherConnection) {
  for (const bool restarts : {true, false}) {
    Allocate();
    EXPECT_TRUE(Next<relay_event::Settled>());
    relays_->Release(now_, kPeer);
    EXPECT_TRUE(Next<relay_event::AddressLost>());
    const auto deletion = Poll();  // its answer is lost
    ASSERT_TRUE(deletion);
    restarts ? relays_->Restart(now_) : relays_->Reclaim(now_);
    const auto done = Next<relay_event::ConnectionDone>();
    ASSERT_TRUE(done) << restarts;
    EXPECT_EQ(done->id, deletion->transmit.relay);
    const auto wanted = Next<relay_event::ConnectionWanted>();
    ASSERT_TRUE(wanted);
    EXPECT_FALSE(Answer(*deletion)) << "and late it is nobody's";
    relays_->HandleConnected(now_, wanted->id, kLocal2);
    Answer(*Poll());
    EXPECT_TRUE(Next<relay_event::CandidateGathered>()) << restarts;
    EXPECT_TRUE(relays_->failures().empty());
  }
}

TEST_F(RelaySetTest, ADeletionThatNobodyAnswersEndsAsWell) {
  Allocate();
  EXPECT_TRUE(Next<relay_event::Settled>());
  relays_->Release(now_, kPeer);
  EXPECT_TRUE(Next<relay_event::AddressLost>());
  ASSERT_TRUE(Poll());
  bool is_done = false;
  while (!is_done && relays_->NextTimeout() != Timestamp::Never()) {
    now_ = std::max(now_, relays_->NextTimeout());
    relays_->HandleTimeout(now_);
    while (Poll()) {
    }
    is_done = Next<relay_event::ConnectionDone>().has_value();
  }
  EXPECT_TRUE(is_done);
  EXPECT_TRUE(relays_->failures().empty());
  relays_->Restart(now_);
  EXPECT_TRUE(Next<relay_event::ConnectionWanted>());
}

// ALTERNATE-SERVER (RFC 8489 §10) over each transport: followed once, and only when the server proves who it is.

class RedirectTest : public RelaySetTest, public ::testing::WithParamInterface<ControlTransport> {
 protected:
  void Answer401(const Sent& request) {
    std::array<uint8_t, 512> out;
    stun::MessageBuilder b(out, {Method::kAllocate, MessageClass::kErrorResponse}, request.view().transaction_id());
    b.AddError(stun::error_code::kUnauthenticated, "");
    b.AddText(AttributeType::kRealm, "r").AddText(AttributeType::kNonce, "n");
    (void)relays_->HandleMessage(now_, request.transmit.relay, request.transmit.remote, b.Finish());
  }
  enum class Proof : uint8_t { kNone, kPassword };
  void Redirect(const Sent& request, Proof proof) {
    std::array<uint8_t, 512> out;
    stun::MessageBuilder b(out, {Method::kAllocate, MessageClass::kErrorResponse}, request.view().transaction_id());
    b.AddError(stun::error_code::kTryAlternate, "");
    b.AddAddress(AttributeType::kAlternateServer, kSecondServer);
    b.AddText(AttributeType::kAlternateDomain, "second.example");
    if (proof == Proof::kPassword) b.AddIntegrity(crypto::HmacSha1Key(stun::LongTermKeyMd5("u", "r", "p")));
    (void)relays_->HandleMessage(now_, request.transmit.relay, request.transmit.remote, b.Finish());
  }
  // Up to the request with credentials.
  std::optional<Sent> Authenticate(const SocketAddress& local) {
    const auto wanted = Next<relay_event::ConnectionWanted>();
    if (!wanted) return std::nullopt;
    server_ = wanted->server;
    relays_->HandleConnected(now_, wanted->id, local);
    const auto first = Poll();
    if (!first) return std::nullopt;
    Answer401(*first);
    return Poll();
  }
  RelayServer server_;
};

TEST_P(RedirectTest, IsFollowedOnceWithTheSameCredentialsAndTheNewName) {
  Make({{.address = kServer, .transport = GetParam(), .host = "first.example", .username = "u", .password = "p"}});
  const auto request = Authenticate(kLocal);
  ASSERT_TRUE(request);
  Redirect(*request, Proof::kPassword);
  std::optional<Sent> second;
  if (turn::IsStream(GetParam())) {
    EXPECT_EQ(Next<relay_event::ConnectionDone>()->id, request->transmit.relay);
    const auto wanted = Next<relay_event::ConnectionWanted>();
    ASSERT_TRUE(wanted);
    EXPECT_EQ(wanted->server.address, kSecondServer);
    EXPECT_EQ(wanted->server.host, "second.example");  // whose certificate TLS asks for
    relays_->HandleConnected(now_, wanted->id, kLocal2);
  }
  second = Poll();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->transmit.remote, kSecondServer);
  if (!second->view().FindText(AttributeType::kUsername)) {
    Answer401(*second);
    second = Poll();
    ASSERT_TRUE(second);
  }
  EXPECT_EQ(second->view().FindText(AttributeType::kUsername), "u");
  Redirect(*second, Proof::kPassword);  // to a server that redirects
  while (relays_->PollEvent()) {
  }
  ASSERT_EQ(relays_->failures().size(), 1u);
  EXPECT_EQ(relays_->failures()[0].reason, "it redirects to a server that redirects (300)");
}

TEST_P(RedirectTest, T11_IsNotFollowedWithoutProof) {  // RFC 8489 §14.8
  Make({{.address = kServer, .transport = GetParam(), .username = "u", .password = "p"}});
  const auto request = Authenticate(kLocal);
  ASSERT_TRUE(request);
  Redirect(*request, Proof::kNone);
  while (const auto event = relays_->PollEvent()) {
    EXPECT_FALSE(std::holds_alternative<relay_event::ConnectionWanted>(*event));
  }
  while (const auto sent = Poll()) EXPECT_EQ(sent->transmit.remote, kServer);
}

INSTANTIATE_TEST_SUITE_P(EveryTransport, RedirectTest,
                         ::testing::Values(ControlTransport::kUdp, ControlTransport::kTcp, ControlTransport::kTls));

// Happy Eyeballs (RFC 8305 §5), over every transport.

TEST_F(RelaySetTest, ASilentAddressCostsAQuarterOfASecond) {
  Make({{.address = kServer, .alternatives = {kSecondServer}}});
  const auto silent = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(silent);
  relays_->HandleConnected(now_, silent->id, kLocal);
  ASSERT_TRUE(Poll());  // and nobody answers
  EXPECT_FALSE(relays_->PollEvent());
  now_ = relays_->NextTimeout();
  EXPECT_EQ(now_ - Timestamp::FromEpoch(seconds(1)), ConnectionRace::kAttemptDelay);
  relays_->HandleTimeout(now_);
  const auto second = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->server.address, kSecondServer);
  relays_->HandleConnected(now_, second->id, kLocal2);
  const auto request = Poll();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->transmit.remote, kSecondServer);
  Answer(*request);
  EXPECT_EQ(Next<relay_event::ConnectionDone>()->id, silent->id);  // given up
  EXPECT_TRUE(Next<relay_event::CandidateGathered>());
  EXPECT_TRUE(Next<relay_event::Settled>());
  EXPECT_TRUE(relays_->failures().empty());
}

TEST_F(RelaySetTest, AnAddressThatAnswersIsTheOnlyOneTried) {
  Make({{.address = kServer, .alternatives = {kSecondServer}}});
  relays_->HandleConnected(now_, Next<relay_event::ConnectionWanted>()->id, kLocal);
  Answer(*Poll());
  EXPECT_TRUE(Next<relay_event::CandidateGathered>());
  EXPECT_TRUE(Next<relay_event::Settled>());
  now_ = now_ + seconds(60);
  relays_->HandleTimeout(now_);
  EXPECT_FALSE(relays_->PollEvent());
}

TEST_F(RelaySetTest, AConnectionThatIsThereFirstEndsTheOtherAttempts) {
  Make({{.address = kServer, .alternatives = {kSecondServer}, .transport = ControlTransport::kTcp}});
  const auto slow = Next<relay_event::ConnectionWanted>();
  now_ = now_ + ConnectionRace::kAttemptDelay;
  relays_->HandleTimeout(now_);
  const auto fast = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(slow && fast);
  relays_->HandleConnected(now_, fast->id, kLocal2);
  EXPECT_EQ(Next<relay_event::ConnectionDone>()->id, slow->id);
  relays_->HandleConnected(now_, slow->id, kLocal);  // too late
  const auto request = Poll();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->transmit.local, kLocal2);
  EXPECT_FALSE(Poll());
}

TEST_F(RelaySetTest, AnAddressThatFailsIsFollowedByTheNextAtOnce) {  // RFC 8489 §8.1
  Make({{.address = kServer, .alternatives = {kSecondServer}, .transport = ControlTransport::kTls}});
  relays_->HandleConnectionFailed(now_, Next<relay_event::ConnectionWanted>()->id, "nothing listens there");
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  const auto second = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(second);
  relays_->HandleConnected(now_, second->id, kLocal2);
  Answer(*Poll(), stun::error_code::kInsufficientCapacity);
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  EXPECT_TRUE(Next<relay_event::Settled>());
  ASSERT_EQ(relays_->failures().size(), 2u);
  EXPECT_EQ(relays_->failures()[0].server, kServer);
  EXPECT_EQ(relays_->failures()[1].server, kSecondServer);
}

TEST_F(RelaySetTest, NoServerHasMoreAddressesThanItsShare) {
  std::vector<SocketAddress> many(100, kSecondServer);
  Make({{.address = kServer, .alternatives = many}});
  size_t tried = 0;
  while (const auto wanted = Next<relay_event::ConnectionWanted>()) {
    ++tried;
    relays_->HandleConnectionFailed(now_, wanted->id, "no");
    (void)Next<relay_event::ConnectionDone>();
  }
  EXPECT_EQ(tried, RelaySet::kMaxAddresses);
}

TEST_F(RelaySetTest, AsksForBothFamiliesOverIpv6Only) {  // RFC 8656 §7.1
  for (const char* server : {"192.0.2.1:3478", "[2001:db8::1]:3478"}) {
    Make({{.address = *SocketAddress::Parse(server)}});
    relays_->HandleConnected(now_, Next<relay_event::ConnectionWanted>()->id, kLocal);
    const auto request = Poll();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->view().Has(AttributeType::kAdditionalAddressFamily), server[0] == '[') << server;
  }
}

TEST_F(RelaySetTest, AnAllocationGoesWithTheAddressThatReachedIt) {
  Allocate();
  EXPECT_TRUE(Next<relay_event::Settled>());
  relays_->HandleAddressLost(now_, *IpAddress::Parse("10.0.0.99"));
  EXPECT_FALSE(relays_->PollEvent());
  relays_->HandleAddressLost(now_, kLocal.ip);
  EXPECT_EQ(Next<relay_event::AddressLost>()->relayed, kRelayed);
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  EXPECT_FALSE(relays_->IsRelayed(kRelayed));
  const auto wanted = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(wanted);
  relays_->HandleConnected(now_, wanted->id, *SocketAddress::Parse("10.9.9.9:50000"));
  const auto request = Poll();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->transmit.local, *SocketAddress::Parse("10.9.9.9:50000"));
  Answer(*request);
  EXPECT_TRUE(Next<relay_event::CandidateGathered>());
}

TEST_F(RelaySetTest, AnAllocationGoesWithTheConnectionThatItWasMadeOver) {  // RFC 8656 §5
  Allocate();
  EXPECT_TRUE(Next<relay_event::Settled>());
  const auto id = relays_->FindUdp(kLocal);
  ASSERT_TRUE(id);
  relays_->HandleConnectionFailed(now_, *id, "the connection is reset");
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  EXPECT_EQ(Next<relay_event::AddressLost>()->relayed, kRelayed);
  EXPECT_FALSE(relays_->PollEvent());
  EXPECT_FALSE(relays_->IsRelayed(kRelayed));
}

TEST_F(RelaySetTest, AServerThatCouldNotBeReachedIsTriedAgainFromANewAddress) {
  Make({{.address = kServer}, {.address = kSecondServer}});
  const auto first = Next<relay_event::ConnectionWanted>();
  const auto second = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(first && second);
  relays_->HandleConnectionFailed(now_, first->id, "no route");
  EXPECT_TRUE(Next<relay_event::ConnectionDone>());
  relays_->HandleAddressAdded(now_);
  const auto again = Next<relay_event::ConnectionWanted>();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->server.address, kServer);
  EXPECT_FALSE(relays_->PollEvent());  // the other one is under way
  relays_->HandleAddressAdded(now_);
  EXPECT_FALSE(relays_->PollEvent());
}

TEST_F(RelaySetTest, ClosingDeletesTheAllocation) {  // RFC 8656 §8
  Allocate();
  relays_->Close(now_);
  const auto refresh = Poll();
  ASSERT_TRUE(refresh);
  EXPECT_EQ(refresh->view().method(), Method::kRefresh);
  EXPECT_EQ(refresh->view().FindU32(AttributeType::kLifetime), 0u);
}

}  // namespace
}  // namespace jsp::transport
