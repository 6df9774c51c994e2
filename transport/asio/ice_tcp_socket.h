#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/socket_address.h"
namespace jsp::transport::io {

// Hears of one IceTcpSocket, in its executor, and never from within a call of it. May close it in any call.
class IceTcpObserver {
 public:
  virtual ~IceTcpObserver() = default;
  virtual void HandleTcpConnected() = 0;
  // Something can be read.
  virtual void HandleTcpReadable() = 0;
  // It was blocked, and is not any more.
  virtual void HandleTcpWritable() = 0;
  // The last call: it could not be opened, or is gone.
  virtual void HandleTcpFailed() = 0;
};

// A TCP connection of ICE (RFC 6544): without Nagle's algorithm, with short queues, and with an end when the other side
// acknowledges nothing for a while. Reads into its caller's buffer and writes once a turn, so that an idle one has no
// buffers. Owned through a shared pointer, also by last octets on their way.
class IceTcpSocket : public std::enable_shared_from_this<IceTcpSocket> {
 public:
  using Native = boost::asio::ip::tcp::socket;

  // Either of the two. An accepted one waits for what comes at once.
  static std::shared_ptr<IceTcpSocket> Accepted(Native socket, IceTcpObserver& observer);
  static std::shared_ptr<IceTcpSocket> Connect(const boost::asio::any_io_executor& executor, const IpAddress& local,
                                               const SocketAddress& remote, IceTcpObserver& observer);
  IceTcpSocket(Native socket, IceTcpObserver& observer);

  // What there is, and 0 when there is nothing more; nullopt: it has ended, and HandleTcpFailed follows.
  std::optional<size_t> Read(std::span<uint8_t> into);
  // Waits for more.
  void WaitReadable();
  // Takes all; the observer keeps the rest while is_blocked().
  void Write(std::span<const uint8_t> octets);
  bool is_blocked() const { return unsent() > kMaxUnsent; }
  // The end of a turn: what was written leaves.
  void Flush();
  // What was written still goes out, for a few seconds at most; the observer hears nothing more.
  void Close();
  // At once, and nothing goes out: of strangers.
  void Abort();

 private:
  // What is beyond would only wait, and hide from the congestion control above how long. With the kernel's share an
  // answer to a check waits for 96 KiB at most: on a path of 100 kbit/s that is 8 s, less than the silence of 10 s that
  // disconnects (ice::MobilityOptions).
  static constexpr size_t kMaxUnsent = 32 * 1024;

  void Configure();
  void HandleConnected(boost::system::error_code error);
  void WaitWritable();
  void HandleWritable();
  void Fail();
  size_t unsent() const { return unsent_.size() - sent_; }
  // False: it has failed.
  bool Send();
  void Linger();
  void Drain();
  void Shut();

  Native socket_;
  boost::asio::steady_timer timer_;
  IceTcpObserver* observer_;  // nullptr: closing
  std::vector<uint8_t> unsent_;
  size_t sent_ = 0;  // of unsent_
  bool waits_readable_ = false;
  bool waits_writable_ = false;
  bool was_blocked_ = false;
  bool has_failed_ = false;
};

}  // namespace jsp::transport::io
