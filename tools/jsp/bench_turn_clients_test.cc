// The load generator's clients against a server that forgets no 5-tuple, over loopback.
#include "tools/jsp/bench_turn_clients.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <map>
#include <set>
#include <thread>

#include "stun/error_code.h"
#include "stun/long_term_key.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "transport/asio/endpoint.h"
#include "turn/attributes.h"

namespace jsp::tool {
namespace {

using boost::asio::ip::udp;
using stun::AttributeType;
using stun::MessageClass;
using stun::Method;

// Answers Allocate and Refresh of user "u" with password "p". Whatever was an allocation's 5-tuple once gets 437 ever
// after; so do the first `refusals` Allocate requests.
class UnforgettingServer {
 public:
  explicit UnforgettingServer(size_t refusals = 0)
      : refusals_(refusals), socket_(loop_, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    socket_.set_option(boost::asio::socket_base::receive_buffer_size(4 << 20));
    thread_ = std::thread([this] { Serve(); });
  }
  ~UnforgettingServer() { Stop(); }
  BenchTurnServer server() const { return {transport::io::FromEndpoint(socket_.local_endpoint()), "u", "p"}; }
  // To be asked after Stop().
  size_t mismatches() const { return mismatches_; }
  size_t allocations() const { return id_by_port_.size(); }
  void Stop() {
    if (!thread_.joinable()) return;
    udp::socket(loop_, udp::v4()).send_to(boost::asio::buffer("", 0), socket_.local_endpoint());
    thread_.join();
  }

 private:
  void Serve() {
    while (true) {
      std::array<uint8_t, 1500> in, out;
      udp::endpoint from;
      const size_t size = socket_.receive_from(boost::asio::buffer(in), from);
      if (size == 0) return;
      const auto request = stun::MessageView::Parse(std::span(in).first(size));
      if (!request) continue;
      const auto answer = Answer(*request, from.port(), out);
      socket_.send_to(boost::asio::buffer(answer.data(), answer.size()), from);
    }
  }
  std::span<const uint8_t> Answer(const stun::MessageView& request, uint16_t port, std::span<uint8_t> out) {
    const auto code = CodeFor(request, port);
    const MessageClass kind = code == 0 ? MessageClass::kSuccessResponse : MessageClass::kErrorResponse;
    stun::MessageBuilder b(out, {request.method(), kind}, request.transaction_id());
    if (code != 0) b.AddError(code, "");
    if (code == stun::error_code::kUnauthenticated) {
      return b.AddText(AttributeType::kRealm, "r").AddText(AttributeType::kNonce, "n").Finish();
    }
    if (code == 0) {
      const bool allocates = request.method() == Method::kAllocate;
      if (allocates) {
        b.AddAddress(AttributeType::kXorRelayedAddress, *SocketAddress::Parse("127.0.0.1:50000"));
        b.AddAddress(AttributeType::kXorMappedAddress, {IpAddress::V4(127, 0, 0, 1), port});
      }
      turn::Add(b, turn::Lifetime{allocates ? 600u : 0u});
    }
    key_.AddIntegrity(b);
    return b.Finish();
  }
  uint16_t CodeFor(const stun::MessageView& request, uint16_t port) {
    if (!request.Has(AttributeType::kMessageIntegrity)) return stun::error_code::kUnauthenticated;
    if (request.method() != Method::kAllocate) return 0;
    const auto& id = request.transaction_id();
    if (mismatches_ >= refusals_) {
      const auto [known, is_new] = id_by_port_.emplace(port, id);
      if (is_new || known->second == id) return 0;  // RFC 8656 §7.2: a retransmission gets the same answer
    }
    ++mismatches_;
    return stun::error_code::kAllocationMismatch;
  }

  size_t refusals_;
  size_t mismatches_ = 0;
  std::map<uint16_t, stun::TransactionId> id_by_port_;
  stun::LongTermKey key_{stun::LongTermKeys::Of("u", "r", "p"), stun::PasswordAlgorithm::kMd5,
                         stun::IntegrityKind::kSha1};
  boost::asio::io_context loop_;
  udp::socket socket_;
  std::thread thread_;
};

TEST(BenchPortsTest, NoneComesAgainBeforeAllTheOthers) {
  Rng rng = Rng::FromNumber(3);
  BenchPorts ports(rng);
  std::set<uint16_t> seen;
  for (size_t i = 0; i < BenchPorts::kCount; ++i) seen.insert(ports.Next());
  EXPECT_EQ(seen.size(), BenchPorts::kCount);
  EXPECT_EQ(*seen.begin(), BenchPorts::kFirst);
  EXPECT_EQ(*seen.rbegin(), BenchPorts::kLast);
}

TEST(BenchTurnClientsTest, NoAllocationComesFromThe5TupleOfAnEarlierOne) {  // RFC 8656 §7.4
  constexpr size_t kRounds = 5, kClients = 400;  // the system's own choice would repeat dozens of ports
  UnforgettingServer server;
  Rng rng = Rng::FromNumber(4);
  BenchPorts ports(rng);
  for (size_t round = 0; round < kRounds; ++round) {
    const auto clients = BenchTurnClients::Open(server.server(), kClients, ports);
    ASSERT_TRUE(clients) << clients.error();
    const auto allocated = (*clients)->Allocate();
    ASSERT_TRUE(allocated) << allocated.error();
    const auto closed = (*clients)->Close();
    ASSERT_TRUE(closed) << closed.error();
  }
  server.Stop();
  EXPECT_EQ(server.allocations(), kRounds * kClients);
  EXPECT_EQ(server.mismatches(), 0u);
}

TEST(BenchTurnClientsTest, AClientThatGets437GoesToAnotherPort) {  // RFC 8656 §7.4
  UnforgettingServer server(2);
  Rng rng = Rng::FromNumber(5);
  BenchPorts ports(rng);
  const auto clients = BenchTurnClients::Open(server.server(), 1, ports);
  ASSERT_TRUE(clients) << clients.error();
  const auto allocated = (*clients)->Allocate();
  ASSERT_TRUE(allocated) << allocated.error();
  server.Stop();
  EXPECT_EQ(server.mismatches(), 2u);
  EXPECT_EQ(server.allocations(), 1u);
}

}  // namespace
}  // namespace jsp::tool
