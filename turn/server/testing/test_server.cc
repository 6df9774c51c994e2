#include "turn/server/testing/test_server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/overloaded.h"
#include "stun/address_attribute.h"
namespace jsp::turn {

using stun::AttributeType;
using stun::MessageClass;
using stun::Method;

namespace {

std::vector<uint8_t> Gather(const Segment& segment) {
  std::vector<uint8_t> octets(segment.prefix.begin(), segment.prefix.begin() + segment.prefix_size);
  octets.insert(octets.end(), segment.payload.begin(), segment.payload.end());
  octets.resize(octets.size() + segment.padding);
  return octets;
}

template <class Run>
std::vector<std::vector<uint8_t>> GatherAll(const Run& run, std::span<const Segment> segments) {
  std::vector<std::vector<uint8_t>> datagrams;
  for (const Segment& segment : segments.first(run.segments)) datagrams.push_back(Gather(segment));
  return datagrams;
}

}  // namespace

ServerOptions TestServer::DefaultOptions() {
  ServerOptions options;
  options.listeners = {{kUdp, ControlTransport::kUdp, *SocketAddress::Parse("192.0.2.1:3478")},
                       {kTcp, ControlTransport::kTcp, *SocketAddress::Parse("192.0.2.1:3478")}};
  options.relay_addresses = {*IpAddress::Parse("192.0.2.1"), *IpAddress::Parse("2001:db8::1")};
  options.realm = "example.org";
  options.credentials.AddUser("user", "example.org", stun::LongTermKeys::Of("user", "example.org", "pass"));
  options.credentials.AddUser("other", "example.org", stun::LongTermKeys::Of("other", "example.org", "word"));
  options.policy.Allow(*Prefix::Parse("198.51.100.0/24"));
  options.policy.Allow(*Prefix::Parse("2001:db8:1::/48"));
  options.relay_protocols = {RelayProtocol::kUdp, RelayProtocol::kTcp};
  return options;
}

TestServer::TestServer(const ServerOptions& options, uint64_t seed)
    : rng(Rng::FromNumber(seed)), server(options, rng) {}

TestServer::TestServer(const ServerOptions& options, uint64_t seed, std::shared_ptr<SharedState> shared,
                       WorkerIndex worker)
    : rng(Rng::FromNumber(seed)), server(options, rng, std::move(shared), worker) {}

uint16_t TestServer::Message::code() const {
  const auto error = view().FindError();
  return error ? error->code : uint16_t{0};
}

void TestServer::Pump() {
  while (const auto event = server.PollEvent()) {
    std::visit(Overloaded{[&](const Server::OpenRelay& e) {
                            opening.push_back(e);
                            if (!answers_opening) return;
                            opening.pop_back();
                            if (fail_next > 0) {
                              --fail_next;
                              server.HandleRelayFailed(now, e.relay);
                              return;
                            }
                            open.emplace_back(e.address, e.relay);
                            server.HandleRelayOpened(now, e.relay);
                          },
                          [&](const Server::ReadRelay& e) { read.push_back(e.relay); },
                          [&](const Server::CloseRelay& e) {
                            std::erase_if(open, [&](const auto& item) { return item.second == e.relay; });
                          },
                          [&](const Server::ConnectPeer& e) { connects.push_back(e); },
                          [&](const Server::Splice& e) { splices.push_back(e); },
                          [&](const Server::CloseConnection& e) { closed.push_back(e); }},
               *event);
  }
}

std::optional<TestServer::Message> TestServer::Poll() {
  Pump();
  std::array<uint8_t, Server::kMaxResponse> out;
  const auto transmit = server.PollTransmit(now, out);
  if (!transmit) return std::nullopt;
  return Message{{out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->size)}, transmit->path};
}

void TestServer::Advance(Duration time) {
  const Timestamp end = now + time;
  while (server.NextTimeout() <= end) {
    now = std::max(now, server.NextTimeout());
    server.HandleTimeout(now);
    Pump();
  }
  now = end;
  server.HandleTimeout(now);
  Pump();
}

std::vector<TestServer::Relayed> TestServer::FromClient(const ClientPath& path, std::span<const uint8_t> octets,
                                                        size_t segment_size) {
  std::vector<Relayed> relayed;
  std::array<Segment, 64> segments;
  for (Train train{octets, segment_size};;) {
    const auto run = server.HandleFromClient(now, path, train, segments);
    if (run.to_peer) relayed.push_back({*run.to_peer, GatherAll(run, segments)});
    if (run.worker) {
      const auto first = train.octets.first(run.consumed);
      handed_over.push_back({*run.worker, path, {first.begin(), first.end()}});
    }
    if (run.consumed >= train.octets.size()) break;
    EXPECT_GT(run.consumed, 0u);
    train.octets = train.octets.subspan(run.consumed);
  }
  Pump();
  return relayed;
}

RelayHandle TestServer::HandleOf(const SocketAddress& relay) const {
  const auto found = std::ranges::find(open, relay, &std::pair<SocketAddress, RelayHandle>::first);
  return found == open.end() ? RelayHandle{} : found->second;
}

std::vector<TestServer::Delivered> TestServer::FromPeer(const SocketAddress& relay, const SocketAddress& peer,
                                                        std::span<const uint8_t> octets, size_t segment_size) {
  std::vector<Delivered> delivered;
  std::array<Segment, 64> segments;
  for (Train train{octets, segment_size};;) {
    const auto run = server.HandleFromPeer(now, HandleOf(relay), peer, train, segments);
    if (run.to_client) delivered.push_back({*run.to_client, GatherAll(run, segments)});
    if (run.consumed >= train.octets.size()) break;
    EXPECT_GT(run.consumed, 0u);
    train.octets = train.octets.subspan(run.consumed);
  }
  return delivered;
}

TestClient::TestClient(TestServer& server, std::string_view address, ListenerId listener, std::string_view username,
                       std::string_view password)
    : path{*SocketAddress::Parse(address), listener},
      credentials(std::string(username), std::string(password), stun::AlgorithmChoice::kSha256IfOffered),
      server_(server) {}

std::vector<uint8_t> TestClient::Build(Method method, const Compose& compose) {
  std::vector<uint8_t> out(65535);
  stun::MessageBuilder b(out, {method, MessageClass::kRequest}, stun::TransactionId::Random(server_.rng));
  if (compose) compose(b);
  credentials.AddCredentials(b);
  credentials.AddIntegrity(b);
  out.resize(b.Finish().size());
  return out;
}

std::optional<TestServer::Message> TestClient::Exchange(std::span<const uint8_t> octets) {
  server_.FromClient(path, octets);
  return server_.Poll();
}

TestServer::Message TestClient::Ask(Method method, const Compose& compose) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    const uint32_t generation = credentials.generation();
    const auto response = Exchange(Build(method, compose));
    if (!response) break;
    const uint16_t code = response->code();
    if (code != 401 && code != 438) return *response;
    const auto verdict = credentials.HandleChallenge(response->view(), code, generation);
    if (verdict != stun::ChallengeVerdict::kRetry) return *response;
  }
  ADD_FAILURE() << "no response";
  return {std::vector<uint8_t>(20), path};
}

TestServer::Message TestClient::Allocate(const Compose& compose) {
  const auto response = Ask(Method::kAllocate, [&](stun::MessageBuilder& b) {
    Add(b, RequestedTransport{});
    if (compose) compose(b);
  });
  response.view().ForEachAttribute([&](const stun::Attribute& attribute) {
    if (attribute.type != AttributeType::kXorRelayedAddress) return;
    const auto address = *stun::ParseAddress(attribute.type, attribute.value, response.view().transaction_id());
    (address.ip.is_v4() ? relayed : relayed_v6) = address;
  });
  return response;
}

uint16_t TestClient::Permit(std::string_view peer) {
  return Ask(Method::kCreatePermission,
             [&](stun::MessageBuilder& b) {
               b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse(peer));
             })
      .code();
}

uint16_t TestClient::Bind(ChannelNumber channel, std::string_view peer) {
  return Ask(Method::kChannelBind,
             [&](stun::MessageBuilder& b) {
               Add(b, channel);
               b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse(peer));
             })
      .code();
}

uint16_t TestClient::Refresh(uint32_t seconds) {
  return Ask(Method::kRefresh, [&](stun::MessageBuilder& b) { Add(b, Lifetime{seconds}); }).code();
}

std::vector<TestServer::Relayed> TestClient::SendTo(std::string_view peer, std::span<const uint8_t> data) {
  std::vector<uint8_t> out(data.size() + 100);
  stun::MessageBuilder b(out, {Method::kSend, MessageClass::kIndication}, stun::TransactionId::Random(server_.rng));
  b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse(peer)).Add(AttributeType::kData, data);
  return server_.FromClient(path, b.Finish());
}

}  // namespace jsp::turn
