#include "dtls/stream_session.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "dtls/stream_session_test_support.h"
namespace jsp::dtls {
namespace {

using namespace testing;

// Fails with this line, and the server hears of it.
void ExpectRefusal(const StreamOptions& client, const StreamOptions& server, StreamFailure failure,
                   const std::string& detail) {
  StreamPair pair(client, server);
  pair.Exchange();
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->failure, failure) << ToString(pair.a.failed()->failure);
  EXPECT_EQ(pair.a.failed()->detail, detail);
  EXPECT_TRUE(pair.a.connected() == nullptr);
  ASSERT_TRUE(pair.z.failed() != nullptr);
  EXPECT_EQ(pair.z.failed()->failure, StreamFailure::kPeerAlert);
  EXPECT_TRUE(pair.z.connected() == nullptr);
}

TEST(StreamSessionTest, CarriesOctetsBothWays) {
  StreamPair pair;
  pair.MustConnect();
  EXPECT_EQ(pair.a.connected()->protocol, "TLSv1.3");
  EXPECT_EQ(pair.a.connected()->application, "stun.turn");  // RFC 7443 §2
  EXPECT_EQ(pair.z.connected()->application, "stun.turn");
  SendAll(pair, pair.a, "question");
  SendAll(pair, pair.z, "answer");
  pair.Exchange();
  EXPECT_EQ(pair.z.plaintext, "question");
  EXPECT_EQ(pair.a.plaintext, "answer");
  EXPECT_EQ(pair.a.session.NextTimeout(), Timestamp::Never());
}

TEST(StreamSessionTest, WorksWhenEitherSideDribblesOneOctetAtATime) {
  StreamPair pair;
  pair.Exchange(1);
  ASSERT_TRUE(pair.a.connected() != nullptr && pair.z.connected() != nullptr);
  SendAll(pair, pair.a, "slow");
  pair.Exchange(1);
  EXPECT_EQ(pair.z.plaintext, "slow");
}

TEST(StreamSessionTest, SplitsWhatIsLargerThanARecord) {  // RFC 8446 §5.1
  StreamPair pair;
  pair.MustConnect();
  std::string large(300'000, ' ');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 + i / 251);
  SendAll(pair, pair.a, large);
  pair.Exchange(100'000);
  EXPECT_EQ(pair.z.plaintext, large);
}

TEST(StreamSessionTest, TakesNoMoreThanItsBufferWhileNobodyReads) {
  StreamPair pair;
  pair.MustConnect();
  for (int i = 0; i < 100; ++i) SendAll(pair, pair.a, std::string(1000, 'x'));
  size_t taken = 0;
  while (taken < pair.a.out.size()) {
    const size_t more = pair.z.session.HandleReceived(pair.now, std::span(pair.a.out).subspan(taken));
    if (more == 0) break;
    taken += more;
  }
  EXPECT_LE(taken, StreamSession::kBuffer);
  pair.a.out.erase(pair.a.out.begin(), pair.a.out.begin() + static_cast<ptrdiff_t>(taken));
  pair.Exchange();
  EXPECT_EQ(pair.z.plaintext.size(), 100'000u);
}

TEST(StreamSessionTest, HoldsNoMoreOutputThanItsBuffer) {
  StreamPair pair;
  pair.MustConnect();
  const std::string piece(4000, 'x');
  size_t sent = 0;
  for (int i = 0; i < 100; ++i) sent += *pair.a.session.Send(pair.now, AsBytes(piece));
  EXPECT_EQ(sent % 4000, 0u);  // all of a piece or nothing of it
  EXPECT_LT(sent, StreamSession::kBuffer);
  pair.Exchange();
  EXPECT_EQ(pair.z.plaintext.size(), sent);
  EXPECT_EQ(*pair.a.session.Send(pair.now, AsBytes(piece)), 4000u);
}

TEST(StreamSessionTest, SendsNothingBeforeTheServerIsVerified) {  // RFC 8489 §6.2.3
  StreamPair pair;
  EXPECT_EQ(pair.a.session.Send(pair.now, AsBytes("early")).error(), StreamSendError::kNotConnected);
  pair.MustConnect();
  EXPECT_TRUE(pair.a.session.Send(pair.now, AsBytes("now")));
}

TEST(StreamSessionTest, EndsWithCloseNotifyBehindTheData) {  // RFC 5246 §7.2.1
  StreamPair pair;
  pair.MustConnect();
  SendAll(pair, pair.a, "last words");
  pair.a.session.Close(pair.now);
  EXPECT_EQ(pair.a.session.Send(pair.now, AsBytes("more")).error(), StreamSendError::kClosed);
  pair.Exchange();
  EXPECT_EQ(pair.z.plaintext, "last words");
  EXPECT_TRUE(pair.z.closed() != nullptr);
  EXPECT_TRUE(pair.z.failed() == nullptr);
  EXPECT_TRUE(pair.a.closed() == nullptr);  // our own end makes no event
  EXPECT_TRUE(pair.a.session.is_ended() && pair.z.session.is_ended());
}

TEST(StreamSessionTest, TellsTruncationFromTheEnd) {  // RFC 8446 §6.1
  StreamPair pair;
  pair.MustConnect();
  SendAll(pair, pair.a, "half of it");
  const Bytes last(pair.a.out);
  pair.z.session.HandleEnd(pair.now);  // known before the data is: it is delivered first
  pair.z.Give(pair.now, last);
  EXPECT_EQ(pair.z.plaintext, "half of it");
  ASSERT_TRUE(pair.z.failed() != nullptr);
  EXPECT_EQ(pair.z.failed()->failure, StreamFailure::kTruncated);
}

TEST(StreamSessionTest, AnEndBehindCloseNotifyIsNoTruncation) {
  StreamPair pair;
  pair.MustConnect();
  pair.a.session.Close(pair.now);
  pair.Exchange();
  pair.z.session.HandleEnd(pair.now);
  pair.z.Drain(pair.now);
  EXPECT_TRUE(pair.z.closed() != nullptr);
  EXPECT_TRUE(pair.z.failed() == nullptr);
}

TEST(StreamSessionTest, FailsWhenTheStreamEndsInsideTheHandshake) {
  StreamPair pair;
  pair.a.Drain(pair.now);
  pair.a.session.HandleEnd(pair.now);
  pair.a.Drain(pair.now);
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->failure, StreamFailure::kTruncated);
  EXPECT_EQ(pair.a.failed()->detail, "the other side closed the connection during the TLS handshake");
}

TEST(StreamSessionTest, GivesUpAHandshakeThatNeverEnds) {
  StreamPair pair;
  pair.now = pair.now + std::chrono::milliseconds(9999);
  pair.a.session.HandleTimeout(pair.now);
  pair.a.Drain(pair.now);
  EXPECT_TRUE(pair.a.failed() == nullptr);
  pair.now = pair.a.session.NextTimeout();
  pair.a.session.HandleTimeout(pair.now);
  pair.a.Drain(pair.now);
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->failure, StreamFailure::kHandshakeTimeout);
}

TEST(StreamSessionTest, ADribblingHandshakeDoesNotPostponeItsDeadline) {
  StreamPair pair;
  pair.a.Drain(pair.now);
  for (size_t i = 0; i < 20; ++i) {
    pair.z.Give(pair.now, std::span(pair.a.out).subspan(i, 1));
    pair.now = pair.now + std::chrono::seconds(1);
  }
  ASSERT_TRUE(pair.z.failed() != nullptr);
  EXPECT_EQ(pair.z.failed()->failure, StreamFailure::kHandshakeTimeout);
}

// What the certificate says, RFC 8489 §6.2.3.

TEST(StreamVerificationTest, AcceptsNamesWildcardsAndAddresses) {
  for (const char* host :
       {"turn.example", "TURN.example", "turn.example.", "eu.relay.example", "192.0.2.1", "2001:db8::1"}) {
    StreamPair pair(ClientOptions(host));
    pair.Exchange();
    EXPECT_TRUE(pair.a.connected() != nullptr) << host << (pair.a.failed() ? pair.a.failed()->detail : "");
  }
}

TEST(StreamVerificationTest, NamesTheServerButNotByAddress) {  // RFC 6066 §3
  for (const auto& [host, expected] : {std::pair("turn.example", true), std::pair("192.0.2.1", false)}) {
    StreamPair pair(ClientOptions(host));
    pair.a.Drain(pair.now);
    const std::string hello(pair.a.out.begin(), pair.a.out.end());
    EXPECT_EQ(hello.find(host) != std::string::npos, expected) << host;
  }
}

TEST(StreamVerificationTest, RefusesAnotherName) {
  const char* names = "the server's certificate is for turn.example, *.relay.example, 192.0.2.1, 2001:db8::1, not for ";
  for (const std::string host : {"evil.example", "a.b.relay.example", "relay.example", "192.0.2.2", "2001:db8::2"}) {
    ExpectRefusal(ClientOptions(host), ServerOptions(), StreamFailure::kWrongName, names + host);
  }
}

TEST(StreamVerificationTest, RefusesACertificateWithoutNames) {
  ExpectRefusal(ClientOptions("other.example"), ServerOptions(ServerContext(Authority().Issue({}))),
                StreamFailure::kWrongName, "the server's certificate is for CN=leaf, not for other.example");
}

TEST(StreamVerificationTest, RefusesAnUnknownAuthority) {
  const TestAuthority other("Somebody's CA");
  ExpectRefusal(
      ClientOptions(), ServerOptions(ServerContext(other.Issue({.names = {"DNS:turn.example"}}))),
      StreamFailure::kUntrusted,
      "the certificate of turn.example was issued by CN=Somebody's CA, which is not trusted here; a private CA "
      "has to be given");
}

TEST(StreamVerificationTest, RefusesAnAuthorityOfTheSameNameButAnotherKey) {
  const TestAuthority impostor("Test CA");
  StreamPair pair(ClientOptions(), ServerOptions(ServerContext(impostor.Issue(kForServer))));
  pair.Exchange();
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->failure, StreamFailure::kUntrusted);
}

TEST(StreamVerificationTest, RefusesThePrivateAuthorityWhereOnlyTheSystemIsTrusted) {
  StreamOptions client = ClientOptions();
  client.context = Must(StreamContext::ForClient());
  StreamPair pair(client);
  pair.Exchange();
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->failure, StreamFailure::kUntrusted);
}

TEST(StreamVerificationTest, RefusesWhatExpiredOrIsNotYetValid) {
  IssueOptions options = kForServer;
  options.names = {"DNS:turn.example"};
  options.not_after_unix = kStreamTestTime - 1;
  ExpectRefusal(ClientOptions(), ServerOptions(ServerContext(Authority().Issue(options))), StreamFailure::kExpired,
                "the certificate of turn.example expired on Nov 14 22:13:19 2023 GMT");
  options.not_before_unix = kStreamTestTime + 1;
  options.not_after_unix = kStreamTestTime + 100;
  ExpectRefusal(ClientOptions(), ServerOptions(ServerContext(Authority().Issue(options))), StreamFailure::kExpired,
                "the certificate of turn.example is not valid before Nov 14 22:13:21 2023 GMT; is the clock right?");
}

TEST(StreamVerificationTest, FollowsAChainAndTrustsTheServersOwnCertificateWhenGiven) {
  const Issued indirect = Authority().IssueIndirectly(kForServer);
  StreamPair chained(ClientOptions(), ServerOptions(ServerContext(indirect)));
  chained.MustConnect();
  StreamOptions pinned = ClientOptions();
  pinned.context = Must(StreamContext::ForClient({.ca_pem = indirect.chain_pem}));
  StreamPair direct(pinned, ServerOptions(ServerContext(indirect)));
  direct.MustConnect();
}

TEST(StreamVerificationTest, CutsAndCleansNamesThatTheServerChose) {
  IssueOptions options;
  for (int i = 0; i < 9; ++i) options.names.push_back("DNS:" + std::string(250, 'a') + "\x1b[31m" + std::to_string(i));
  StreamPair pair(ClientOptions(), ServerOptions(ServerContext(Authority().Issue(options))));
  pair.Exchange();
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->detail.find('\x1b'), std::string::npos);
  EXPECT_NE(pair.a.failed()->detail.find("and 5 more"), std::string::npos);
  EXPECT_LT(pair.a.failed()->detail.size(), 1000u);
}

TEST(StreamVerificationTest, RefusesAHostThatNoCertificateCanHave) {
  StreamPair pair(ClientOptions(""));
  pair.a.Drain(pair.now);
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_TRUE(pair.a.out.empty());
}

TEST(StreamVerificationTest, RefusesACertificateMessageWithoutBound) {
  IssueOptions options = kForServer;
  options.filler_extensions = 80;
  StreamPair pair(ClientOptions(), ServerOptions(ServerContext(Authority().Issue(options))));
  pair.Exchange();
  ASSERT_TRUE(pair.a.failed() != nullptr);
  EXPECT_EQ(pair.a.failed()->failure, StreamFailure::kProtocolError);
}

TEST(StreamVerificationTest, TakesAServerFlightThatIsLargerThanTheBuffer) {
  IssueOptions options = kForServer;
  options.filler_extensions = 40;
  StreamPair pair(ClientOptions(), ServerOptions(ServerContext(Authority().Issue(options))));
  pair.MustConnect();
}

// What a server's operator does wrong.

TEST(StreamContextTest, SaysWhatIsWrongWithPemTexts) {
  const Issued good = Authority().Issue(kForServer);
  const Issued other = Authority().Issue(kForServer);
  EXPECT_EQ(StreamContext::ForServer("", good.key_pem).error(),
            "the server's certificate: there is no certificate in the PEM text");
  EXPECT_EQ(StreamContext::ForServer(good.chain_pem, "").error().substr(0, 47),
            "there is no private key without a password in t");
  EXPECT_EQ(StreamContext::ForServer(good.chain_pem, other.key_pem).error().substr(0, 43),
            "the private key is not the certificate's: k");
  std::string broken = good.chain_pem + good.chain_pem;
  broken[good.chain_pem.size() + 100] = '!';
  EXPECT_EQ(StreamContext::ForServer(broken, good.key_pem).error().substr(0, 55),
            "the server's certificate: certificate 2 of the PEM text");
  EXPECT_EQ(StreamContext::ForClient({.ca_pem = "nonsense"}).error(),
            "trusted CA certificates: there is no certificate in the PEM text");
}

TEST(StreamContextTest, ANewContextCountsForNewSessionsOnly) {
  StreamPair old;
  old.MustConnect();
  StreamOptions client = ClientOptions("new.example");
  StreamPair renewed(client, ServerOptions(ServerContext(Authority().Issue({.names = {"DNS:new.example"}}))));
  renewed.MustConnect();
  SendAll(old, old.a, "still here");
  old.Exchange();
  EXPECT_EQ(old.z.plaintext, "still here");
}

}  // namespace
}  // namespace jsp::dtls
