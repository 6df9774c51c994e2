#include "transport/asio/ice_tcp_socket.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "transport/asio/endpoint.h"
#include "transport/asio/native_socket.h"
#if defined(__linux__)
#include <netinet/tcp.h>
#endif

namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kLastWords = std::chrono::seconds(3);  // for what is unsent when the connection is closed

}  // namespace

IceTcpSocket::IceTcpSocket(Native socket, IceTcpObserver& observer)
    : socket_(std::move(socket)), timer_(socket_.get_executor()), observer_(&observer) {}

std::shared_ptr<IceTcpSocket> IceTcpSocket::Accepted(Native socket, IceTcpObserver& observer) {
  auto accepted = std::make_shared<IceTcpSocket>(std::move(socket), observer);
  accepted->Configure();
  accepted->WaitReadable();
  return accepted;
}

std::shared_ptr<IceTcpSocket> IceTcpSocket::Connect(const boost::asio::any_io_executor& executor,
                                                    const IpAddress& local, const SocketAddress& remote,
                                                    IceTcpObserver& observer) {
  auto connecting = std::make_shared<IceTcpSocket>(Native(executor), observer);
  Native& socket = connecting->socket_;
  const tcp::endpoint from(ToAsioAddress(local), 0);
  error_code error;
  if (!error) socket.open(from.protocol(), error);
  if (!error) socket.bind(from, error);
  if (error) {
    connecting->Fail();
    return connecting;
  }
  connecting->Configure();
  socket.async_connect({ToAsioAddress(remote.ip), remote.port}, [weak = connecting->weak_from_this()](error_code e) {
    if (const auto self = weak.lock()) self->HandleConnected(e);
  });
  return connecting;
}

void IceTcpSocket::Configure() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
#if defined(__linux__)
  constexpr int kGiveUpMs = 20'000;          // below the 30 s of consent (RFC 7675 §5.1), so that it can be reopened
  constexpr int kNotSentOctets = 64 * 1024;  // in the kernel, beyond what is on its way
  (void)SetOption(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, kGiveUpMs);
  (void)SetOption(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kNotSentOctets);
#endif
}

void IceTcpSocket::HandleConnected(error_code error) {
  if (observer_ == nullptr) return Shut();
  error_code unknown;
  // Of a port of our own that nobody listens at, the kernel may connect a socket to itself.
  const bool is_itself = !error && socket_.local_endpoint(unknown) == socket_.remote_endpoint(unknown);
  if (error || unknown || is_itself) return Fail();
  WaitReadable();
  observer_->HandleTcpConnected();
}

void IceTcpSocket::WaitReadable() {
  if (observer_ == nullptr || has_failed_ || std::exchange(waits_readable_, true)) return;
  socket_.async_wait(Native::wait_read, [weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!self || self->observer_ == nullptr) return;
    self->waits_readable_ = false;
    if (error) return self->Fail();
    self->observer_->HandleTcpReadable();
  });
}

std::optional<size_t> IceTcpSocket::Read(std::span<uint8_t> into) {
  if (has_failed_) return std::nullopt;
  error_code error;
  const size_t size = socket_.read_some(boost::asio::buffer(into.data(), into.size()), error);
  if (!error) return size;
  if (error == boost::asio::error::would_block || error == boost::asio::error::try_again ||
      error == boost::asio::error::interrupted) {
    return 0;
  }
  Fail();
  return std::nullopt;
}

void IceTcpSocket::Write(std::span<const uint8_t> octets) {
  if (observer_ == nullptr || has_failed_) return;
  unsent_.insert(unsent_.end(), octets.begin(), octets.end());
  if (!is_blocked()) return;
  Flush();
  was_blocked_ = is_blocked();
}

void IceTcpSocket::Flush() {
  if (has_failed_ || waits_writable_ || unsent() == 0) return;
  if (!Send()) return Fail();
  was_blocked_ = is_blocked();
  if (unsent() > 0) WaitWritable();
}

bool IceTcpSocket::Send() {
  while (unsent() > 0) {
    error_code error;
    sent_ += socket_.write_some(boost::asio::buffer(unsent_.data() + sent_, unsent()), error);
    if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) break;
    if (error && error != boost::asio::error::interrupted) return false;
  }
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent_));
  sent_ = 0;
  return true;
}

void IceTcpSocket::WaitWritable() {
  waits_writable_ = true;
  socket_.async_wait(Native::wait_write, [self = shared_from_this()](error_code error) {
    self->waits_writable_ = false;
    if (error) return self->Fail();
    self->HandleWritable();
  });
}

void IceTcpSocket::HandleWritable() {
  if (!socket_.is_open() || has_failed_) return;
  if (!Send()) return Fail();
  if (unsent() > 0) WaitWritable();
  if (observer_ == nullptr) {
    if (unsent() == 0) Linger();
    return;
  }
  if (std::exchange(was_blocked_, is_blocked()) && !was_blocked_) observer_->HandleTcpWritable();
}

// Told later: the observer may be in the middle of anything.
void IceTcpSocket::Fail() {
  if (observer_ == nullptr) return Shut();
  if (std::exchange(has_failed_, true)) return;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    IceTcpObserver* observer = std::exchange(self->observer_, nullptr);
    self->Shut();
    if (observer != nullptr) observer->HandleTcpFailed();
  });
}

void IceTcpSocket::Abort() {
  observer_ = nullptr;
  Shut();
}

void IceTcpSocket::Close() {
  if (std::exchange(observer_, nullptr) == nullptr) return;
  if (has_failed_ || !socket_.is_open()) return Shut();
  error_code unconnected;
  (void)socket_.remote_endpoint(unconnected);
  if (unconnected) return Shut();
  timer_.expires_after(kLastWords);
  timer_.async_wait([self = shared_from_this()](error_code) { self->Shut(); });
  if (!waits_writable_ && !Send()) return Shut();
  if (unsent() == 0) return Linger();
  if (!waits_writable_) WaitWritable();
}

// Closing a socket with something unread would reset it, and the peer might not read our last words.
void IceTcpSocket::Linger() {
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  Drain();
}

void IceTcpSocket::Drain() {
  std::array<uint8_t, 4096> unwanted;  // not initialised: written before it is read
  constexpr int kMaxReads = 16;        // somebody who goes on sending is not listened to for long
  for (int i = 0; i < kMaxReads; ++i) {
    error_code error;
    (void)socket_.read_some(boost::asio::buffer(unwanted), error);
    if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) {
      return socket_.async_wait(Native::wait_read, [self = shared_from_this()](error_code failed) {
        if (!failed) self->Drain();
      });
    }
    if (error) return Shut();
  }
  Shut();
}

void IceTcpSocket::Shut() {
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace jsp::transport::io
