// The budget of a server's sessions, as its operator and its clients see it.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tools/jsp/child_process.h"

namespace jsp::tool {
namespace {

std::string Jsp() { return std::filesystem::absolute("tools/jsp/jsp"); }

// Of a peer that never checks anything: its session stays until it has not connected for a minute.
std::string Offer() {
  std::string fingerprint = "00";
  for (int i = 1; i < 32; ++i) fingerprint += ":00";
  return "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-options:trickle ice2\r\n"
         "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n"
         "a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 " +
         fingerprint + "\r\na=setup:actpass\r\na=sctp-port:5000\r\n";
}

class MemoryCliTest : public testing::Test {
 protected:
  struct Reply {
    std::string status;
    std::string text;
    std::string Header(const std::string& name) const {
      const size_t at = text.find(name + ": ");
      return at == std::string::npos ? ""
                                     : text.substr(at + name.size() + 2, text.find("\r\n", at) - at - name.size() - 2);
    }
  };
  Reply Ask(const std::string& method, const std::string& path, const std::string& body = {}) {
    const std::string address = server_.url().substr(std::string("http://").size());
    boost::asio::ip::tcp::iostream stream(address.substr(0, address.find(':')), address.substr(address.find(':') + 1));
    stream << method << " " << path << " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/sdp\r\n"
           << "Content-Length: " << body.size() << "\r\n\r\n"
           << body << std::flush;
    std::ostringstream text;
    text << stream.rdbuf();
    const std::string all = text.str();
    return {all.substr(0, all.find("\r\n")), all};
  }
  // Until one is refused: how many there was room for.
  size_t Fill(Reply& refusal) {
    for (size_t sessions = 0; sessions < 100; ++sessions) {
      refusal = Ask("POST", "/offer", Offer());
      if (refusal.status.find("201") == std::string::npos) return sessions;
      last_session_ = refusal.Header("Location");
    }
    return 100;
  }

  ServeProcess server_{Jsp(), {"--max-memory", "1"}};
  std::string last_session_;
};

TEST_F(MemoryCliTest, AFullServerRefusesWithOneLineAndGoesOn) {  // docs/transport.md#memory
  Reply refusal;
  EXPECT_EQ(Fill(refusal), 10u) << "1 MiB, of which each takes 96 KiB";
  EXPECT_NE(refusal.status.find("503"), std::string::npos) << refusal.text;
  EXPECT_EQ(refusal.Header("Retry-After"), "5");

  const std::string said = server_.process().ReadErrorLine();
  for (const char* part : {"error: --max-memory 1: ", "no room for another session beside 10", "raise it"}) {
    EXPECT_NE(said.find(part), std::string::npos) << said;
  }
  const auto client = ChildProcess::Run({Jsp(), "connect", server_.url(), "--message", "hello"});
  EXPECT_EQ(client.exit_code, 1);
  EXPECT_EQ(std::count(client.err.begin(), client.err.end(), '\n'), 1) << client.err;
  for (const char* part : {"answered 503", "out of memory for another session", "try again in 5 s"}) {
    EXPECT_NE(client.err.find(part), std::string::npos) << client.err;
  }

  EXPECT_NE(Ask("DELETE", last_session_).status.find("200"), std::string::npos);
  const auto next = ChildProcess::Run({Jsp(), "connect", server_.url(), "--message", "hello"});
  EXPECT_EQ(next.exit_code, 0) << next.err;
  server_.process().Signal(SIGTERM);
  const auto end = server_.process().Wait();
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.err, "") << "said once";
}

// AddressSanitizer keeps freed memory for a while.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kGrowth = size_t{128} * 1024 * 1024;
#else
constexpr size_t kGrowth = size_t{512} * 1024;
#endif

TEST_F(MemoryCliTest, RefusedOffersLeaveNothingBehind) {
  Reply refusal;
  (void)Fill(refusal);
  for (int i = 0; i < 100; ++i) (void)Ask("POST", "/offer", Offer());
  const size_t before = server_.process().MaxRss();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_NE(Ask("POST", "/offer", Offer()).status.find("503"), std::string::npos) << i;
  }
  EXPECT_LE(server_.process().MaxRss(), before + kGrowth);
}

}  // namespace
}  // namespace jsp::tool
