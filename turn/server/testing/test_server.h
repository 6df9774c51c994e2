#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stun/long_term_client.h"
#include "turn/server/server.h"
namespace jsp::turn {

// A server under test and its owner, who opens the sockets that it is asked for, in virtual time. Users "user" and
// "other" have the passwords "pass" and "word" in realm "example.org". Peers are 198.51.100.0/24 and 2001:db8:1::/48;
// relays are on 192.0.2.1 and 2001:db8::1, which the policy does not allow by itself.
class TestServer {
 public:
  static constexpr ListenerId kUdp{1};
  static constexpr ListenerId kTcp{2};
  static ServerOptions DefaultOptions();
  explicit TestServer(const ServerOptions& options = DefaultOptions(), uint64_t seed = 7);
  // One of several workers.
  TestServer(const ServerOptions& options, uint64_t seed, std::shared_ptr<SharedState> shared, WorkerIndex worker);

  // Opens and closes what the server wants, and takes its other events.
  void Pump();
  // The next datagram for a client.
  struct Message {
    std::vector<uint8_t> octets;
    ClientPath path;
    stun::MessageView view() const { return *stun::MessageView::Parse(octets); }
    uint16_t code() const;  // 0: success
  };
  std::optional<Message> Poll();
  // Moves the time, and lets the server notice.
  void Advance(Duration time);

  // Data that came out of the server: payloads with their destinations, gathered.
  struct Relayed {
    Server::ToPeer to;
    std::vector<std::vector<uint8_t>> datagrams;
  };
  // One train from a client or a peer, until all of it is taken.
  std::vector<Relayed> FromClient(const ClientPath& path, std::span<const uint8_t> octets, size_t segment_size = 0);
  struct Delivered {
    ClientPath path;
    std::vector<std::vector<uint8_t>> messages;
  };
  std::vector<Delivered> FromPeer(const SocketAddress& relay, const SocketAddress& peer,
                                  std::span<const uint8_t> octets, size_t segment_size = 0);
  RelayHandle HandleOf(const SocketAddress& relay) const;

  Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(5000));
  Rng rng;
  Server server;
  bool answers_opening = true;  // false: OpenRelay events stay in `opening`
  size_t fail_next = 0;         // that many sockets cannot be opened
  std::vector<Server::OpenRelay> opening;
  std::vector<RelayHandle> read;                            // every ReadRelay
  std::vector<std::pair<SocketAddress, RelayHandle>> open;  // sockets
  std::vector<Server::ConnectPeer> connects;
  std::vector<Server::Splice> splices;
  std::vector<Server::CloseConnection> closed;
  struct HandedOver {
    WorkerIndex worker;
    ClientPath path;
    std::vector<uint8_t> octets;
  };
  std::vector<HandedOver> handed_over;
};

// A client made of bare requests: it answers challenges, and shows every response to the test.
class TestClient {
 public:
  TestClient(TestServer& server, std::string_view address, ListenerId listener = TestServer::kUdp,
             std::string_view username = "user", std::string_view password = "pass");

  using Compose = std::function<void(stun::MessageBuilder&)>;
  // The response to a request; a 401 or 438 that can be answered is. Fails the test when there is none.
  TestServer::Message Ask(stun::Method method, const Compose& compose = {});
  // The request's octets, for sending again or changing.
  std::vector<uint8_t> Build(stun::Method method, const Compose& compose = {});
  // Hands the octets to the server; the response, if any.
  std::optional<TestServer::Message> Exchange(std::span<const uint8_t> octets);

  TestServer::Message Allocate(const Compose& compose = {});  // with REQUESTED-TRANSPORT for UDP
  uint16_t Permit(std::string_view peer);
  uint16_t Bind(ChannelNumber channel, std::string_view peer);
  uint16_t Refresh(uint32_t seconds);
  std::vector<TestServer::Relayed> SendTo(std::string_view peer, std::span<const uint8_t> data);

  SocketAddress relayed{};  // of the latest Allocate success: IPv4, or IPv6 if there is no other
  SocketAddress relayed_v6{};
  ClientPath path;
  stun::LongTermClient credentials;

 private:
  TestServer& server_;
};

}  // namespace jsp::turn
