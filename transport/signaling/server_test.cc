#include "transport/signaling/server.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <optional>

#include "transport/signaling/client.h"
#include "transport/signaling/session_host.h"

namespace jsp::signaling {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using transport::io::Driver;

struct SilentService final : SessionService {
  void HandlePeerEvent(transport::PeerEvent&) override {}
};

class ServerTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options = {}, size_t max_sessions = 8) {
    transport::io::DriverOptions driver_options;
    driver_options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
    driver_options.memory = memory_;
    auto driver = Driver::Open(io_.get_executor(), driver_options);
    ASSERT_TRUE(driver);
    SessionHostOptions host_options;
    host_options.max_sessions = max_sessions;
    host_options.page = "<p>page</p>";
    host_options.make_service = [](Session&) { return std::make_unique<SilentService>(); };
    host_ = std::make_unique<SessionHost>(*driver, std::move(host_options));
    auto server = Server::Listen(io_.get_executor(), options, *host_);
    ASSERT_TRUE(server) << server.error();
    server_ = std::move(*server);
  }
  template <class Done>
  bool RunUntil(Done&& done, std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    io_.restart();
    while (!done() && std::chrono::steady_clock::now() < end) {
      if (io_.run_one_until(end) == 0) break;
    }
    return done();
  }
  // Sends `request` as it is and reads until the server closes.
  std::string Talk(std::string request) {
    tcp::socket socket(io_);
    socket.connect({asio::ip::address_v4::loopback(), server_->port()});
    std::string response;
    bool done = false;
    asio::async_write(socket, asio::buffer(request), [](error_code, size_t) {});
    asio::async_read(socket, asio::dynamic_buffer(response), [&](error_code, size_t) { done = true; });
    EXPECT_TRUE(RunUntil([&] { return done; })) << request.substr(0, 80);
    return response;
  }
  std::string Ask(const std::string& method, const std::string& target, const std::string& type = "",
                  const std::string& body = "") {
    std::string request = method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    if (!type.empty()) request += "Content-Type: " + type + "\r\n";
    return Talk(request + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  static std::string Status(const std::string& response) {
    return response.size() > 12 ? response.substr(9, 3) : "none";
  }
  static std::string Header(const std::string& response, const std::string& name) {
    const size_t at = response.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t from = at + name.size() + 4;
    return response.substr(from, response.find("\r\n", from) - from);
  }
  // An offer as a browser or `jsp connect` would make it.
  std::string MakeOffer() {
    struct Deaf final : transport::io::PeerObserver {
      void HandlePeerEvent(transport::PeerEvent&) override {}
    } deaf;
    transport::io::DriverOptions options;
    options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
    const auto driver = *Driver::Open(io_.get_executor(), options);
    transport::PeerOptions peer_options;
    peer_options.certificate = *dtls::Certificate::Generate();
    auto handle = driver->AddPeer(peer_options, deaf);
    return *handle.Call([](transport::Peer& p, Timestamp now) { return p.CreateOffer(now); });
  }

  asio::io_context io_;
  std::shared_ptr<transport::io::MemoryBudget> memory_;
  std::unique_ptr<SessionHost> host_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAnOfferWith201LocationAndAllCandidates) {
  Start();
  const std::string response = Ask("POST", "/offer", "application/sdp", MakeOffer());
  EXPECT_EQ(Status(response), "201") << response;
  EXPECT_TRUE(Header(response, "Location").starts_with("/session/"));
  EXPECT_EQ(Header(response, "Content-Type"), "application/sdp");
  EXPECT_NE(response.find("a=candidate:"), std::string::npos);
  EXPECT_NE(response.find("a=end-of-candidates"), std::string::npos);
  EXPECT_EQ(host_->stats().sessions, 1u);
}

TEST_F(ServerTest, BadSdpIs400WithOneLineThatNamesTheOffendingLine) {
  Start();
  std::string offer = MakeOffer();
  const size_t at = offer.find("a=candidate:");
  ASSERT_NE(at, std::string::npos);
  offer.insert(at, "a=candidate:broken\r\n");
  const std::string response = Ask("POST", "/offer", "application/sdp", offer);
  EXPECT_EQ(Status(response), "400");
  const std::string body = response.substr(response.find("\r\n\r\n") + 4);
  EXPECT_NE(body.find("line "), std::string::npos) << body;
  EXPECT_NE(body.find("candidate:broken"), std::string::npos) << body;
  EXPECT_EQ(body.find('\n'), std::string::npos);
  EXPECT_EQ(host_->stats().sessions, 0u);
}

TEST_F(ServerTest, WrongTypeMethodAndPathHaveTheirStatus) {
  Start();
  EXPECT_EQ(Status(Ask("POST", "/offer", "text/plain", "v=0")), "415");
  EXPECT_EQ(Status(Ask("POST", "/offer", "", "v=0")), "415");
  EXPECT_EQ(Status(Ask("POST", "/offer", "Application/SDP; charset=utf-8", "nonsense")), "400");
  const std::string get = Ask("GET", "/offer");
  EXPECT_EQ(Status(get), "405");
  EXPECT_EQ(Header(get, "Allow"), "POST");
  EXPECT_EQ(Status(Ask("POST", "/")), "405");
  EXPECT_EQ(Status(Ask("PUT", "/session/1")), "405");
  EXPECT_EQ(Status(Ask("GET", "/nowhere")), "404");
  EXPECT_EQ(Status(Ask("DELETE", "/session/unknown")), "404");
  EXPECT_EQ(Status(Ask("DELETE", "/session/")), "404");
}

TEST_F(ServerTest, BodyAbove64KiBIs413) {
  Start();
  EXPECT_EQ(Status(Ask("POST", "/offer", "application/sdp", std::string(64 * 1024, 'x'))), "400");
  EXPECT_EQ(Status(Ask("POST", "/offer", "application/sdp", std::string(64 * 1024 + 1, 'x'))), "413");
}

TEST_F(ServerTest, HugeHeadersAndGarbageAreRefused) {
  Start();
  EXPECT_EQ(Status(Talk("GET / HTTP/1.1\r\nX: " + std::string(10000, 'x') + "\r\n\r\n")), "431");
  EXPECT_EQ(Status(Talk(std::string("\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n", 18))), "400");
}

TEST_F(ServerTest, TooManySessionsIs503WithRetryAfter) {
  Start({}, 1);
  EXPECT_EQ(Status(Ask("POST", "/offer", "application/sdp", MakeOffer())), "201");
  const std::string second = Ask("POST", "/offer", "application/sdp", MakeOffer());
  EXPECT_EQ(Status(second), "503");
  EXPECT_EQ(Header(second, "Retry-After"), "5");
}

TEST_F(ServerTest, AnOfferThatMemoryHasNoRoomForIs503WithRetryAfter) {  // docs/transport.md#memory
  memory_ = std::make_shared<transport::io::MemoryBudget>(transport::Peer::kBirthOctets * 3 / 2);
  Start();
  EXPECT_EQ(Status(Ask("POST", "/offer", "application/sdp", MakeOffer())), "201");
  const std::string second = Ask("POST", "/offer", "application/sdp", MakeOffer());
  EXPECT_EQ(Status(second), "503");
  EXPECT_EQ(Header(second, "Retry-After"), "5");
  EXPECT_NE(second.find("out of memory"), std::string::npos);
  EXPECT_EQ(memory_->refusals(), 1u);
}

TEST_F(ServerTest, PatchAddsCandidatesAndDeleteEndsTheSession) {
  Start();
  const std::string offer = MakeOffer();
  const std::string location = Header(Ask("POST", "/offer", "application/sdp", offer), "Location");
  const std::string type = "application/trickle-ice-sdpfrag";
  const auto line_of = [&](const std::string& prefix) {
    const size_t at = offer.find(prefix);
    return offer.substr(at, offer.find("\r\n", at) + 2 - at);
  };
  const std::string fragment = line_of("a=ice-ufrag:") + line_of("a=ice-pwd:") +
                               "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
                               "a=candidate:9 1 udp 2122260223 192.0.2.7 5000 typ host\r\na=end-of-candidates\r\n";
  EXPECT_EQ(Status(Ask("PATCH", location, type, fragment)), "204");
  EXPECT_EQ(Status(Ask("PATCH", location, "application/sdp", fragment)), "415");
  EXPECT_EQ(Status(Ask("PATCH", location, type, "a=candidate:broken\r\n")), "400");
  EXPECT_EQ(Status(Ask("DELETE", location)), "200");
  EXPECT_EQ(Status(Ask("DELETE", location)), "404");
  EXPECT_EQ(Status(Ask("PATCH", location, type, fragment)), "404");
  EXPECT_EQ(host_->stats().sessions, 0u);
}

TEST_F(ServerTest, APatchOfAnyGenerationRestartsIceAndMayBeRepeated) {  // RFC 8445 §9, RFC 8840 §4.4
  Start();
  const std::string answer = Ask("POST", "/offer", "application/sdp", MakeOffer());
  const std::string location = Header(answer, "Location");
  const auto value_of = [](const std::string& text, const std::string& name) {
    const size_t at = text.find(name);
    return at == std::string::npos ? "" : text.substr(at, text.find("\r\n", at) - at);
  };
  const std::string restart = "application/trickle-ice-sdpfrag\r\nIf-Match: *";
  const std::string fragment =
      "a=ice-ufrag:next\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=application 9 UDP/DTLS/SCTP "
      "webrtc-datachannel\r\na=mid:0\r\na=candidate:9 1 udp 2122260223 192.0.2.7 5000 typ host\r\n"
      "a=end-of-candidates\r\n";
  const std::string first = Ask("PATCH", location, restart, fragment);
  EXPECT_EQ(Status(first), "200") << first;
  EXPECT_EQ(Header(first, "Content-Type"), "application/trickle-ice-sdpfrag");
  EXPECT_NE(first.find("a=candidate:"), std::string::npos);
  EXPECT_NE(value_of(first, "a=ice-ufrag:"), value_of(answer, "a=ice-ufrag:"));
  const std::string again = Ask("PATCH", location, restart, fragment);  // the reply was lost
  EXPECT_EQ(Status(again), "200") << again;
  EXPECT_EQ(value_of(again, "a=ice-ufrag:"), value_of(first, "a=ice-ufrag:"));
  EXPECT_EQ(value_of(again, "a=ice-pwd:"), value_of(first, "a=ice-pwd:"));
  EXPECT_EQ(Status(Ask("PATCH", location, restart, "a=ice-ufrag:next\r\n")), "400") << "without a password";
  EXPECT_EQ(Status(Ask("PATCH", location, restart, "a=candidate:broken\r\n")), "400");
  EXPECT_EQ(Status(Ask("PATCH", "/session/0", restart, fragment)), "404");
  EXPECT_EQ(host_->stats().sessions, 1u) << "a refusal ends nothing";
}

TEST_F(ServerTest, ServesThePageAndTheStats) {
  Start();
  EXPECT_NE(Ask("GET", "/?x=1").find("<p>page</p>"), std::string::npos);
  Ask("POST", "/offer", "application/sdp", MakeOffer());
  const std::string stats = Ask("GET", "/stats");
  EXPECT_EQ(Header(stats, "Content-Type"), "application/json");
  EXPECT_NE(stats.find("\"sessions\":[{\"id\":"), std::string::npos) << stats;
  EXPECT_NE(stats.find("\"channels\":[]"), std::string::npos);
}

TEST_F(ServerTest, KeepsAConnectionForSeveralRequests) {
  Start();
  const std::string one = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const std::string responses = Talk(one + one + last);
  size_t count = 0;
  for (size_t at = 0; (at = responses.find("<p>page</p>", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(server_->stats().connections, 1u);
}

TEST_F(ServerTest, CutsOffASlowRequest) {
  ServerOptions options;
  options.request_timeout = std::chrono::milliseconds(30);
  Start(options);
  EXPECT_EQ(Talk("POST /offer HTTP/1.1\r\nContent-Le"), "");
  EXPECT_EQ(server_->stats().timeouts, 1u);
}

TEST_F(ServerTest, CutsOffAnIdleConnection) {
  ServerOptions options;
  options.idle_timeout = std::chrono::milliseconds(30);
  Start(options);
  EXPECT_EQ(Talk(""), "");
  EXPECT_EQ(server_->stats().timeouts, 1u);
}

TEST_F(ServerTest, RefusesConnectionsAboveTheLimit) {
  ServerOptions options;
  options.max_connections = 1;
  Start(options);
  tcp::socket first(io_);
  first.connect({asio::ip::address_v4::loopback(), server_->port()});
  ASSERT_TRUE(RunUntil([&] { return server_->stats().connections == 1; }));
  EXPECT_EQ(Ask("GET", "/"), "");
  EXPECT_EQ(server_->stats().connections_refused, 1u);
}

TEST_F(ServerTest, ListeningOnATakenPortSaysWhatToDo) {
  Start();
  ServerOptions options;
  options.port = server_->port();
  const auto second = Server::Listen(io_.get_executor(), options, *host_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("choose another port"), std::string::npos) << second.error();
}

TEST_F(ServerTest, ClientGetsTheAnswerAndErrorsInOneLine) {
  Start({}, 1);
  const HttpUrl url = *ParseHttpUrl(server_->url());
  std::optional<Expected<Answer, ClientError>> result;
  const auto post = [&](const HttpUrl& to, std::string sdp) {
    result.reset();
    PostOffer(io_.get_executor(), to, std::move(sdp), std::chrono::seconds(5), [&](auto r) { result = std::move(r); });
    ASSERT_TRUE(RunUntil([&] { return result.has_value(); }));
  };
  post(url, MakeOffer());
  ASSERT_TRUE(*result) << result->error().message;
  EXPECT_TRUE((*result)->session_url.starts_with(server_->url() + "/session/"));
  const std::string session_url = (*result)->session_url;
  post(url, MakeOffer());
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().http_status, 503u);
  EXPECT_NE(result->error().message.find("try again in 5 s"), std::string::npos) << result->error().message;
  HttpUrl elsewhere = url;
  elsewhere.path = "/nowhere";
  post(elsewhere, "v=0");
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().http_status, 404u);
  std::optional<bool> deleted;
  DeleteSession(io_.get_executor(), session_url, std::chrono::seconds(5), [&](auto r) { deleted = r.has_value(); });
  ASSERT_TRUE(RunUntil([&] { return deleted.has_value(); }));
  EXPECT_TRUE(*deleted);
  server_.reset();
  post(url, "v=0");
  ASSERT_FALSE(*result);
  EXPECT_NE(result->error().message.find("nothing listens on"), std::string::npos) << result->error().message;
}

TEST_F(ServerTest, ClientTimesOutOnASilentServer) {
  tcp::acceptor silent(io_, {asio::ip::address_v4::loopback(), 0});
  HttpUrl url{"127.0.0.1", silent.local_endpoint().port(), "/offer"};
  std::string message;
  PostOffer(io_.get_executor(), url, "v=0", std::chrono::milliseconds(50),
            [&](auto result) { message = result ? "answer" : result.error().message; });
  ASSERT_TRUE(RunUntil([&] { return !message.empty(); }));
  EXPECT_NE(message.find("within 50 ms"), std::string::npos) << message;
}

TEST_F(ServerTest, OtherResourcesStandBehindTheSameBoundedHttpAndMayEndTheServer) {
  const auto serve = [this](ServerOptions options) {
    auto server = Server::Listen(
        io_.get_executor(), options, [this](const RequestView& request, std::function<void(RoutedReply)> done) {
          if (request.target == "/end") return server_.reset();
          const std::string body = std::string(request.method) + " " + std::string(request.target);
          done({.reply = {.status = 503, .body = body}, .content_type = "text/x"});
        });
    ASSERT_TRUE(server) << server.error();
    server_ = std::move(*server);
  };
  serve({.max_body = 1});
  const std::string answer = Ask("GET", "/some?thing");
  EXPECT_EQ(Status(answer), "503");
  EXPECT_EQ(Header(answer, "Content-Type"), "text/x");
  EXPECT_TRUE(answer.ends_with("GET /some?thing")) << answer;
  EXPECT_EQ(Status(Ask("POST", "/", "text/plain", "two")), "413");
  EXPECT_EQ(Status(Ask("GET", "/end")), "none") << "the connection went with the server";
}

TEST_F(ServerTest, R9_DestroyingServerAndHostWhileAConnectionIsOpenIsSafe) {
  Start();
  tcp::socket client(io_);
  client.connect({asio::ip::address_v4::loopback(), server_->port()});
  ASSERT_TRUE(RunUntil([&] { return server_->stats().connections == 1; }));
  server_.reset();
  host_.reset();
  std::string response;
  bool done = false;
  asio::async_read(client, asio::dynamic_buffer(response), [&](error_code, size_t) { done = true; });
  EXPECT_TRUE(RunUntil([&] { return done; }));
}

}  // namespace
}  // namespace jsp::signaling
