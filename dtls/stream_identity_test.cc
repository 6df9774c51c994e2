#include "dtls/stream_identity.h"

#include <gtest/gtest.h>

#include "dtls/stream_session_test_support.h"
namespace jsp::dtls {
namespace {

using namespace testing;

StreamPair Make(const StreamIdentity& identity, const std::string& host) {
  const auto trust = Must(StreamContext::ForClient({.ca_pem = identity.chain_pem}));
  return StreamPair({.context = trust, .host = host, .unix_time = kStreamTestTime},
                    ServerOptions(Must(StreamContext::ForServer(identity.chain_pem, identity.key_pem))));
}

TEST(StreamIdentityTest, IsBelievedByWhoTrustsIt) {  // RFC 5280 §6.1
  const auto identity = MakeStreamIdentity({.names = {"DNS:relay.example", "IP:198.51.100.1"}});
  ASSERT_TRUE(identity) << identity.error();
  for (const char* name : {"relay.example", "198.51.100.1"}) {
    StreamPair pair = Make(*identity, name);
    pair.Exchange();
    EXPECT_TRUE(pair.a.connected() != nullptr) << name;
  }
}

TEST(StreamIdentityTest, IsRefusedUnderAnotherNameAndByEverybodyElse) {
  const auto identity = MakeStreamIdentity({.names = {"DNS:relay.example"}});
  ASSERT_TRUE(identity) << identity.error();
  StreamPair other_name = Make(*identity, "turn.example");
  other_name.Exchange();
  ASSERT_TRUE(other_name.a.failed() != nullptr);
  EXPECT_EQ(other_name.a.failed()->failure, StreamFailure::kWrongName);
  StreamPair stranger(ClientOptions("relay.example"),
                      ServerOptions(Must(StreamContext::ForServer(identity->chain_pem, identity->key_pem))));
  stranger.Exchange();
  ASSERT_TRUE(stranger.a.failed() != nullptr);
  EXPECT_EQ(stranger.a.failed()->failure, StreamFailure::kUntrusted);
}

TEST(StreamIdentityTest, SaysWhatItCannotMake) {
  const auto identity = MakeStreamIdentity({.names = {"nonsense"}});
  ASSERT_FALSE(identity);
  EXPECT_NE(identity.error().find("no certificate could be made"), std::string::npos);
}

}  // namespace
}  // namespace jsp::dtls
