// `jsp turn-server` end to end: what operators type, and what they get.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dtls/stream_test_support.h"
#include "tools/jsp/child_process.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"
#include "turn/client.h"

namespace jsp::tool {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using dtls::testing::TestAuthority;

std::string Jsp() { return std::filesystem::absolute("tools/jsp/jsp"); }

ChildProcess::Result RunJsp(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {Jsp(), "turn-server"});
  return ChildProcess::Run(arguments);
}

std::string WriteFile(const std::string& name, const std::string& content) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  return path;
}

// A running server on free ports of loopback, with its metrics.
class TurnServerProcess {
 public:
  explicit TurnServerProcess(std::vector<std::string> options, size_t listeners = 1)
      : process_(Arguments(std::move(options))) {
    for (size_t i = 0; i < listeners; ++i) {
      const std::string line = process_.ReadLine();
      const std::string prefix = "listening on ";
      EXPECT_TRUE(line.starts_with(prefix)) << line;
      const std::string url = line.substr(std::min(line.size(), prefix.size()));
      urls_.push_back(url);
      const auto address = SocketAddress::Parse(url.substr(std::min(url.size(), size_t{6})));
      addresses_.push_back(address.value_or(SocketAddress{}));
    }
    const std::string metrics = process_.ReadLine();
    const std::string prefix = "metrics on http://";
    EXPECT_TRUE(metrics.starts_with(prefix)) << metrics;
    const size_t slash = metrics.find('/', prefix.size());
    metrics_ = SocketAddress::Parse(metrics.substr(prefix.size(), slash - prefix.size())).value_or(SocketAddress{});
  }
  ChildProcess& process() { return process_; }
  const std::vector<std::string>& urls() const { return urls_; }
  const SocketAddress& address(size_t listener = 0) const { return addresses_[listener]; }

  // The whole response.
  std::string Ask(const std::string& request) const {
    asio::io_context loop;
    tcp::socket socket(loop);
    boost::system::error_code error;
    socket.connect({asio::ip::address_v4::loopback(), metrics_.port}, error);
    EXPECT_FALSE(error) << error.message();
    asio::write(socket, asio::buffer(request), error);
    std::string response;
    asio::read(socket, asio::dynamic_buffer(response), error);
    return response;
  }
  std::string Get(const std::string& path) const {
    return Ask("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

 private:
  static std::vector<std::string> Arguments(std::vector<std::string> options) {
    options.insert(options.begin(), {Jsp(), "turn-server", "--metrics", "127.0.0.1:0"});
    return options;
  }

  ChildProcess process_;
  std::vector<std::string> urls_;
  std::vector<SocketAddress> addresses_;
  SocketAddress metrics_;
};

// A client over a blocking UDP socket: each step sends and takes one answer.
class TurnClient {
 public:
  TurnClient(const SocketAddress& server, const std::string& user, const std::string& password)
      : socket_(loop_, udp::endpoint(asio::ip::address_v4::loopback(), 0)),
        rng_(transport::io::SystemRng()),
        client_({.local = transport::io::FromEndpoint(socket_.local_endpoint()),
                 .server = server,
                 .credentials = {user, password, std::nullopt}},
                rng_) {}
  // The next event of what was begun.
  turn::ClientEvent NextEvent() {
    while (true) {
      std::array<uint8_t, turn::Client::kMaxRequest> buffer;
      const auto now = transport::io::Now();
      while (const auto transmit = client_.PollTransmit(now, buffer)) {
        socket_.send_to(asio::buffer(buffer, transmit->size), transport::io::ToEndpoint(transmit->remote));
      }
      if (auto event = client_.PollEvent()) return *event;
      udp::endpoint from;
      const size_t size = socket_.receive_from(asio::buffer(buffer), from);
      client_.HandleDatagram(transport::io::Now(), client_.local(), transport::io::FromEndpoint(from),
                             std::span(buffer).first(size));
    }
  }
  // The error code of an Allocate; 0: allocated.
  uint16_t Allocate() {
    client_.Start(transport::io::Now());
    const auto event = NextEvent();
    if (std::holds_alternative<turn::event::Allocated>(event)) return 0;
    if (std::holds_alternative<turn::event::Redirected>(event)) return 300;
    const auto* failed = std::get_if<turn::event::AllocationFailed>(&event);
    return failed == nullptr ? uint16_t{999} : failed->error_code;
  }
  void Close() {
    client_.Close(transport::io::Now());
    EXPECT_TRUE(std::holds_alternative<turn::event::Closed>(NextEvent()));
  }
  turn::Client& client() { return client_; }

 private:
  asio::io_context loop_;
  udp::socket socket_;
  Rng rng_;
  turn::Client client_;
};

const std::vector<std::string> kOneListener{"--listen", "udp://127.0.0.1:0", "--realm", "example.org",
                                            "--user",   "alice:wonderland"};

std::vector<std::string> Options(std::vector<std::string> more) {
  more.insert(more.begin(), kOneListener.begin(), kOneListener.end());
  return more;
}

TEST(TurnServerCliTest, ListensAllocatesAndEndsAtBothSignals) {
  for (const int signal : {SIGTERM, SIGINT}) {
    TurnServerProcess server(Options({}));
    EXPECT_TRUE(server.urls().front().starts_with("udp://127.0.0.1:")) << server.urls().front();
    EXPECT_NE(server.address().port, 0);
    {
      TurnClient client(server.address(), "alice", "wonderland");
      EXPECT_EQ(client.Allocate(), 0);
      client.Close();
    }
    EXPECT_EQ(TurnClient(server.address(), "alice", "wrong").Allocate(), 401);
    server.process().Signal(signal);
    const auto result = server.process().Wait();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
  }
}

TEST(TurnServerCliTest, OneProcessServesSeveralListenersAndWorkers) {
  TurnServerProcess server(Options({"--listen", "udp://127.0.0.1:0", "--listen", "udp://[::1]:0", "--workers", "3"}),
                           3);
  EXPECT_TRUE(server.urls()[2].starts_with("udp://[::1]:")) << server.urls()[2];
  // Enough 5-tuples that more than one worker has some.
  for (int i = 0; i < 12; ++i) {
    TurnClient client(server.address(static_cast<size_t>(i % 2)), "alice", "wonderland");
    EXPECT_EQ(client.Allocate(), 0);
  }
  const std::string metrics = server.Get("/metrics");
  EXPECT_NE(metrics.find("\njsp_turn_workers 3\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("\njsp_turn_allocations 12\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("\njsp_turn_allocations_created_total 12\n"), std::string::npos) << metrics;
}

TEST(TurnServerCliTest, AnswersOverTcpToo) {
  TurnServerProcess server(Options({"--listen", "tcp://127.0.0.1:0"}), 2);
  ASSERT_TRUE(server.urls()[1].starts_with("tcp://127.0.0.1:")) << server.urls()[1];
  asio::io_context loop;
  tcp::socket socket(loop);
  socket.connect({asio::ip::address_v4::loopback(), server.address(1).port});
  std::array<uint8_t, 20> request{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};  // a Binding request (RFC 8489 §5)
  asio::write(socket, asio::buffer(request));
  std::array<uint8_t, 20> response{};
  asio::read(socket, asio::buffer(response));
  EXPECT_EQ(response[0], 1) << "a success response";
  EXPECT_EQ(response[1], 1);
}

TEST(TurnServerCliTest, MetricsAndHealthAreServedOverBoundedHttp) {
  TurnServerProcess server(Options({}));
  const std::string metrics = server.Get("/metrics");
  EXPECT_TRUE(metrics.starts_with("HTTP/1.1 200")) << metrics;
  EXPECT_NE(metrics.find("Content-Type: text/plain; version=0.0.4"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("# TYPE jsp_turn_dropped_total counter\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("jsp_turn_dropped_total{reason=\"rate_limited\"} 0\n"), std::string::npos) << metrics;
  EXPECT_TRUE(server.Get("/healthz").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(server.Get("/").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(
      server.Ask("DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(
      server.Ask("GET /metrics HTTP/1.1\r\nA: " + std::string(8192, 'a') + "\r\n\r\n").starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(
      server.Ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx").starts_with("HTTP/1.1 413"));
}

TEST(TurnServerCliTest, MetricsCountBindingRequestsAndWhyOthersWereDropped) {
  TurnServerProcess server(Options({}));
  asio::io_context loop;
  udp::socket socket(loop, udp::endpoint(asio::ip::address_v4::loopback(), 0));
  socket.connect(transport::io::ToEndpoint(server.address()));
  const auto send = [&](std::vector<uint8_t> message) { socket.send(asio::buffer(message)); };
  const std::vector<uint8_t> request{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  auto indication = request, response = request, unknown = request, broken = request;
  indication[1] = 0x11;
  response[0] = 1;
  unknown[3] = 4;
  unknown.insert(unknown.end(), {0x7f, 0, 0, 0});  // an attribute that must be understood (RFC 8489 §6.3.1)
  broken[3] = 8;
  broken.insert(broken.end(), {0x80, 0x28, 0, 4, 1, 2, 3, 4});  // a fingerprint that is none (RFC 8489 §14.7)
  for (const auto& each : {indication, response, broken, unknown, request}) send(each);
  std::array<uint8_t, 100> answer;
  for (int i = 0; i < 2; ++i) socket.receive(asio::buffer(answer));
  const std::string metrics = server.Get("/metrics");
  for (const char* line :
       {"jsp_turn_binding_requests_total 2\n", "jsp_turn_binding_indications_total 1\n",
        "jsp_turn_binding_refused_total{code=\"420\"} 1\n", "jsp_turn_binding_refused_total{code=\"400\"} 0\n",
        "jsp_turn_binding_dropped_total{reason=\"bad_fingerprint\"} 1\n",
        "jsp_turn_binding_dropped_total{reason=\"not_request\"} 1\n",
        "jsp_turn_binding_dropped_total{reason=\"overload\"} 0\n"}) {
    EXPECT_NE(metrics.find(std::string("\n") + line), std::string::npos) << line << metrics;
  }
}

TEST(TurnServerCliTest, TermDrainsUntilTheLastAllocationIsGone) {
  TurnServerProcess server(Options({"--drain-alternate", "127.0.0.1:9"}));
  TurnClient client(server.address(), "alice", "wonderland");
  ASSERT_EQ(client.Allocate(), 0);
  server.process().Signal(SIGTERM);
  EXPECT_TRUE(server.process().ReadLine().starts_with("draining, allocations left: 1; for 30 s at most"));
  EXPECT_TRUE(server.Get("/healthz").starts_with("HTTP/1.1 503"));
  EXPECT_NE(server.Get("/metrics").find("\njsp_turn_draining 1\n"), std::string::npos);
  // No new allocation; the client that has one goes on.
  EXPECT_EQ(TurnClient(server.address(), "alice", "wonderland").Allocate(), 300);
  client.Close();
  EXPECT_EQ(server.process().Wait().exit_code, 0);
}

TEST(TurnServerCliTest, ASecondSignalOrTheDrainTimeEndsADrain) {
  for (const bool second : {true, false}) {
    TurnServerProcess server(Options({"--drain-time", second ? "600" : "0"}));
    TurnClient client(server.address(), "alice", "wonderland");
    ASSERT_EQ(client.Allocate(), 0);
    server.process().Signal(SIGTERM);
    EXPECT_TRUE(server.process().ReadLine().starts_with("draining, allocations left: 1;"));
    if (second) server.process().Signal(SIGINT);
    EXPECT_EQ(server.process().Wait().exit_code, 0);
  }
}

TEST(TurnServerCliTest, HupReloadsUsersAndSaysWhatChanged) {
  const std::string path = WriteFile("turn.toml", "user = [\"alice:one\"]\nrealm = \"example.org\"\n");
  TurnServerProcess server({"--config", path, "--listen", "udp://127.0.0.1:0"});
  EXPECT_EQ(TurnClient(server.address(), "alice", "one").Allocate(), 0);
  WriteFile("turn.toml", "user = [\"alice:two\", \"bob:b\"]\nrealm = \"example.org\"\nuser-quota = 3\n");
  server.process().Signal(SIGHUP);
  EXPECT_EQ(server.process().ReadLine(),
            "reloaded: users 2 (1 added, 1 changed), shared secrets 0; waiting for a restart: user-quota");
  EXPECT_EQ(TurnClient(server.address(), "alice", "one").Allocate(), 401);
  EXPECT_EQ(TurnClient(server.address(), "alice", "two").Allocate(), 0);
  EXPECT_EQ(TurnClient(server.address(), "bob", "b").Allocate(), 0);
}

TEST(TurnServerCliTest, AReloadThatFailsNamesThePlaceAndChangesNothing) {
  const std::string path = WriteFile("bad.toml", "user = [\"alice:one\"]\n");
  TurnServerProcess server({"--config", path, "--listen", "udp://127.0.0.1:0", "--realm", "example.org"});
  WriteFile("bad.toml", "user = [\"alice:two\"]\nusr = []\n");
  server.process().Signal(SIGHUP);
  EXPECT_EQ(server.process().ReadErrorLine(),
            "error: nothing was reloaded: " + path + ":2:1: usr: there is no such key; the nearest is user");
  EXPECT_EQ(TurnClient(server.address(), "alice", "one").Allocate(), 0);
  EXPECT_EQ(TurnClient(server.address(), "alice", "two").Allocate(), 401);
}

// A client that trusts only that authority: whether it has its answer through TLS, and what it says if not.
ChildProcess::Result BindOverTls(const TurnServerProcess& server, const TestAuthority& trusted) {
  const std::string ca = WriteFile("ca.pem", trusted.pem());
  return ChildProcess::Run(
      {Jsp(), "stun", "stuns:localhost:" + std::to_string(server.address().port), "--ca-file", ca});
}

TEST(TurnServerCliTest, HupGivesTlsClientsTheNewCertificateAndKeepsTheOldOneIfThatIsBad) {
  const TestAuthority before("Before"), after("After");
  const auto write = [](const TestAuthority& authority) {
    const auto issued = authority.Issue({.names = {"DNS:localhost"}});
    return std::pair(WriteFile("cert.pem", issued.chain_pem), WriteFile("key.pem", issued.key_pem));
  };
  const auto [cert, key] = write(before);
  TurnServerProcess server({"--listen", "tls://127.0.0.1:0", "--user", "u:p", "--cert", cert, "--key", key});
  ASSERT_TRUE(server.urls().front().starts_with("tls://127.0.0.1:")) << server.urls().front();
  auto bound = BindOverTls(server, before);
  EXPECT_EQ(bound.exit_code, 0) << bound.err;
  EXPECT_TRUE(bound.out.starts_with("mapped address 127.0.0.1:")) << bound.out;
  bound = BindOverTls(server, after);
  EXPECT_EQ(bound.exit_code, 1);
  EXPECT_NE(bound.err.find("CN=Before, which is not trusted"), std::string::npos) << bound.err;

  server.process().Signal(SIGHUP);
  EXPECT_EQ(server.process().ReadLine(), "reloaded: users 1, shared secrets 0") << "the files are the same";
  write(after);
  server.process().Signal(SIGHUP);
  EXPECT_EQ(server.process().ReadLine(), "reloaded: users 1, shared secrets 0; the certificate is a new one");
  EXPECT_EQ(BindOverTls(server, after).exit_code, 0);
  EXPECT_EQ(BindOverTls(server, before).exit_code, 1);

  for (const char* chain : {"", "nonsense", after.pem().c_str()}) {  // the last: of another key
    WriteFile("cert.pem", chain);
    server.process().Signal(SIGHUP);
    const std::string line = server.process().ReadErrorLine();
    EXPECT_TRUE(line.starts_with("error: nothing was reloaded: ")) << line;
    bound = BindOverTls(server, after);
    EXPECT_EQ(bound.exit_code, 0) << bound.err;
  }
}

TEST(TurnServerCliTest, PrintedConfigurationReadsBackToItself) {
  const auto first = RunJsp(Options({"--shared-secret", "s", "--relay-ports", "50000-50999", "--mobility",
                                     "--allow-peer", "10.0.0.0/8", "--print-effective-config"}));
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out.find("wonderland"), std::string::npos) << "no password is printed";
  EXPECT_NE(first.out.find("mobility = true"), std::string::npos) << first.out;
  const std::string path = WriteFile("printed.toml", first.out);
  const auto second = RunJsp({"--config", path, "--print-effective-config"});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(second.out, first.out);
  const auto overridden = RunJsp({"--config", path, "--relay-ports", "60000-60001", "--print-effective-config"});
  EXPECT_NE(overridden.out.find("relay-ports = \"60000-60001\""), std::string::npos) << overridden.out;
}

TEST(TurnServerCliTest, AHashedUserAuthenticatesWithoutItsPasswordInTheFile) {
  const auto hashed = RunJsp({"--hash-user", "alice:wonderland", "--realm", "example.org"});
  ASSERT_EQ(hashed.exit_code, 0) << hashed.err;
  const std::string key = hashed.out.substr(0, hashed.out.size() - 1);
  const std::string path = WriteFile("hashed.toml", "realm = \"example.org\"\nuser-key = [\"" + key + "\"]\n");
  TurnServerProcess server({"--config", path, "--listen", "udp://127.0.0.1:0"});
  EXPECT_EQ(TurnClient(server.address(), "alice", "wonderland").Allocate(), 0);
  EXPECT_EQ(TurnClient(server.address(), "alice", "other").Allocate(), 401);
}

TEST(TurnServerCliTest, ErrorsAreOneLineThatNamesTheThing) {
  TurnServerProcess running(Options({}));
  const std::string typo = WriteFile("typo.toml", "realm = \"x\"\nlisten_on = []\n");
  const struct {
    std::vector<std::string> arguments;
    int exit_code;
    std::string says;
  } kCases[] = {
      {{"--config", typo}, 2, typo + ":2:1: listen_on: there is no such key; the nearest is listen"},
      {{"--config", testing::TempDir() + "/no-such.toml"}, 2, "no-such.toml: cannot be read"},
      {{"--config", testing::TempDir()}, 2, "cannot be read"},
      {{"--listen", "udp://127.0.0.1"}, 2, "--listen udp://127.0.0.1: write udp://"},
      {{"--listen", running.urls().front()}, 1, running.urls().front().substr(6)},
      {{"--listen", "udp://192.0.2.77:0"}, 1, "192.0.2.77"},
      {{"--listen", "tls://127.0.0.1:0"}, 2, "--cert FILE and --key FILE"},
      {{"--listen", "tls://127.0.0.1:0", "--cert", "/no/such.pem", "--key", "/no/such.pem"}, 1, "--cert /no/such.pem"},
      {{"--listen", "udp://127.0.0.1:0", "--metrics", "host.invalid:0"}, 1, "--metrics: cannot listen on host.invalid"},
      {{"--user", "alice"}, 2, "--user: write NAME:PASSWORD"},
      {{"--hash-user", "alice"}, 2, "--hash-user: write NAME:PASSWORD"},
      {{"--workers", "0"}, 2, "--workers 0: must be a whole number"},
      {{"--no-such-option"}, 2, "--no-such-option"},
  };
  for (const auto& c : kCases) {
    const auto result = RunJsp(c.arguments);
    EXPECT_EQ(result.exit_code, c.exit_code) << c.says << ": " << result.err;
    EXPECT_NE(result.err.find(c.says), std::string::npos) << c.says << ": " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "") << c.says;
  }
}

}  // namespace
}  // namespace jsp::tool
