#include "turn/server/credentials.h"

#include <gtest/gtest.h>

#include <string>
namespace jsp::turn {
namespace {

const stun::LongTermKeys kKeys = stun::LongTermKeys::Of("alice", "realm", "pass");

TEST(CredentialsStoreTest, KeepsKeysOfStaticUsers) {  // RFC 8656 §6
  Credentials credentials;
  credentials.AddUser("alice", "realm", kKeys);
  ASSERT_EQ(credentials.Find("alice", "realm", 0).size(), 1u);
  EXPECT_EQ(credentials.Find("alice", "realm", 0)[0], kKeys);
  EXPECT_TRUE(credentials.Find("bob", "realm", 0).empty());
  EXPECT_TRUE(credentials.Find("", "realm", 0).empty());
  const auto other = stun::LongTermKeys::Of("alice", "realm", "new");
  credentials.AddUser("alice", "realm", other);
  EXPECT_EQ(credentials.Find("alice", "realm", 0)[0], other);
  EXPECT_EQ(credentials.users(), 1u);
}

TEST(CredentialsStoreTest, FindsUsersByTheirHash) {  // RFC 8489 §14.4
  Credentials credentials;
  credentials.AddUser("alice", "realm", kKeys);
  EXPECT_EQ(credentials.FindByUserhash(stun::Userhash("alice", "realm")), "alice");
  EXPECT_FALSE(credentials.FindByUserhash(stun::Userhash("bob", "realm")));
  EXPECT_FALSE(credentials.FindByUserhash(stun::Userhash("alice", "other")));
}

TEST(CredentialsStoreTest, ComputesEphemeralPasswords) {
  // echo -n 1700000000:alice | openssl dgst -sha1 -hmac secret -binary | base64
  EXPECT_EQ(EphemeralPassword("secret", "1700000000:alice"), "d8soP47RbdIKLDUOpnJPVQyq5Ts=");
}

TEST(CredentialsStoreTest, EphemeralUsersExpire) {
  Credentials credentials;
  EXPECT_TRUE(credentials.AddSharedSecret("secret"));
  EXPECT_TRUE(credentials.has_shared_secret());
  for (const std::string name : {"1700000000:alice", "1700000000"}) {
    const auto keys = stun::LongTermKeys::Of(name, "realm", EphemeralPassword("secret", name));
    ASSERT_EQ(credentials.Find(name, "realm", 1'700'000'000).size(), 1u);
    EXPECT_EQ(credentials.Find(name, "realm", 1'700'000'000)[0], keys);
    EXPECT_TRUE(credentials.Find(name, "realm", 1'700'000'001).empty());
  }
}

TEST(CredentialsStoreTest, NamesWithoutATimeAreNobody) {
  Credentials credentials;
  credentials.AddSharedSecret("secret");
  for (const char* name : {"alice", ":alice", "17x:alice", "-1:alice", " 1:a", "99999999999999999999999:a", ""}) {
    EXPECT_TRUE(credentials.Find(name, "realm", 0).empty()) << name;
  }
}

TEST(CredentialsStoreTest, SecretsChangeWithoutAGap) {
  Credentials credentials;
  EXPECT_TRUE(credentials.AddSharedSecret("old"));
  EXPECT_TRUE(credentials.AddSharedSecret("new"));
  EXPECT_EQ(credentials.Find("1:a", "realm", 0).size(), 2u);
  EXPECT_TRUE(credentials.AddSharedSecret("3"));
  EXPECT_TRUE(credentials.AddSharedSecret("4"));
  EXPECT_FALSE(credentials.AddSharedSecret("5"));
}

TEST(CredentialsStoreTest, QuotasIgnoreTheExpiry) {  // RFC 8656 §7.2
  Credentials credentials;
  EXPECT_EQ(credentials.QuotaName("1700000000:alice"), "1700000000:alice");
  credentials.AddSharedSecret("secret");
  EXPECT_EQ(credentials.QuotaName("1700000000:alice"), "alice");
  EXPECT_EQ(credentials.QuotaName("1700000000"), "1700000000");
  EXPECT_EQ(credentials.QuotaName("alice:bob"), "alice:bob");
  credentials.AddUser("5:five", "realm", kKeys);
  EXPECT_EQ(credentials.QuotaName("5:five"), "5:five");  // a static user
}

}  // namespace
}  // namespace jsp::turn
