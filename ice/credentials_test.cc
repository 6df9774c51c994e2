#include "ice/credentials.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
namespace jsp::ice {
namespace {

TEST(CredentialsTest, DrawsEnoughRandomBitsAndNeverRepeats) {  // RFC 8445 §5.3
  Rng rng = Rng::FromNumber(1);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const Credentials credentials = Credentials::Random(rng);
    EXPECT_TRUE(credentials.IsValid());
    EXPECT_EQ(credentials.ufrag.size(), 8u);
    EXPECT_EQ(credentials.pwd.size(), 24u);
    seen.insert(credentials.ufrag);
    seen.insert(credentials.pwd);
  }
  EXPECT_EQ(seen.size(), 2000u);
}

TEST(CredentialsTest, I19_AcceptsTheLengthsOfRfc8839AndNoOthers) {  // RFC 8839 §5.4
  const auto is_valid = [](size_t ufrag, size_t pwd) {
    return Credentials{std::string(ufrag, 'a'), std::string(pwd, 'b')}.IsValid();
  };
  EXPECT_TRUE(is_valid(4, 22));
  EXPECT_TRUE(is_valid(256, 256));
  EXPECT_FALSE(is_valid(3, 22));
  EXPECT_FALSE(is_valid(4, 21));
  EXPECT_FALSE(is_valid(257, 22));
  EXPECT_FALSE(is_valid(4, 257));
  EXPECT_FALSE(is_valid(0, 0));
}

TEST(CredentialsTest, AcceptsOnlyIceChars) {
  const std::string pwd(22, 'p');
  EXPECT_TRUE((Credentials{"aZ09+/", pwd}.IsValid()));
  for (const char bad : {':', ' ', '-', '_', '=', '\n', '\0', '\x7f', '\xc3'}) {
    EXPECT_FALSE((Credentials{std::string("abcd") + bad, pwd}.IsValid()));
    EXPECT_FALSE((Credentials{"abcd", pwd + bad}.IsValid()));
  }
}

}  // namespace
}  // namespace jsp::ice
