#include "turn/server/testing/relay_world.h"

#include <algorithm>
#include <array>
namespace jsp::turn {
namespace {

const SocketAddress kServer = *SocketAddress::Parse("192.0.2.1:3478");

}  // namespace

RelayWorld::RelayWorld(const Config& config)
    : s(config.server, config.seed), config_(config), rng_(Rng::FromNumber(config.seed + 1000)) {}

Client& RelayWorld::AddClient(ClientOptions options, std::string_view address) {
  options.local = *SocketAddress::Parse(address);
  options.server = kServer;
  if (options.credentials.username.empty()) options.credentials = {.username = "user", .password = "pass"};
  clients_.push_back(std::make_unique<Client>(options, rng_));
  return *clients_.back();
}

void RelayWorld::Post(const SocketAddress& from, const SocketAddress& to, std::vector<uint8_t> data) {
  if (rng_.Uniform() < config_.loss) return;
  in_flight_.emplace(now() + config_.delay, InFlight{from, to, std::move(data)});
}

void RelayWorld::Send(Client& client, const SocketAddress& peer, std::span<const uint8_t> data) {
  std::vector<uint8_t> out(data.size() + Client::kMaxOverhead);
  const auto sent = client.Send(now(), peer, data, out);
  if (!sent || *sent == 0) return;
  out.resize(*sent);
  Post(client.local(), client.server(), std::move(out));
}

void RelayWorld::SendFromPeer(const SocketAddress& peer, const SocketAddress& to, std::span<const uint8_t> data) {
  Post(peer, to, {data.begin(), data.end()});
}

void RelayWorld::Arrive(const InFlight& datagram) {
  if (datagram.to == kServer) {
    for (const auto& run : s.FromClient({datagram.from, TestServer::kUdp}, datagram.data)) {
      const auto relay = std::ranges::find(s.open, run.to.relay, &std::pair<SocketAddress, RelayHandle>::second);
      for (const auto& data : run.datagrams) Post(relay->first, run.to.peer, data);
    }
    return;
  }
  if (s.HandleOf(datagram.to).is_set()) {
    for (const auto& run : s.FromPeer(datagram.to, datagram.from, datagram.data)) {
      for (const auto& message : run.messages) Post(kServer, run.path.client, message);
    }
    return;
  }
  for (const auto& client : clients_) {
    if (client->local() != datagram.to) continue;
    const auto handled = client->HandleDatagram(now(), datagram.to, datagram.from, datagram.data);
    if (!handled.data) return;
    received(*client).push_back({handled.data->peer, {handled.data->data.begin(), handled.data->data.end()}});
    return;
  }
  received_by_peer_[datagram.to].push_back({datagram.from, datagram.data});
}

void RelayWorld::Drain() {
  std::array<uint8_t, 70000> out;
  for (const auto& client : clients_) {
    while (const auto transmit = client->PollTransmit(now(), out)) {
      Post(transmit->local, transmit->remote, {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->size)});
    }
    while (auto event = client->PollEvent()) events(*client).push_back(std::move(*event));
  }
  while (const auto message = s.Poll()) Post(kServer, message->path.client, message->octets);
}

bool RelayWorld::RunUntil(const std::function<bool()>& done, Duration time) {
  const Timestamp end = now() + time;
  while (!done()) {
    Drain();
    Timestamp next = s.server.NextTimeout();
    if (!in_flight_.empty()) next = std::min(next, in_flight_.begin()->first);
    for (const auto& client : clients_) next = std::min(next, client->NextTimeout());
    if (next > end) {
      s.now = end;
      return done();
    }
    s.now = std::max(s.now, next);
    while (!in_flight_.empty() && in_flight_.begin()->first <= now()) {
      const InFlight datagram = std::move(in_flight_.begin()->second);
      in_flight_.erase(in_flight_.begin());
      Arrive(datagram);
    }
    s.server.HandleTimeout(now());
    for (const auto& client : clients_) client->HandleTimeout(now());
  }
  return true;
}

void RelayWorld::Run(Duration time) {
  RunUntil([] { return false; }, time);
}

}  // namespace jsp::turn
