#include "base/crypto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace jsp::crypto {
namespace {

std::vector<uint8_t> Repeat(uint8_t octet, size_t n) { return std::vector<uint8_t>(n, octet); }

TEST(HashTest, MatchesTheAppendixVectorsOfMd5) {
  EXPECT_EQ(Hex(Md5({})), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Hex(Md5(AsBytes("abc"))), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(Hex(Md5(AsBytes("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST(HashTest, Md5GivesTheLongTermKeyOfStun) {  // RFC 8489 §9.2.2
  EXPECT_EQ(Hex(Md5(AsBytes("user:realm:pass"))), "8493fbc53ba582fb4c044c456bdc40eb");
}

TEST(HashTest, MatchesTheStandardVectorsOfSha1AndSha256) {
  EXPECT_EQ(Hex(Sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(Hex(Sha1(AsBytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(Hex(Sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256(AsBytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256(AsBytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256HasherTest, IsTheSameForEverySplitAndResets) {
  std::vector<uint8_t> data(200);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i);
  const std::span<const uint8_t> all(data);
  Sha256Hasher hasher;
  for (size_t split = 0; split <= data.size(); ++split) {
    hasher.Update(all.first(split));
    hasher.Update(all.subspan(split));
    ASSERT_EQ(hasher.Finish(), Sha256(data)) << split;
  }
  EXPECT_EQ(hasher.Finish(), Sha256({}));
  hasher.Update(AsBytes("ab"));
  Sha256Hasher moved = std::move(hasher);
  moved.Update(AsBytes("c"));
  EXPECT_EQ(moved.Finish(), Sha256(AsBytes("abc")));
}

struct HmacVector {
  std::vector<uint8_t> key;
  std::vector<uint8_t> data;
  std::string mac;
};

std::vector<uint8_t> Octets(std::string_view text) { return {AsBytes(text).begin(), AsBytes(text).end()}; }

std::vector<uint8_t> CountingKey() {
  std::vector<uint8_t> key;
  for (uint8_t i = 1; i <= 25; ++i) key.push_back(i);
  return key;
}

TEST(HmacTest, MatchesTheSevenVectorsOfSha1) {  // RFC 2202 §3
  const HmacVector vectors[] = {
      {Repeat(0x0b, 20), Octets("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"},
      {Octets("Jefe"), Octets("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {Repeat(0xaa, 20), Repeat(0xdd, 50), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
      {CountingKey(), Repeat(0xcd, 50), "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
      {Repeat(0x0c, 20), Octets("Test With Truncation"), "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"},
      {Repeat(0xaa, 80), Octets("Test Using Larger Than Block-Size Key - Hash Key First"),
       "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
      {Repeat(0xaa, 80), Octets("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"),
       "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"},
  };
  for (const HmacVector& v : vectors) EXPECT_EQ(Hex(HmacSha1Key(v.key).Sign(v.data)), v.mac);
}

TEST(HmacTest, MatchesTheVectorsOfSha256) {  // RFC 4231 §4.2 to §4.8; §4.6 is truncated to 128 bits
  const HmacVector vectors[] = {
      {Repeat(0x0b, 20), Octets("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {Octets("Jefe"), Octets("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Repeat(0xaa, 20), Repeat(0xdd, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {CountingKey(), Repeat(0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {Repeat(0x0c, 20), Octets("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b"},
      {Repeat(0xaa, 131), Octets("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {Repeat(0xaa, 131),
       Octets("This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
              "be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const HmacVector& v : vectors) {
    EXPECT_EQ(Hex(HmacSha256Key(v.key).Sign(v.data)).substr(0, v.mac.size()), v.mac);
  }
}

TEST(HmacTest, SignsPartsLikeTheirConcatenation) {
  const HmacSha1Key sha1(AsBytes("key"));
  const HmacSha256Key sha256(AsBytes("key"));
  const auto data = Repeat(0x42, 150);
  const std::span<const uint8_t> all(data);
  for (size_t split = 0; split <= data.size(); ++split) {
    const std::array<Bytes, 3> parts = {all.first(split), Bytes(), all.subspan(split)};
    ASSERT_EQ(sha1.Sign(parts), sha1.Sign(data)) << split;
    ASSERT_EQ(sha256.Sign(parts), sha256.Sign(data)) << split;
  }
}

TEST(HmacTest, AKeyIsACopyableValueThatSigningDoesNotChange) {
  const HmacSha1Key key(AsBytes("VOkJxbRl1RmTxUk/WvJxBt"));
  const HmacSha1Key copy = key;
  const Sha1Digest first = key.Sign(AsBytes("message"));
  EXPECT_EQ(key.Sign(AsBytes("message")), first);
  EXPECT_EQ(copy.Sign(AsBytes("message")), first);
  EXPECT_NE(HmacSha1Key(AsBytes("VOkJxbRl1RmTxUk/WvJxBu")).Sign(AsBytes("message")), first);
}

TEST(HmacTest, HashesKeysOnlyWhenTheyAreLongerThanABlock) {  // RFC 2104 §2
  const auto block = Repeat(0x61, 64);
  const auto longer = Repeat(0x61, 65);
  EXPECT_NE(HmacSha1Key(block).Sign(AsBytes("x")), HmacSha1Key(Sha1(block)).Sign(AsBytes("x")));
  EXPECT_EQ(HmacSha1Key(longer).Sign(AsBytes("x")), HmacSha1Key(Sha1(longer)).Sign(AsBytes("x")));
  auto padded = Repeat(0x61, 3);
  padded.resize(10, 0);
  EXPECT_EQ(HmacSha1Key(padded).Sign(AsBytes("x")), HmacSha1Key(AsBytes("aaa")).Sign(AsBytes("x")));
}

TEST(EqualConstantTimeTest, ComparesContentAndSize) {
  EXPECT_TRUE(EqualConstantTime({}, {}));
  EXPECT_TRUE(EqualConstantTime(AsBytes("abc"), AsBytes("abc")));
  EXPECT_FALSE(EqualConstantTime(AsBytes("abc"), AsBytes("abd")));
  EXPECT_FALSE(EqualConstantTime(AsBytes("xbc"), AsBytes("abc")));
  EXPECT_FALSE(EqualConstantTime(AsBytes("abc"), AsBytes("abcd")));
  EXPECT_FALSE(EqualConstantTime({}, AsBytes("a")));
}

std::string Keystream(const std::array<uint8_t, 32>& key, uint64_t counter, size_t n) {
  std::vector<uint8_t> out(n, 0xee);
  ChaCha20Keystream(key, counter, out);
  return Hex(out);
}

TEST(ChaCha20Test, MatchesTheKeystreamVectors) {  // RFC 8439 §A.1, vectors 1 to 4
  std::array<uint8_t, 32> key{};
  EXPECT_EQ(Keystream(key, 0, 64),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
  EXPECT_EQ(Keystream(key, 1, 64),
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
  key[31] = 1;
  EXPECT_EQ(Keystream(key, 1, 64),
            "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
            "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0");
  key = {0, 0xff};
  EXPECT_EQ(Keystream(key, 2, 64),
            "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
            "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096");
}

TEST(ChaCha20Test, CountsBlocksInSixtyFourBits) {
  const std::array<uint8_t, 32> key{7};
  const std::string across = Keystream(key, 0xffffffff, 128);
  EXPECT_EQ(across.substr(0, 128), Keystream(key, 0xffffffff, 64));
  EXPECT_EQ(across.substr(128), Keystream(key, 0x100000000, 64));
  EXPECT_NE(Keystream(key, 0x100000000, 64), Keystream(key, 0, 64));
  EXPECT_EQ(Keystream(key, 0, 0), "");
}

TEST(EraseTest, OverwritesWithZeros) {
  std::array<uint8_t, 5> secret = {1, 2, 3, 4, 5};
  Erase(std::span(secret).first(4));
  EXPECT_EQ(secret, (std::array<uint8_t, 5>{0, 0, 0, 0, 5}));
}

TEST(TextTest, WritesLowerCaseHexadecimal) {
  EXPECT_EQ(Hex({}), "");
  EXPECT_EQ(Hex(std::array<uint8_t, 4>{0x00, 0x0f, 0xa5, 0xff}), "000fa5ff");
}

TEST(TextTest, WritesBase64WithPadding) {  // RFC 4648 §10
  EXPECT_EQ(Base64({}), "");
  EXPECT_EQ(Base64(AsBytes("f")), "Zg==");
  EXPECT_EQ(Base64(AsBytes("fo")), "Zm8=");
  EXPECT_EQ(Base64(AsBytes("foo")), "Zm9v");
  EXPECT_EQ(Base64(AsBytes("foob")), "Zm9vYg==");
  EXPECT_EQ(Base64(AsBytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(Base64(AsBytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(Base64(std::array<uint8_t, 3>{0xfb, 0xff, 0xbf}), "+/+/");
}

}  // namespace
}  // namespace jsp::crypto
