#include "transport/asio/stream_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>

#include "base/overloaded.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kInput = 64 * 1024;                  // read at once
constexpr auto kLastWords = std::chrono::seconds(3);  // for what is unsent when the connection is closed

int64_t UnixTime() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string ToText(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

}  // namespace

StreamConnection::StreamConnection(const boost::asio::any_io_executor& executor, const StreamTarget& target,
                                   StreamObserver& observer)
    : socket_(executor), timer_(executor), target_(target), observer_(&observer) {}

std::shared_ptr<StreamConnection> StreamConnection::Open(const boost::asio::any_io_executor& executor,
                                                         const StreamTarget& target, StreamObserver& observer) {
  auto connection = std::make_shared<StreamConnection>(executor, target, observer);
  connection->Connect();
  return connection;
}

void StreamConnection::Connect() {
  timer_.expires_after(target_.timeout);
  timer_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->Fail((self->tls_ ? "no TLS session in " : "no connection in ") + ToText(self->target_.timeout));
  });
  socket_.async_connect({ToAsioAddress(target_.server.ip), target_.server.port},
                        [weak = weak_from_this()](error_code error) {
                          const auto self = weak.lock();
                          if (self) self->HandleTcpConnected(error);
                        });
}

void StreamConnection::HandleTcpConnected(error_code error) {
  if (observer_ == nullptr) return;
  if (error) return Fail(error == boost::asio::error::connection_refused ? "nothing listens there" : error.message());
  socket_.set_option(tcp::no_delay(true), error);
  input_.resize(kInput);
  if (!target_.tls) {
    ReportConnected();
  } else {
    tls_.emplace(dtls::StreamOptions{.context = target_.tls,
                                     .host = target_.host,
                                     .protocol = target_.protocol,
                                     .unix_time = UnixTime(),
                                     .handshake_timeout = target_.timeout},
                 Now());
    TakeCiphertext();
    HandleTlsEvents();
  }
  if (observer_ != nullptr) Read();
}

void StreamConnection::ReportConnected() {
  timer_.cancel();
  error_code ignored;
  const tcp::endpoint local = socket_.local_endpoint(ignored);
  observer_->HandleStreamConnected({FromAsioAddress(local.address()), local.port()});
}

void StreamConnection::Read() {
  socket_.async_read_some(boost::asio::buffer(input_), [weak = weak_from_this()](error_code error, size_t size) {
    const auto self = weak.lock();
    if (self) self->HandleRead(error, size);
  });
}

void StreamConnection::HandleRead(error_code error, size_t size) {
  if (observer_ == nullptr) return;
  if (error && !tls_) return Fail("the server closed the connection");
  if (error) {
    tls_->HandleEnd(Now());
    HandleCiphertext({});
    return Fail("the connection broke: " + error.message());  // unless TLS knew better, and has said so
  }
  const auto octets = std::span<const uint8_t>(input_).first(size);
  if (tls_) {
    HandleCiphertext(octets);
  } else {
    observer_->HandleStreamReceived(octets);
  }
  if (observer_ != nullptr) Read();
}

void StreamConnection::HandleCiphertext(std::span<const uint8_t> rest) {
  std::array<uint8_t, 16 * 1024> plaintext;  // not initialised: written before it is read
  do {
    rest = rest.subspan(tls_->HandleReceived(Now(), rest));
    TakeCiphertext();
    if (!HandleTlsEvents()) return;
    while (const auto size = tls_->PollPlaintext(Now(), plaintext)) {
      observer_->HandleStreamReceived(std::span(plaintext).first(*size));
      if (observer_ == nullptr) return;
    }
    TakeCiphertext();
    if (!HandleTlsEvents()) return;
  } while (!rest.empty());
}

// False when the connection is over.
bool StreamConnection::HandleTlsEvents() {
  while (const auto event = tls_->PollEvent()) {
    std::visit(Overloaded{
                   [&](const dtls::StreamSession::Connected&) { ReportConnected(); },
                   [&](const dtls::StreamSession::Failed& failed) { Fail("TLS: " + failed.detail); },
                   [&](const dtls::StreamSession::Closed&) { Fail("the server closed the connection"); },
               },
               *event);
    if (observer_ == nullptr) return false;
  }
  return true;
}

void StreamConnection::TakeCiphertext() {
  std::array<uint8_t, dtls::StreamSession::kBuffer> ciphertext;
  while (const auto transmit = tls_->PollTransmit(Now(), ciphertext)) {
    unsent_.insert(unsent_.end(), ciphertext.begin(), ciphertext.begin() + static_cast<ptrdiff_t>(transmit->size));
  }
  Write();
}

void StreamConnection::Send(std::span<const uint8_t> octets) {
  if (observer_ == nullptr) return;
  if (!tls_) {
    unsent_.insert(unsent_.end(), octets.begin(), octets.end());
    return Write();
  }
  while (!octets.empty()) {
    const auto taken = tls_->Send(Now(), octets);
    if (!taken) return;  // it has failed, and says so when it is read next
    octets = octets.subspan(*taken);
    TakeCiphertext();
  }
}

// Two buffers in turns: one is filled while the other is written.
void StreamConnection::Write() {
  if (!writing_.empty() || unsent_.empty() || !socket_.is_open()) return;
  writing_.swap(unsent_);
  boost::asio::async_write(socket_, boost::asio::buffer(writing_),
                           [self = shared_from_this()](error_code error, size_t) { self->HandleWritten(error); });
}

void StreamConnection::HandleWritten(error_code error) {
  writing_.clear();
  if (error) return Fail("the connection broke: " + error.message());
  if (observer_ == nullptr && unsent_.empty()) return Shut();
  Write();
  if (observer_ != nullptr) observer_->HandleStreamWritten();
}

void StreamConnection::Fail(std::string reason) {
  StreamObserver* observer = std::exchange(observer_, nullptr);
  if (observer == nullptr) return Shut();
  Close();
  observer->HandleStreamFailed(std::move(reason));
}

void StreamConnection::Close() {
  observer_ = nullptr;
  timer_.cancel();
  if (tls_) {
    tls_->Close(Now());
    TakeCiphertext();
  }
  if (writing_.empty()) return Shut();
  timer_.expires_after(kLastWords);
  timer_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (self && !error) self->Shut();
  });
}

void StreamConnection::Shut() {
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace jsp::transport::io
