#include "netsim/stream.h"

#include <array>
#include <utility>
#include <variant>

#include "base/overloaded.h"

namespace jsp::netsim {

using dtls::StreamSession;

Stream::Stream(World& world, NodeId node, TcpHost& tcp, const StreamObserver& observer, Tls tls)
    : world_(world), tcp_(tcp), observer_(observer), options_(std::move(tls)) {
  timer_ = world.Attach(node, {.self = this, .handle_timeout = &Stream::HandleTimeout});
}

Stream::~Stream() {
  if (tls_) {
    tls_->Close(world_.now());
    FlushTls();
  }
  tcp_.Close(socket_);
  world_.Detach(timer_);
}

TcpObserver Stream::observer_of_tcp() {
  return {this, &Stream::HandleTcpConnected, &Stream::HandleTcpOctets, &Stream::HandleTcpClosed,
          &Stream::HandleTcpWritable};
}

void Stream::Connect(const IpAddress& local, const SocketAddress& remote) {
  socket_ = tcp_.Connect(local, remote, observer_of_tcp());
}

TcpObserver Stream::Accept(TcpSocketId socket) {
  socket_ = socket;
  return observer_of_tcp();
}

void Stream::StartTls() {
  tls_.emplace(dtls::StreamOptions{.context = options_.context, .host = options_.host, .unix_time = kUnixTimeOfWorlds},
               world_.now());
  FlushTls();
}

void Stream::HandleTcpConnected(void* self, TcpSocketId) {
  Stream& stream = *static_cast<Stream*>(self);
  if (stream.options_.context) return stream.StartTls();
  if (stream.observer_.handle_connected != nullptr) stream.observer_.handle_connected(stream.observer_.self);
}

void Stream::HandleTcpOctets(void* self, TcpSocketId, std::span<const uint8_t> octets) {
  Stream& stream = *static_cast<Stream*>(self);
  if (stream.tls_) return stream.HandleCiphertext(octets);
  if (stream.observer_.handle_octets != nullptr) stream.observer_.handle_octets(stream.observer_.self, octets);
}

void Stream::HandleTcpClosed(void* self, TcpSocketId, TcpEnd end) {
  Stream& stream = *static_cast<Stream*>(self);
  if (stream.tls_) {
    const std::weak_ptr<bool> alive = stream.alive_;
    stream.tls_->HandleEnd(stream.world_.now());
    stream.TellTls();  // it may know better
    if (alive.expired()) return;
  }
  stream.Fail(std::string("the connection is ") + ToString(end));
}

void Stream::HandleTcpWritable(void* self, TcpSocketId) {
  Stream& stream = *static_cast<Stream*>(self);
  if (stream.observer_.handle_writable != nullptr) stream.observer_.handle_writable(stream.observer_.self);
}

void Stream::HandleTimeout(void* self) {
  Stream& stream = *static_cast<Stream*>(self);
  if (!stream.tls_) return;
  stream.tls_->HandleTimeout(stream.world_.now());
  stream.FlushTls();
  stream.TellTls();
}

void Stream::HandleCiphertext(std::span<const uint8_t> rest) {
  std::array<uint8_t, 16 * 1024> plaintext;  // not initialised: written before it is read
  do {
    rest = rest.subspan(tls_->HandleReceived(world_.now(), rest));
    while (const auto size = tls_->PollPlaintext(world_.now(), plaintext)) {
      plaintext_.insert(plaintext_.end(), plaintext.begin(), plaintext.begin() + static_cast<std::ptrdiff_t>(*size));
    }
    FlushTls();
  } while (!rest.empty());
  TellTls();
}

void Stream::FlushTls() {
  std::array<uint8_t, StreamSession::kBuffer> ciphertext;  // not initialised: written before it is read
  while (const auto transmit = tls_->PollTransmit(world_.now(), ciphertext)) {
    tcp_.Write(socket_, std::span(ciphertext).first(transmit->size));
  }
  world_.SetTimer(timer_, tls_->NextTimeout());
}

// In the order in which things happened: connected, octets, the end. Each call may be the last of this stream.
void Stream::TellTls() {
  const std::weak_ptr<bool> alive = alive_;
  std::optional<std::string> end;
  while (const auto event = tls_->PollEvent()) {
    std::visit(Overloaded{
                   [&](const StreamSession::Connected&) {
                     if (observer_.handle_connected != nullptr) observer_.handle_connected(observer_.self);
                   },
                   [&](const StreamSession::Failed& failed) { end = "TLS: " + failed.detail; },
                   [&](const StreamSession::Closed&) { end = "the connection is closed"; },
               },
               *event);
    if (alive.expired()) return;
  }
  const std::vector<uint8_t> octets = std::exchange(plaintext_, {});
  if (!octets.empty() && observer_.handle_octets != nullptr) observer_.handle_octets(observer_.self, octets);
  if (!alive.expired() && end) Fail(*std::move(end));
}

void Stream::Write(std::span<const uint8_t> octets) {
  if (!tls_) return tcp_.Write(socket_, octets);
  while (!octets.empty()) {
    const auto taken = tls_->Send(world_.now(), octets);
    if (!taken) return;
    octets = octets.subspan(*taken);
    FlushTls();
  }
}

void Stream::Fail(std::string reason) {
  const StreamObserver observer = std::exchange(observer_, {});
  if (observer.handle_closed != nullptr) observer.handle_closed(observer.self, std::move(reason));
}

}  // namespace jsp::netsim
