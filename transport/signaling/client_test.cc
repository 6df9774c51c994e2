#include "transport/signaling/client.h"

#include <gtest/gtest.h>

namespace jsp::signaling {
namespace {

TEST(HttpUrlTest, ParsesHostPortAndPath) {
  const auto plain = ParseHttpUrl("http://192.0.2.1:8080");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "192.0.2.1");
  EXPECT_EQ(plain->port, 8080);
  EXPECT_EQ(plain->path, "/offer");
  const auto full = ParseHttpUrl("http://[::1]/rooms/7?x=1");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->host, "::1");
  EXPECT_EQ(full->port, 80);
  EXPECT_EQ(full->path, "/rooms/7?x=1");
  EXPECT_TRUE(full->IsLoopback());
  EXPECT_TRUE(ParseHttpUrl("http://localhost/")->IsLoopback());
  EXPECT_FALSE(plain->IsLoopback());
}

TEST(HttpUrlTest, RefusesWhatItCannotReachAndSaysWhy) {
  for (const char* bad : {"", "host:80", "ftp://host", "https://host", "http://", "http://u:p@host", "http://host:0",
                          "http://host:99999"}) {
    const auto parsed = ParseHttpUrl(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_NE(parsed.error().find("use http://HOST:PORT"), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace jsp::signaling
