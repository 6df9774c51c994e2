#include "dtls/fingerprint.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
namespace jsp::dtls {
namespace {

const auto kDer = crypto::AsBytes("not a certificate, but a digest does not mind");
constexpr HashFunction kAll[] = {HashFunction::kSha1, HashFunction::kSha224, HashFunction::kSha256,
                                 HashFunction::kSha384, HashFunction::kSha512};

std::string Repeat(std::string_view octet, size_t count) {
  std::string out(octet);
  for (size_t i = 1; i < count; ++i) out += ":" + std::string(octet);
  return out;
}

TEST(FingerprintTest, WritesTheHashNameAndUpperCaseOctets) {  // RFC 8122 §5
  const auto abc = crypto::AsBytes("abc");
  // FIPS 180-4's examples.
  EXPECT_EQ(ComputeFingerprint(HashFunction::kSha1, abc).ToString(),
            "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D");
  EXPECT_EQ(ComputeFingerprint(HashFunction::kSha256, abc).ToString(),
            "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD");
}

TEST(FingerprintTest, RoundTripsEveryHash) {
  for (const auto hash : kAll) {
    const auto fingerprint = ComputeFingerprint(hash, kDer);
    EXPECT_EQ(Fingerprint::Parse(fingerprint.ToString()), fingerprint);
  }
}

TEST(FingerprintTest, D11_ReadsUpperAndLowerCase) {
  const auto upper = Fingerprint::Parse("sha-1 " + Repeat("AF", 20));
  ASSERT_TRUE(upper);
  EXPECT_EQ(Fingerprint::Parse("sha-1 " + Repeat("af", 20)), upper);
  EXPECT_EQ(Fingerprint::Parse("SHA-1 " + Repeat("aF", 20)), upper);
}

TEST(FingerprintTest, D11_RefusesUnknownHashesAndWhatDoesNotFit) {  // RFC 8122 §5
  for (const std::string& text :
       {std::string(), std::string("sha-256"), std::string("sha-256 "), "md5 " + Repeat("AA", 16),
        "md2 " + Repeat("AA", 16), "sha3-256 " + Repeat("AA", 32), "sha-256 " + Repeat("AA", 31),
        "sha-256 " + Repeat("AA", 33), "sha-1 " + Repeat("AA", 32), "sha-1  " + Repeat("AA", 20),
        "sha-1 " + Repeat("AG", 20), "sha-1 " + Repeat("AA", 19) + ";AA", "sha-1 " + Repeat("AA", 20) + ":",
        "sha-1" + Repeat("AA", 20), "sha-1 " + std::string(59, 'A')}) {
    EXPECT_FALSE(Fingerprint::Parse(text)) << text;
  }
}

TEST(FingerprintTest, MatchesEveryHash) {
  for (const auto hash : kAll) {
    auto fingerprint = ComputeFingerprint(hash, kDer);
    EXPECT_TRUE(MatchesFingerprints({{fingerprint}}, kDer));
    fingerprint.digest.back() ^= 1;
    EXPECT_FALSE(MatchesFingerprints({{fingerprint}}, kDer));
  }
}

TEST(FingerprintTest, D11_OnlyTheMostPreferredHashCountsAndOneMatchIsEnough) {  // RFC 8122 §5.1
  const auto right_sha1 = ComputeFingerprint(HashFunction::kSha1, kDer);
  const auto right_sha256 = ComputeFingerprint(HashFunction::kSha256, kDer);
  const auto wrong_sha256 = ComputeFingerprint(HashFunction::kSha256, crypto::AsBytes("somebody else"));
  const auto wrong_sha512 = ComputeFingerprint(HashFunction::kSha512, crypto::AsBytes("somebody else"));
  EXPECT_FALSE(MatchesFingerprints({}, kDer));
  EXPECT_FALSE(MatchesFingerprints(std::vector{right_sha1, wrong_sha256}, kDer));
  EXPECT_FALSE(MatchesFingerprints(std::vector{right_sha256, wrong_sha512, right_sha1}, kDer));
  EXPECT_TRUE(MatchesFingerprints(std::vector{wrong_sha256, right_sha256}, kDer));
  EXPECT_TRUE(MatchesFingerprints(std::vector{right_sha256, wrong_sha256, right_sha1}, kDer));
}

TEST(FingerprintTest, AnEmptyOrShortDigestMatchesNothing) {
  EXPECT_FALSE(MatchesFingerprints({{Fingerprint{HashFunction::kSha256, {}}}}, kDer));
  auto fingerprint = ComputeFingerprint(HashFunction::kSha256, kDer);
  fingerprint.digest.pop_back();
  EXPECT_FALSE(MatchesFingerprints({{fingerprint}}, kDer));
}

}  // namespace
}  // namespace jsp::dtls
