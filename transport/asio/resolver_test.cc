#include "transport/asio/resolver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using Bytes = std::vector<uint8_t>;

// A name server on loopback: answers every question with what `respond` makes of it.
class NameServer {
 public:
  NameServer(boost::asio::io_context& io, std::function<Bytes(const Bytes&)> respond)
      : socket_(io, {boost::asio::ip::address_v4::loopback(), 0}), respond_(std::move(respond)) {
    Receive();
  }
  SocketAddress address() const { return FromEndpoint(socket_.local_endpoint()); }
  size_t asked() const { return asked_; }

 private:
  void Receive() {
    socket_.async_receive_from(
        boost::asio::buffer(query_), from_, [this](boost::system::error_code error, size_t size) {
          if (error) return;
          ++asked_;
          const Bytes response = respond_(Bytes(query_.begin(), query_.begin() + static_cast<std::ptrdiff_t>(size)));
          if (!response.empty()) socket_.send_to(boost::asio::buffer(response), from_);
          Receive();
        });
  }
  udp::socket socket_;
  std::function<Bytes(const Bytes&)> respond_;
  udp::endpoint from_;
  std::array<uint8_t, 512> query_{};
  size_t asked_ = 0;
};

struct Service {
  uint8_t priority;
  uint16_t port;
  std::string target;
};

// The query as a response, with these records.
Bytes Respond(const Bytes& query, const std::vector<Service>& services) {
  Bytes out(query.begin(), query.end() - 11);  // without the OPT record
  out[2] = 0x81;
  out[3] = 0x80;
  out[7] = static_cast<uint8_t>(services.size());
  out[11] = 0;
  for (const auto& [priority, port, target] : services) {
    const auto size = static_cast<uint8_t>(target.empty() ? 7 : 8 + target.size());
    for (const int octet :
         {0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, int{size}, 0, int{priority}, 0, 0, port >> 8, port & 255}) {
      out.push_back(static_cast<uint8_t>(octet));
    }
    if (!target.empty()) {
      out.push_back(static_cast<uint8_t>(target.size()));
      out.insert(out.end(), target.begin(), target.end());
    }
    out.push_back(0);
  }
  return out;
}

class SrvResolverTest : public ::testing::Test {
 protected:
  std::vector<SocketAddress> Resolve(const std::string& uri, const std::vector<SocketAddress>& name_servers) {
    std::optional<std::vector<std::vector<SocketAddress>>> found;
    ResolveEach(io_.get_executor(), {*stun::ParseUri(uri)},
                {.deadline = std::chrono::seconds(10), .name_servers = name_servers},
                [&](std::vector<std::vector<SocketAddress>> addresses) { found = std::move(addresses); });
    EXPECT_TRUE(testing::RunUntil(io_, [&] { return found.has_value(); }));
    return found ? found->front() : std::vector<SocketAddress>();
  }
  boost::asio::io_context io_;
};

TEST_F(SrvResolverTest, AServiceTellsPortsAndTheOrderOfServers) {  // RFC 8489 §8.1, RFC 5928 §3
  NameServer server(io_, [](const Bytes& query) {
    return Respond(query, {{20, 2222, "localhost"}, {10, 1111, "localhost"}});
  });
  const auto found = Resolve("turn:service.invalid", {server.address()});
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found.front().port, 1111);
  EXPECT_EQ(found.back().port, 2222);
  EXPECT_TRUE(std::ranges::is_sorted(found, {}, &SocketAddress::port));
  EXPECT_LE(found.size(), kMaxServerAddresses);
}

TEST_F(SrvResolverTest, WithoutRecordsTheNameItselfCounts) {
  NameServer server(io_, [](const Bytes& query) { return Respond(query, {}); });
  const auto found = Resolve("turn:localhost.", {server.address()});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front().port, 3478);
  EXPECT_EQ(server.asked(), 1u);
}

TEST_F(SrvResolverTest, AServiceThatIsDecidedlyNotOfferedHasNoAddress) {  // RFC 2782: a target of "."
  NameServer server(io_, [](const Bytes& query) { return Respond(query, {{0, 0, ""}}); });
  EXPECT_TRUE(Resolve("turn:localhost.", {server.address()}).empty());
}

TEST_F(SrvResolverTest, ASilentNameServerDelaysButDoesNotFail) {
  NameServer silent(io_, [](const Bytes&) { return Bytes(); });
  NameServer server(io_, [](const Bytes& query) { return Respond(query, {{10, 1111, "localhost"}}); });
  const auto found = Resolve("turn:service.invalid", {silent.address(), server.address()});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front().port, 1111);
  EXPECT_GE(silent.asked(), 1u);
}

TEST_F(SrvResolverTest, APortSaysThatThereIsNoServiceToAskFor) {
  NameServer server(io_, [](const Bytes& query) { return Respond(query, {{10, 1111, "localhost"}}); });
  const auto found = Resolve("turn:localhost.:9", {server.address()});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front().port, 9);
  EXPECT_EQ(server.asked(), 0u);
}

TEST(NameServersTest, AreReadFromResolvConf) {
  EXPECT_EQ(ParseNameServers("# comment\nsearch example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # x\n"
                             "nameserverx 192.0.2.9\nnameserver nonsense\nnameserver 192.0.2.2\nnameserver 192.0.2.3"),
            (std::vector<SocketAddress>{{*IpAddress::Parse("192.0.2.1"), 53},
                                        {*IpAddress::Parse("2001:db8::1"), 53},
                                        {*IpAddress::Parse("192.0.2.2"), 53}}));
  EXPECT_TRUE(ParseNameServers("").empty());
}

TEST(ResolverTest, LiteralAddressesNeedNoLookUpAndKeepTheirOrder) {
  boost::asio::io_context io;
  std::vector<SocketAddress> found;
  ResolveServers(io.get_executor(), {*stun::ParseUri("stun:192.0.2.1:7"), *stun::ParseUri("stun:[2001:db8::1]")},
                 {.deadline = std::chrono::seconds(1)},
                 [&](std::vector<SocketAddress> addresses) { found = std::move(addresses); });
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].ToString(), "192.0.2.1:7");
  EXPECT_EQ(found[1].ToString(), "[2001:db8::1]:3478");
}

TEST(ResolverTest, NamesResolveAndThoseThatDoNotArePassedOver) {
  boost::asio::io_context io;
  std::optional<std::vector<SocketAddress>> found;
  ResolveServers(io.get_executor(), {*stun::ParseUri("stun:localhost:9"), *stun::ParseUri("stun:nobody.invalid")},
                 {.deadline = std::chrono::seconds(5)},
                 [&](std::vector<SocketAddress> addresses) { found = std::move(addresses); });
  EXPECT_FALSE(found);
  ASSERT_TRUE(testing::RunUntil(io, [&] { return found.has_value(); }));
  ASSERT_FALSE(found->empty());
  EXPECT_TRUE(std::ranges::all_of(*found, [](const auto& a) { return a.ip.IsLoopback() && a.port == 9; }));
}

}  // namespace
}  // namespace jsp::transport::io
