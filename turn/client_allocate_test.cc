// Getting an allocation, keeping it, and losing it: RFC 8656 §7, §8.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "turn/client.h"
#include "turn/testing/scripted_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::IntegrityStatus;
using stun::MessageBuilder;
using stun::Method;
using Integrity = ScriptedServer::Integrity;

const auto kUsual = [](MessageBuilder& b) { ScriptedServer::AddAllocation(b); };

// The first Allocate request with credentials.
ScriptedServer::Message Authenticated(ScriptedServer& s) {
  s.client.Start(s.now);
  s.Challenge(s.OnlySent(), 401, "nonce");
  return s.OnlySent();
}

TEST(ClientAllocateTest, AllocatesAfterOneChallenge) {  // RFC 8656 §7.1, RFC 8489 §9.2.5
  ScriptedServer s;
  s.client.Start(s.now);
  const auto first = s.OnlySent();
  EXPECT_TRUE(first.view().Is(Method::kAllocate, stun::MessageClass::kRequest));
  EXPECT_EQ(Find<RequestedTransport>(first.view()), RequestedTransport{RelayProtocol::kUdp});
  EXPECT_FALSE(first.view().Has(AttributeType::kUsername));
  EXPECT_EQ(first.view().VerifyFingerprint(), IntegrityStatus::kValid);
  EXPECT_EQ(first.remote, s.client.server());
  s.Challenge(first, 401, "nonce");
  const auto second = s.OnlySent();
  EXPECT_NE(second.view().transaction_id(), first.view().transaction_id());
  EXPECT_EQ(second.view().FindText(AttributeType::kNonce), "nonce");
  EXPECT_EQ(s.key.Verify(second.view()), IntegrityStatus::kValid);
  s.Succeed(second, kUsual);
  const auto allocated = s.Expect<event::Allocated>();
  EXPECT_EQ(allocated.relayed_v4->ToString(), "192.0.2.1:50000");
  EXPECT_EQ(allocated.mapped.ToString(), "203.0.113.9:1234");
  EXPECT_EQ(allocated.lifetime, 600s);
  EXPECT_FALSE(allocated.relayed_v6);
}

TEST(ClientOptionsTest, TlsIsForTurnsAndForNothingElse) {  // RFC 8656 §4.1
  const auto transport = [](std::string_view uri) { return ControlTransportOf(*stun::ParseUri(uri)); };
  EXPECT_EQ(transport("turns:example.org"), ControlTransport::kTls);
  EXPECT_EQ(transport("turns:example.org?transport=tcp"), ControlTransport::kTls);
  EXPECT_EQ(transport("turn:example.org?transport=tcp"), ControlTransport::kTcp);
  EXPECT_EQ(transport("turn:example.org:5349?transport=tcp"), ControlTransport::kTcp);  // whatever the port suggests
  EXPECT_EQ(transport("turn:example.org"), ControlTransport::kUdp);
  EXPECT_EQ(transport("turns:example.org?transport=udp"), std::nullopt);  // DTLS; never cleartext instead
  EXPECT_EQ(transport("stuns:example.org"), std::nullopt);
}

TEST(ClientAllocateTest, AnEarlierChallengeSavesTheRoundTrip) {  // RFC 8489 §9.2.3.2
  ScriptedServer s;
  s.Allocate();
  auto options = ScriptedServer::DefaultOptions();
  options.credentials.challenge = s.client.challenge();
  ScriptedServer next(options);
  next.client.Start(next.now);
  const auto request = next.OnlySent();
  EXPECT_EQ(next.key.Verify(request.view()), IntegrityStatus::kValid);
  next.Succeed(request, kUsual);
  next.Expect<event::Allocated>();
}

TEST(ClientAllocateTest, RetransmitsOverUdpAndGivesUp) {  // RFC 8489 §6.2.1
  ScriptedServer s;
  s.client.Start(s.now);
  const auto sent = s.Run(40s);
  EXPECT_EQ(sent.size(), 7u);
  for (const auto& message : sent) EXPECT_EQ(message.octets, sent[0].octets);
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kTimeout);
  EXPECT_EQ(s.client.NextTimeout(), Timestamp::Never());
}

TEST(ClientAllocateTest, NeverRetransmitsOverAStream) {  // RFC 8489 §6.2.2
  auto options = ScriptedServer::DefaultOptions();
  options.transport = ControlTransport::kTcp;
  ScriptedServer s(options);
  s.client.Start(s.now);
  EXPECT_EQ(s.Run(39s).size(), 1u);
  s.Run(1s);
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kTimeout);
}

TEST(ClientAllocateTest, AsksForWhatTheOptionsSay) {  // RFC 8656 §7.1
  auto options = ScriptedServer::DefaultOptions();
  options.even_port = EvenPort{true};
  options.dont_fragment = true;
  options.lifetime_seconds = 1200;
  options.families = RelayFamilies::kV4;
  options.software = "jsp";
  options.mobility = true;
  ScriptedServer s(options);
  s.client.Start(s.now);
  const auto request = s.OnlySent();
  EXPECT_EQ(Find<EvenPort>(request.view()), EvenPort{true});
  EXPECT_TRUE(Find<DontFragment>(request.view()));
  EXPECT_EQ(Find<Lifetime>(request.view()), Lifetime{1200});
  EXPECT_EQ(Find<RequestedAddressFamily>(request.view()), RequestedAddressFamily{AddressFamily::kV4});
  EXPECT_EQ(request.view().FindText(AttributeType::kSoftware), "jsp");
  EXPECT_TRUE(Find<MobilityTicket>(request.view())->octets.empty());  // RFC 8016 §3.1.1
  EXPECT_FALSE(Find<AdditionalAddressFamily>(request.view()));
}

TEST(ClientAllocateTest, TheFamilyAttributesExcludeEachOther) {  // RFC 8656 §7.1
  auto options = ScriptedServer::DefaultOptions();
  options.families = RelayFamilies::kBoth;
  ScriptedServer s(options);
  s.client.Start(s.now);
  const auto request = s.OnlySent();
  EXPECT_EQ(Find<AdditionalAddressFamily>(request.view()), AdditionalAddressFamily{AddressFamily::kV6});
  EXPECT_FALSE(Find<RequestedAddressFamily>(request.view()));
}

TEST(ClientAllocateTest, BadOptionsSendNothing) {  // RFC 8656 §7.1, RFC 6062 §4.1
  const auto error = [](auto&& change) {
    auto options = ScriptedServer::DefaultOptions();
    change(options);
    ScriptedServer s(options);
    s.client.Start(s.now);
    EXPECT_TRUE(s.Sent().empty());
    EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kBadOptions);
    return Validate(options);
  };
  EXPECT_EQ(error([](auto& o) { o.relay = RelayProtocol::kTcp; }), OptionsError::kTcpRelayOverUdp);
  EXPECT_EQ(error([](auto& o) {
              o.relay = RelayProtocol::kTcp;
              o.transport = ControlTransport::kTls;
              o.dont_fragment = true;
            }),
            OptionsError::kTcpRelayWithUdpFeature);
  EXPECT_EQ(error([](auto& o) { o.reservation.emplace(), o.even_port.emplace(); }),
            OptionsError::kReservationWithEvenPort);
  EXPECT_EQ(error([](auto& o) { o.reservation.emplace(), o.families = RelayFamilies::kV6; }),
            OptionsError::kReservationWithFamily);
  EXPECT_EQ(error([](auto& o) { o.even_port = EvenPort{true}, o.families = RelayFamilies::kBoth; }),
            OptionsError::kBothFamiliesWithReservedPort);
  EXPECT_EQ(error([](auto& o) { o.credentials.username = std::string(600, 'x'); }), OptionsError::kBadUsername);
}

TEST(ClientAllocateTest, ReportsWhatIsMissingOfADualAllocation) {  // RFC 8656 §7.3
  auto options = ScriptedServer::DefaultOptions();
  options.families = RelayFamilies::kBoth;
  ScriptedServer s(options);
  s.Succeed(Authenticated(s), [](MessageBuilder& b) {
    ScriptedServer::AddAllocation(b);
    Add(b, AddressErrorCode{AddressFamily::kV6, 440, ""});
  });
  const auto allocated = s.Expect<event::Allocated>();
  EXPECT_TRUE(allocated.relayed_v4);
  EXPECT_EQ(allocated.missing_family_code, 440);
  EXPECT_TRUE(s.Sent().empty());  // "the client MUST NOT retry its request for the rejected address type"
}

TEST(ClientAllocateTest, EveryErrorHasItsReasonAndOneTry) {  // RFC 8656 §7.4
  struct Case {
    uint16_t code;
    AllocationFailure reason;
    Duration retry_after;
  };
  for (const Case& c :
       {Case{400, AllocationFailure::kRefused, 0s}, Case{403, AllocationFailure::kRefused, 0s},
        Case{405, AllocationFailure::kMobilityForbidden, 0s}, Case{440, AllocationFailure::kUnsupported, 0s},
        Case{441, AllocationFailure::kWrongCredentials, 0s}, Case{442, AllocationFailure::kUnsupported, 0s},
        Case{486, AllocationFailure::kQuota, 60s}, Case{508, AllocationFailure::kCapacity, 60s},
        Case{500, AllocationFailure::kRefused, 0s}}) {
    ScriptedServer s;
    s.Refuse(Authenticated(s), c.code);
    const auto failed = s.Expect<event::AllocationFailed>();
    EXPECT_EQ(failed.reason, c.reason) << c.code;
    EXPECT_EQ(failed.error_code, c.code);
    EXPECT_EQ(failed.retry_after, c.retry_after) << c.code;
    EXPECT_TRUE(s.Run(300s).empty()) << c.code;
  }
}

TEST(ClientAllocateTest, A508WithAnEvenPortMayBeTriedAtOnceWithoutIt) {  // RFC 8656 §7.4
  auto options = ScriptedServer::DefaultOptions();
  options.even_port.emplace();
  ScriptedServer s(options);
  s.Refuse(Authenticated(s), 508);
  EXPECT_EQ(s.Expect<event::AllocationFailed>().retry_after, 0s);
}

TEST(ClientAllocateTest, DropsDontFragmentWhenTheServerDoesNotKnowIt) {  // RFC 8656 §7.4, 420
  auto options = ScriptedServer::DefaultOptions();
  options.dont_fragment = true;
  ScriptedServer s(options);
  const auto names_it = [](MessageBuilder& b) { b.AddUnknownAttributes(std::array{AttributeType::kDontFragment}); };
  s.Refuse(Authenticated(s), 420, names_it);
  const auto again = s.OnlySent();
  EXPECT_FALSE(Find<DontFragment>(again.view()));
  s.Succeed(again, kUsual);
  EXPECT_FALSE(s.Expect<event::Allocated>().dont_fragment);
}

TEST(ClientAllocateTest, TriesThreePorts) {  // RFC 8656 §7.4, 437
  ScriptedServer s;
  auto request = Authenticated(s);
  for (uint16_t port = 1; port <= 2; ++port) {
    s.Refuse(request, 437);
    EXPECT_EQ(s.Expect<event::NeedsNewPort>().ports_tried, port);
    const SocketAddress local{s.client.local().ip, port};
    s.client.Restart(s.now, local);
    request = s.OnlySent();
    EXPECT_EQ(request.local, local);
  }
  s.Refuse(request, 437);
  const auto failed = s.Expect<event::AllocationFailed>();
  EXPECT_EQ(failed.reason, AllocationFailure::kPortsInUse);
  EXPECT_EQ(failed.retry_after, 120s);
}

TEST(ClientAllocateTest, FollowsOneAuthenticRedirect) {  // RFC 8489 §10, RFC 8656 §7.4
  ScriptedServer s;
  const auto other = *SocketAddress::Parse("192.0.2.2:3478");
  const auto to = [&](MessageBuilder& b) { b.AddAddress(AttributeType::kAlternateServer, other); };
  s.Refuse(Authenticated(s), 300, to);
  EXPECT_EQ(s.Expect<event::Redirected>().server, other);
  const auto request = s.OnlySent();
  EXPECT_EQ(request.remote, other);
  EXPECT_EQ(s.key.Verify(request.view()), IntegrityStatus::kValid);  // "the same credentials"
  s.Refuse(request, 300, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kAlternateServer, *SocketAddress::Parse("192.0.2.3:3478"));
  });
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kTooManyRedirects);  // S9: one hop
}

TEST(ClientAllocateTest, S9_ARedirectWithoutIntegrityIsNotFollowed) {  // RFC 8489 §14.8
  ScriptedServer s;
  const auto to = [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kAlternateServer, *SocketAddress::Parse("192.0.2.2:3478"));
  };
  const auto request = Authenticated(s);
  s.Refuse(request, 300, to, Integrity::kNone);
  s.Refuse(request, 300, to, Integrity::kWrong);
  EXPECT_EQ(s.client.dropped(ClientDrop::kBadIntegrity), 2u);
  s.Succeed(request, kUsual);
  s.Expect<event::Allocated>();
  ScriptedServer open;
  open.client.Start(open.now);
  open.Refuse(open.OnlySent(), 300, to, Integrity::kNone);  // to a request that had no credentials
  EXPECT_EQ(open.Expect<event::AllocationFailed>().reason, AllocationFailure::kTooManyRedirects);
}

TEST(ClientAllocateTest, S9_ARedirectToLoopbackIsNotFollowed) {
  for (const char* target : {"127.0.0.1:3478", "0.0.0.0:3478", "224.0.0.1:3478", "192.0.2.2:0", "[2001:db8::1]:3478"}) {
    ScriptedServer s;
    s.Refuse(Authenticated(s), 300,
             [&](MessageBuilder& b) { b.AddAddress(AttributeType::kAlternateServer, *SocketAddress::Parse(target)); });
    EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kTooManyRedirects) << target;
    EXPECT_TRUE(s.Sent().empty());
  }
}

TEST(ClientAllocateTest, OverAStreamTheOwnerConnectsToTheAlternate) {  // RFC 8489 §10
  auto options = ScriptedServer::DefaultOptions();
  options.transport = ControlTransport::kTls;
  ScriptedServer s(options);
  s.Refuse(Authenticated(s), 300, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kAlternateServer, *SocketAddress::Parse("192.0.2.2:5349"));
    b.AddText(AttributeType::kAlternateDomain, "turn.example.net");
  });
  EXPECT_EQ(s.Expect<event::Redirected>().domain, "turn.example.net");
  EXPECT_TRUE(s.Sent().empty());
  s.client.Restart(s.now, *SocketAddress::Parse("10.0.0.2:40001"));
  EXPECT_EQ(s.OnlySent().local.port, 40001);
}

TEST(ClientAllocateTest, WrongCredentialsAreTriedOnce) {  // RFC 8489 §9.2.5
  ScriptedServer s;
  s.Challenge(Authenticated(s), 401, "another");
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kWrongCredentials);
  EXPECT_TRUE(s.Run(60s).empty());
}

TEST(ClientAllocateTest, T11_EndlessStaleNoncesEnd) {  // S9
  ScriptedServer s;
  auto request = Authenticated(s);
  s.Challenge(request, 438, "second");
  request = s.OnlySent();
  EXPECT_EQ(request.view().FindText(AttributeType::kNonce), "second");
  s.Challenge(request, 438, "third");
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kStaleNonce);
  EXPECT_TRUE(s.Run(60s).empty());
}

TEST(ClientAllocateTest, WithoutCredentialsAChallengeIsTheEnd) {
  auto options = ScriptedServer::DefaultOptions();
  options.credentials.username.clear();
  ScriptedServer s(options);
  s.client.Start(s.now);
  s.Challenge(s.OnlySent(), 401, "nonce");
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kWrongCredentials);
}

TEST(ClientAllocateTest, AnOpenServerNeedsNoCredentials) {  // RFC 8656 §7.2, first check
  ScriptedServer s;
  s.client.Start(s.now);
  s.Succeed(s.OnlySent(), kUsual, Integrity::kNone);
  s.Expect<event::Allocated>();
}

TEST(ClientAllocateTest, AnAnswerWithABadFingerprintIsDropped) {  // RFC 8489 §14.7
  ScriptedServer s;
  const auto request = Authenticated(s);
  std::array<uint8_t, 300> out;
  MessageBuilder b(out, {Method::kAllocate, stun::MessageClass::kSuccessResponse}, request.view().transaction_id());
  ScriptedServer::AddAllocation(b);
  s.key.AddIntegrity(b);
  b.AddU32(AttributeType::kFingerprint, 0x12345678);
  s.Deliver(b.Finish());
  EXPECT_EQ(s.client.dropped(ClientDrop::kBadFingerprint), 1u);
  EXPECT_FALSE(s.client.is_allocated());
}

TEST(ClientAllocateTest, TheOrderOfTimesDoesNotMatter) {  // base/sans_io.h, rule 1
  ScriptedServer s;
  s.Allocate();
  s.client.HandleTimeout(s.now + 100s);
  s.client.HandleTimeout(s.now);
  EXPECT_TRUE(s.Sent().empty());
  EXPECT_TRUE(s.client.is_allocated());
}

TEST(ClientAllocateTest, AnErrorWithoutACodeIsMalformed) {
  ScriptedServer s;
  const auto request = Authenticated(s);
  std::array<uint8_t, 100> out;
  MessageBuilder b(out, {Method::kAllocate, stun::MessageClass::kErrorResponse}, request.view().transaction_id());
  s.key.AddIntegrity(b);
  s.Deliver(b.Finish());
  EXPECT_EQ(s.client.dropped(ClientDrop::kMalformed), 1u);
  EXPECT_FALSE(s.client.PollEvent());
}

TEST(ClientAllocateTest, S9_ABidDownEndsTheAttempt) {  // RFC 8489 §9.2.5
  ScriptedServer s;
  s.client.Start(s.now);
  s.Challenge(s.OnlySent(), 401, "obMatJos2gAAAxyz");
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kBadChallenge);
}

TEST(ClientAllocateTest, S7_AnAnswerMustComeFromTheServerToThatSocket) {
  ScriptedServer s;
  auto request = Authenticated(s);
  auto elsewhere = request;
  elsewhere.local.port = 9;
  s.Succeed(elsewhere, kUsual);
  elsewhere = request;
  elsewhere.remote.port = 9;
  EXPECT_FALSE(s.Succeed(elsewhere, kUsual).mine);
  EXPECT_EQ(s.client.dropped(ClientDrop::kWrongAddress), 2u);
  EXPECT_FALSE(s.client.PollEvent());
}

TEST(ClientAllocateTest, ForgedAnswersAreDiscardedAndReported) {  // RFC 8489 §9.2.5
  ScriptedServer s;
  const auto request = Authenticated(s);
  s.Succeed(request, kUsual, Integrity::kWrong);
  s.Refuse(request, 400, {}, Integrity::kNone);
  EXPECT_FALSE(s.client.PollEvent());
  EXPECT_GT(s.Run(41s).size(), 3u);  // "retransmits … will continue"
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kIntegrity);
}

TEST(ClientAllocateTest, OverAStreamAForgedAnswerEndsTheTransaction) {  // RFC 8489 §9.2.5
  auto options = ScriptedServer::DefaultOptions();
  options.transport = ControlTransport::kTcp;
  ScriptedServer s(options);
  s.Succeed(Authenticated(s), kUsual, Integrity::kWrong);
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kIntegrity);
}

TEST(ClientAllocateTest, A400WithoutIntegrityIsAsIfItHadNotCome) {  // RFC 8489 §9.2.5
  for (const auto transport : {ControlTransport::kUdp, ControlTransport::kTcp}) {
    auto options = ScriptedServer::DefaultOptions();
    options.transport = transport;
    ScriptedServer s(options);
    auto request = Authenticated(s);
    s.Refuse(request, 400, {}, Integrity::kNone);
    EXPECT_EQ(s.client.dropped(ClientDrop::kBadIntegrity), 1u);
    EXPECT_FALSE(s.client.PollEvent());
    s.Succeed(request, kUsual);  // what the server did say
    s.Expect<event::Allocated>();

    ScriptedServer silent(options);
    request = Authenticated(silent);
    silent.Refuse(request, 400, {}, Integrity::kNone);
    EXPECT_EQ(silent.Run(41s).size(), IsStream(transport) ? 0u : 6u);  // "retransmits, if applicable, will continue"
    EXPECT_EQ(silent.Expect<event::AllocationFailed>().reason, AllocationFailure::kTimeout);
  }
}

TEST(ClientAllocateTest, T11_ARelayedAddressThatCannotBeOneIsDeleted) {  // RFC 8656 §7.3
  for (const char* relayed : {"127.0.0.1:5000", "0.0.0.0:5000", "224.0.0.1:5000", "192.0.2.1:0"}) {
    ScriptedServer s;
    s.Succeed(Authenticated(s), [&](MessageBuilder& b) {
      b.AddAddress(AttributeType::kXorRelayedAddress, *SocketAddress::Parse(relayed));
      b.AddAddress(AttributeType::kXorMappedAddress, *SocketAddress::Parse("203.0.113.9:1234"));
      Add(b, Lifetime{600});
    });
    EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kMalformedResponse) << relayed;
    EXPECT_EQ(Find<Lifetime>(s.OnlySent().view()), Lifetime{0});
  }
}

TEST(ClientAllocateTest, AFamilyThatWasNotAskedForIsDeleted) {  // RFC 8656 §7.3
  ScriptedServer s;
  s.Succeed(Authenticated(s), [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorRelayedAddress, *SocketAddress::Parse("[2001:db8::1]:5000"));
    b.AddAddress(AttributeType::kXorMappedAddress, *SocketAddress::Parse("203.0.113.9:1234"));
    Add(b, Lifetime{600});
  });
  EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kUnusableFamily);
  const auto deletion = s.OnlySent();
  EXPECT_EQ(deletion.method(), Method::kRefresh);
  s.Succeed(deletion);
  EXPECT_FALSE(s.client.PollEvent());
  EXPECT_TRUE(s.Run(300s).empty());
}

TEST(ClientAllocateTest, T11_AnIncompleteSuccessIsNone) {
  for (int missing = 0; missing < 4; ++missing) {
    ScriptedServer s;
    s.Succeed(Authenticated(s), [&](MessageBuilder& b) {
      const auto address = *SocketAddress::Parse("192.0.2.1:50000");
      if (missing != 0) b.AddAddress(AttributeType::kXorRelayedAddress, address);
      if (missing != 1) b.AddAddress(AttributeType::kXorMappedAddress, address);
      if (missing != 2) Add(b, Lifetime{missing == 3 ? 0u : 600u});
    });
    EXPECT_EQ(s.Expect<event::AllocationFailed>().reason, AllocationFailure::kMalformedResponse) << missing;
  }
}

TEST(ClientAllocateTest, RefreshesAMinuteBeforeTheEnd) {  // RFC 8656 §8
  ScriptedServer s;
  s.Allocate();
  EXPECT_TRUE(s.Run(539s).empty());
  const auto sent = s.Run(1s);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].method(), Method::kRefresh);
  s.Succeed(sent[0], [](MessageBuilder& b) { Add(b, Lifetime{120}); });
  EXPECT_TRUE(s.Run(59s).empty());
  EXPECT_EQ(s.Run(1s).size(), 1u);  // of 120 seconds
}

TEST(ClientAllocateTest, T11_LifetimesFromAHostileServerAreBounded) {
  ScriptedServer s;
  s.Allocate([](MessageBuilder& b) { ScriptedServer::AddAllocation(b, 0xffffffff); });
  EXPECT_TRUE(s.Run(58min).empty());
  EXPECT_GE(s.Run(2min).size(), 1u);
  ScriptedServer hasty;
  hasty.Allocate([](MessageBuilder& b) { ScriptedServer::AddAllocation(b, 1); });
  EXPECT_TRUE(hasty.Run(4s).empty());
}

TEST(ClientAllocateTest, AnAllocationWithoutRefreshExpires) {  // RFC 8656 §6
  ScriptedServer s;
  s.Allocate();
  s.Run(600s);
  EXPECT_EQ(s.Expect<event::AllocationLost>().reason, AllocationFailure::kExpired);
  EXPECT_TRUE(s.Run(600s).empty());
}

TEST(ClientAllocateTest, A437MeansThatItIsGone) {  // RFC 8656 §5, §8.3
  ScriptedServer s;
  s.Allocate();
  const auto sent = s.Run(541s);
  s.Refuse(sent.front(), 437);
  EXPECT_EQ(s.Expect<event::AllocationLost>().reason, AllocationFailure::kMismatch);
}

TEST(ClientAllocateTest, AStaleNonceIsRefreshedAndReused) {  // RFC 8656 §8.3
  ScriptedServer s;
  s.Allocate();
  const auto sent = s.Run(540s);
  s.Challenge(sent.front(), 438, "fresh");
  const auto again = s.OnlySent();
  EXPECT_EQ(again.view().FindText(AttributeType::kNonce), "fresh");
  s.Succeed(again, [](MessageBuilder& b) { Add(b, Lifetime{600}); });
  EXPECT_FALSE(s.client.PollEvent());
  EXPECT_EQ(s.client.challenge()->nonce, "fresh");
}

TEST(ClientAllocateTest, CloseDeletes) {  // RFC 8656 §8
  for (const int answer : {0, 437, 500}) {
    ScriptedServer s;
    s.Allocate();
    s.client.Close(s.now);
    const auto deletion = s.OnlySent();
    EXPECT_EQ(Find<Lifetime>(deletion.view()), Lifetime{0});
    if (answer == 0) {
      s.Succeed(deletion);
    } else {
      s.Refuse(deletion, static_cast<uint16_t>(answer));
    }
    s.Expect<event::Closed>();  // RFC 8656 §8.3: 437 is as good
    EXPECT_EQ(s.client.NextTimeout(), Timestamp::Never());
  }
}

TEST(ClientAllocateTest, CloseEndsInEveryState) {
  ScriptedServer idle;
  idle.client.Close(idle.now);
  idle.Expect<event::Closed>();
  idle.client.Start(idle.now);
  EXPECT_TRUE(idle.Sent().empty());

  ScriptedServer allocating;
  const auto request = Authenticated(allocating);
  allocating.client.Close(allocating.now);
  EXPECT_FALSE(allocating.client.PollEvent());
  allocating.Succeed(request, kUsual);  // came to be, and is deleted
  const auto deletion = allocating.OnlySent();
  EXPECT_EQ(Find<Lifetime>(deletion.view()), Lifetime{0});
  allocating.Succeed(deletion);
  allocating.Expect<event::Closed>();

  ScriptedServer silent;
  silent.Allocate();
  silent.client.Close(silent.now);
  silent.Run(40s);
  silent.Expect<event::Closed>();
}

TEST(ClientAllocateTest, AFailedTransportEndsEverything) {
  ScriptedServer s;
  s.Allocate();
  s.client.HandleTransportFailed(s.now);
  EXPECT_EQ(s.Expect<event::AllocationLost>().reason, AllocationFailure::kUnreachable);
  ScriptedServer early;
  early.client.Start(early.now);
  early.client.HandleTransportFailed(early.now);
  EXPECT_EQ(early.Expect<event::AllocationFailed>().reason, AllocationFailure::kUnreachable);
}

TEST(ClientAllocateTest, ATooSmallBufferLosesNothing) {
  ScriptedServer s;
  s.client.Start(s.now);
  std::array<uint8_t, 30> small;
  EXPECT_FALSE(s.client.PollTransmit(s.now, small));
  EXPECT_EQ(s.Sent().size(), 1u);
}

}  // namespace
}  // namespace jsp::turn
