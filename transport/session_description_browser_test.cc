#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "transport/mdns.h"
#include "transport/session_description.h"

namespace jsp::transport {
namespace {

// A description of test/vectors/sdp, as the browser wrote it.
SessionDescription Captured(const std::string& name) {
  std::ifstream file("test/vectors/sdp/" + name + ".sdp", std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  const std::string sdp{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto parsed = ParseSessionDescription(sdp);
  EXPECT_TRUE(parsed.has_value()) << name << ": " << parsed.error().ToString();
  return parsed.value_or(SessionDescription{});
}

void ExpectUsable(const SessionDescription& description) {
  EXPECT_TRUE(description.ice.IsValid());
  EXPECT_TRUE(description.bundle);
  EXPECT_TRUE(description.ice_options.trickle);
  EXPECT_FALSE(description.ice_options.ice2) << "no browser sends it";
  EXPECT_FALSE(description.ice_lite);
  EXPECT_EQ(description.fingerprints.size(), 1u);
  EXPECT_EQ(description.sctp_port, 5000);
}

TEST(CapturedSdpTest, ReadsTheOffersAndAnswersOfBrowsers) {
  for (const char* browser : {"chromium", "firefox"}) {
    SCOPED_TRACE(browser);
    const auto offer = Captured(std::string(browser) + "_offer");
    const auto answer = Captured(std::string(browser) + "_answer");
    ExpectUsable(offer);
    ExpectUsable(answer);
    EXPECT_EQ(offer.setup, transport::Setup::kActpass);
    EXPECT_EQ(answer.setup, transport::Setup::kActive);
    EXPECT_EQ(offer.mid, "0");
    EXPECT_EQ(answer.mid, offer.mid);
    EXPECT_TRUE(offer.rejected.empty());
    EXPECT_NE(offer.ice.ufrag, answer.ice.ufrag);
  }
}

TEST(CapturedSdpTest, ReadsTheMessageSizesOfBrowsers) {  // RFC 8841 §6.1
  EXPECT_EQ(Captured("chromium_offer").max_message_size, 262144u);
  EXPECT_EQ(Captured("firefox_offer").max_message_size, 1073741823u);
}

TEST(CapturedSdpTest, ReadsTheHiddenCandidatesOfBrowsersWithNamesThatWeResolve) {
  Rng rng = Rng::FromNumber(1);
  for (const char* name : {"chromium_offer", "chromium_answer", "firefox_offer", "firefox_answer"}) {
    MdnsResolver resolver(MdnsOptions{}, rng);
    const auto description = Captured(name);
    EXPECT_GE(description.candidates.size(), 2u) << name;
    for (const auto& parsed : description.candidates) {
      EXPECT_EQ(parsed.candidate.type, ice::CandidateType::kHost);
      EXPECT_TRUE(resolver.Resolve(Timestamp::FromEpoch(Duration(0)), parsed.mdns_name).has_value())
          << parsed.mdns_name;
    }
  }
}

TEST(CapturedSdpTest, KnowsFromFirefoxButNotFromChromiumThatAllCandidatesAreThere) {
  EXPECT_TRUE(Captured("firefox_offer").end_of_candidates);
  EXPECT_FALSE(Captured("chromium_offer").end_of_candidates);
}

TEST(CapturedSdpTest, FindsTheDataChannelBehindAudioAndVideo) {  // RFC 9429 §5.3.1
  for (const char* name : {"chromium_media_offer", "firefox_media_offer"}) {
    SCOPED_TRACE(name);
    const auto offer = Captured(name);
    ExpectUsable(offer);
    EXPECT_EQ(offer.media_index, 2u);
    EXPECT_EQ(offer.mid, "2");
    ASSERT_EQ(offer.rejected.size(), 2u);
    EXPECT_EQ(offer.rejected[0].media, "audio");
    EXPECT_EQ(offer.rejected[1].media, "video");
    const std::string answer = WriteSessionDescription(offer);
    EXPECT_NE(answer.find("a=group:BUNDLE 2\r\n"), std::string::npos);
    EXPECT_NE(answer.find("m=audio 0 UDP/TLS/RTP/SAVPF " + offer.rejected[0].format + "\r\n"), std::string::npos);
    EXPECT_NE(answer.find("m=video 0 UDP/TLS/RTP/SAVPF " + offer.rejected[1].format + "\r\n"), std::string::npos);
    EXPECT_LT(answer.find("m=video"), answer.find("m=application"));
  }
}

TEST(CapturedSdpTest, WritesWhatItReadSoThatItReadsTheSame) {
  for (const char* name : {"chromium_offer", "chromium_answer", "chromium_media_offer", "firefox_offer",
                           "firefox_answer", "firefox_media_offer"}) {
    const std::string written = WriteSessionDescription(Captured(name));
    const auto again = ParseSessionDescription(written);
    ASSERT_TRUE(again.has_value()) << name << ": " << again.error().ToString();
    EXPECT_EQ(WriteSessionDescription(*again), written) << name;
  }
}

}  // namespace
}  // namespace jsp::transport
