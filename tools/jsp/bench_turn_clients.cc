#include "tools/jsp/bench_turn_clients.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "tools/jsp/output.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"

namespace jsp::tool {
namespace {

constexpr size_t kAtATime = 128;  // requests under way: enough for any server, and few enough for its socket's buffer
constexpr auto kTick = std::chrono::milliseconds(50);
constexpr auto kNoProgress = std::chrono::seconds(10);

}  // namespace

BenchTurnClients::BenchTurnClients(BenchTurnServer server, std::unique_ptr<BenchSockets> sockets, size_t count)
    : server_(std::move(server)), sockets_(std::move(sockets)), rng_(transport::io::SystemRng()), clients_(count) {}

Expected<std::unique_ptr<BenchTurnClients>, std::string> BenchTurnClients::Open(
    const BenchTurnServer& server, size_t count, BenchPorts& ports, transport::io::Segmentation segmentation) {
  auto sockets = BenchSockets::Open(server.address, count, segmentation, &ports);
  if (!sockets) return Unexpected<std::string>(sockets.error());
  return std::unique_ptr<BenchTurnClients>(new BenchTurnClients(server, std::move(*sockets), count));
}

Expected<double, std::string> BenchTurnClients::Allocate() {
  const auto start = BenchClock::now();
  if (const auto run = Run(Step::kAllocate); !run) return Unexpected<std::string>(run.error());
  return std::chrono::duration<double>(BenchClock::now() - start).count();
}

Expected<void, std::string> BenchTurnClients::BindChannels(const SocketAddress& peer) {
  peer_ = peer;
  return Run(Step::kBindChannel);
}

Expected<void, std::string> BenchTurnClients::Close() { return Run(Step::kClose); }

void BenchTurnClients::Begin(Step step, size_t i) {
  const auto now = transport::io::Now();
  Entry& entry = clients_[i];
  switch (step) {
    case Step::kAllocate:
      entry.client.emplace(turn::ClientOptions{.local = (*sockets_)[i].local(),
                                               .server = server_.address,
                                               .credentials = {server_.username, server_.password, std::nullopt},
                                               .families = server_.address.ip.is_v4() ? turn::RelayFamilies::kDefault
                                                                                      : turn::RelayFamilies::kV6},
                           rng_);
      entry.client->Start(now);
      break;
    case Step::kBindChannel:
      if (!entry.client->BindChannel(now, peer_)) error_ = "no channel to " + peer_.ToString() + " can be asked for";
      break;
    case Step::kClose:
      entry.client->Close(now);
      break;
  }
  Pump(i);
}

Expected<void, std::string> BenchTurnClients::Run(Step step) {
  done_ = 0;
  error_.clear();
  for (auto& entry : clients_) entry.is_done = false;
  size_t begun = 0;
  auto next_tick = BenchClock::now() + kTick;
  auto progress = BenchClock::now();
  while (done_ < clients_.size() && error_.empty()) {
    while (begun < clients_.size() && begun - done_ < kAtATime) Begin(step, begun++);
    sockets_->io().Flush();
    const size_t before = done_;
    for (const size_t i : sockets_->Wait(kTick)) {
      const auto now = transport::io::Now();
      sockets_->Receive(i, [&](std::span<const uint8_t> datagram, const SocketAddress& remote) {
        clients_[i].client->HandleDatagram(now, (*sockets_)[i].local(), remote, datagram);
      });
      Pump(i);
    }
    const auto now = BenchClock::now();
    if (now >= next_tick) {
      HandleTimeouts();
      next_tick = now + kTick;
    }
    if (done_ != before) progress = now;
    if (now - progress > kNoProgress) error_ = server_.address.ToString() + " does not answer; is it a TURN server?";
  }
  sockets_->io().Flush();
  if (!error_.empty()) return Unexpected<std::string>(error_);
  return {};
}

void BenchTurnClients::HandleTimeouts() {
  const auto now = transport::io::Now();
  for (size_t i = 0; i < clients_.size(); ++i) {
    auto& client = clients_[i].client;
    if (!client || now < client->NextTimeout()) continue;
    client->HandleTimeout(now);
    Pump(i);
  }
}

void BenchTurnClients::Pump(size_t i) {
  std::array<uint8_t, turn::Client::kMaxRequest> buffer;
  Entry& entry = clients_[i];
  const auto now = transport::io::Now();
  const auto send = [&] {
    while (const auto transmit = entry.client->PollTransmit(now, buffer)) {
      sockets_->io().AppendCopy((*sockets_)[i], transmit->remote, std::span(buffer).first(transmit->size));
    }
  };
  send();
  while (const auto event = entry.client->PollEvent()) {
    HandleEvent(i, *event);
    send();
  }
}

void BenchTurnClients::HandleEvent(size_t i, const turn::ClientEvent& event) {
  Entry& entry = clients_[i];
  const auto finish = [&] {
    if (!entry.is_done) ++done_;
    entry.is_done = true;
  };
  if (const auto* allocated = std::get_if<turn::event::Allocated>(&event)) {
    entry.relay = allocated->relayed_v4 ? *allocated->relayed_v4 : allocated->relayed_v6.value_or(SocketAddress());
    finish();
  } else if (const auto* bound = std::get_if<turn::event::ChannelBound>(&event)) {
    entry.channel = bound->channel;
    finish();
  } else if (std::holds_alternative<turn::event::Closed>(event)) {
    finish();
  } else if (const auto* failed = std::get_if<turn::event::AllocationFailed>(&event)) {
    error_ = Format("%s gives no allocation: error %u %s", server_.address.ToString().c_str(), failed->error_code,
                    failed->detail.c_str());
  } else if (const auto* refused = std::get_if<turn::event::ChannelRefused>(&event)) {
    error_ = Format("%s refuses the peer %s: error %u; allow it there (--allow-peer)",
                    server_.address.ToString().c_str(), peer_.ToString().c_str(), refused->error_code);
  } else if (std::holds_alternative<turn::event::NeedsNewPort>(event)) {
    // The server remembers somebody's allocation behind that port (437).
    if (const auto replaced = sockets_->Replace(i)) {
      entry.client->Restart(transport::io::Now(), (*sockets_)[i].local());
    } else {
      error_ = replaced.error();
    }
  } else if (std::holds_alternative<turn::event::AllocationLost>(event)) {
    error_ = server_.address.ToString() + " has lost an allocation";
  }
}

}  // namespace jsp::tool
