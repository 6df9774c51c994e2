#include "transport/asio/turn_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <utility>

#include "transport/asio/steady_clock.h"
namespace jsp::transport::io {

using boost::system::error_code;

namespace {

constexpr size_t kMaxRecord = 16 * 1024;  // RFC 8446 §5.1: 2^14 octets of plaintext

}  // namespace

TurnConnection::TurnConnection(Socket socket, std::span<uint8_t> buffer) : socket_(std::move(socket)), buffer_(buffer) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
}

void TurnConnection::Resume() {
  reads_ = true;
  WaitReadable();
}

void TurnConnection::WaitReadable() {
  if (waits_readable_ || is_over()) return;
  waits_readable_ = true;
  socket_.async_wait(Socket::wait_read, [weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!self) return;
    self->waits_readable_ = false;
    if (!error && self->reads_) self->HandleReadable();
  });
}

void TurnConnection::HandleReadable() {
  error_code error;
  const size_t size = socket_.read_some(boost::asio::buffer(buffer_.data(), buffer_.size()), error);
  if (error && error != boost::asio::error::would_block) {
    if (is_open()) HandleEnd(Now());
    if (state_ == State::kFinishing) Abort();
    return;
  }
  if (size > 0 && is_open()) {
    tls_ ? HandleTlsRecords(Now(), buffer_.first(size)) : HandleOctets(Now(), buffer_.first(size));
    if (is_open()) HandleRead(Now());
  }
  if (reads_) WaitReadable();
}

void TurnConnection::Write(std::span<const uint8_t> octets) {
  const iovec piece{const_cast<uint8_t*>(octets.data()), octets.size()};
  Write(std::span(&piece, 1));
}

void TurnConnection::Write(std::span<const iovec> pieces) {
  if (!is_open() || is_broken_) return;
  if (!tls_) return WriteToSocket(pieces);
  // Gathered into whole records.
  std::array<uint8_t, kMaxRecord> record;
  size_t used = 0;
  const Timestamp now = Now();
  for (const iovec& piece : pieces) {
    for (std::span rest(static_cast<const uint8_t*>(piece.iov_base), piece.iov_len); !rest.empty();) {
      const size_t taken = std::min(rest.size(), record.size() - used);
      std::copy_n(rest.begin(), taken, record.begin() + static_cast<ptrdiff_t>(used));
      rest = rest.subspan(taken);
      used += taken;
      if (used == record.size()) SendTls(now, std::span(record).first(std::exchange(used, 0)));
    }
  }
  if (used > 0) SendTls(now, std::span(record).first(used));
}

void TurnConnection::WriteToSocket(std::span<const iovec> pieces) {
  if (is_broken_) return;
  size_t written = 0;
  if (unsent() == 0) {
    msghdr header{};
    header.msg_iov = const_cast<iovec*>(pieces.data());
    header.msg_iovlen = pieces.size();
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && !IsBusy(errno)) return HandleBroken();
    written = sent > 0 ? static_cast<size_t>(sent) : 0;
  }
  for (const iovec& piece : pieces) {
    const std::span octets(static_cast<const uint8_t*>(piece.iov_base), piece.iov_len);
    const size_t skip = std::min(written, octets.size());
    written -= skip;
    unsent_.insert(unsent_.end(), octets.begin() + static_cast<ptrdiff_t>(skip), octets.end());
  }
  if (unsent() > 0) WaitWritable();
}

TurnConnection::Parts TurnConnection::Detach() {
  error_code failed;
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<ptrdiff_t>(std::exchange(sent_, 0)));
  Parts parts{socket_.release(failed), std::move(tls_), std::move(unsent_)};
  if (failed) parts.descriptor = -1;
  tls_.reset();
  unsent_.clear();
  state_ = State::kOver;
  reads_ = false;
  return parts;
}

void TurnConnection::Restore(std::optional<dtls::StreamSession> tls, std::vector<uint8_t> unsent) {
  tls_ = std::move(tls);
  unsent_ = std::move(unsent);
  if (!unsent_.empty()) WaitWritable();
}

void TurnConnection::StartTls(std::shared_ptr<const dtls::StreamContext> context) {
  tls_.emplace(dtls::StreamOptions{.context = std::move(context)}, Now());
}

void TurnConnection::HandleTlsRecords(Timestamp now, std::span<const uint8_t> records) {
  std::array<uint8_t, kMaxRecord> plaintext;
  do {
    records = records.subspan(tls_->HandleReceived(now, records));
    while (is_open()) {
      const auto size = tls_->PollPlaintext(now, plaintext);
      if (!size) break;
      HandleOctets(now, std::span(plaintext).first(*size));
    }
    if (!is_over()) FlushTls(now);
  } while (!records.empty() && is_open());
  // Failed or closed: either way it is the end of what the other side says.
  if (is_open() && tls_->is_ended()) HandleEnd(now);
}

void TurnConnection::SendTls(Timestamp now, std::span<const uint8_t> plaintext) {
  while (!plaintext.empty()) {
    const auto taken = tls_->Send(now, plaintext);
    if (!taken) return;
    plaintext = plaintext.subspan(*taken);
    FlushTls(now);
  }
}

void TurnConnection::FlushTls(Timestamp now) {
  std::array<uint8_t, dtls::StreamSession::kBuffer> records;
  while (const auto transmit = tls_->PollTransmit(now, records)) {
    const iovec piece{records.data(), transmit->size};
    WriteToSocket(std::span(&piece, 1));
  }
}

void TurnConnection::WaitWritable() {
  if (waits_writable_ || is_over()) return;
  waits_writable_ = true;
  socket_.async_wait(Socket::wait_write, [weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!self) return;
    self->waits_writable_ = false;
    if (!error) self->HandleWritable();
  });
}

void TurnConnection::HandleWritable() {
  const std::span rest = std::span(unsent_).subspan(sent_);
  const ssize_t sent = ::send(socket_.native_handle(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && !IsBusy(errno)) return HandleBroken();
  sent_ += sent > 0 ? static_cast<size_t>(sent) : 0;
  if (unsent() > 0) {
    // What is gone is given back once it is most of it, so that each octet moves once or twice.
    if (sent_ > unsent_.size() / 2) {
      unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<ptrdiff_t>(sent_));
      sent_ = 0;
    }
    return WaitWritable();
  }
  std::vector<uint8_t>().swap(unsent_);
  sent_ = 0;
  MaybeSendFin();
  if (is_open()) HandleDrained(Now());
}

// The other side does not take anything any more; that it is gone comes by way of reading.
void TurnConnection::HandleBroken() {
  is_broken_ = true;
  std::vector<uint8_t>().swap(unsent_);
  sent_ = 0;
  if (state_ == State::kFinishing) return Abort();
  Resume();
}

void TurnConnection::Finish() {
  if (!is_open()) return;
  if (tls_) {
    tls_->Close(Now());
    FlushTls(Now());
  }
  state_ = State::kFinishing;
  if (is_broken_) return Abort();
  MaybeSendFin();
  Resume();
}

void TurnConnection::MaybeSendFin() {
  if (state_ != State::kFinishing || unsent() > 0) return;
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void TurnConnection::Abort() {
  state_ = State::kOver;
  reads_ = false;
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace jsp::transport::io
