#pragma once
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "dtls/stream_session.h"
namespace jsp::transport::io {

// Where a connection to a STUN or TURN server goes.
struct StreamTarget {
  SocketAddress server{};
  // TLS when there is a context; the certificate must be for `host`.
  std::shared_ptr<const dtls::StreamContext> tls{};
  std::string host{};
  dtls::StreamProtocol protocol = dtls::StreamProtocol::kTurn;
  Duration timeout = std::chrono::seconds(5);  // of TCP's and TLS's handshakes together
};

// Hears of one StreamConnection, in its executor. May close the connection in any call.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  virtual void HandleStreamConnected(const SocketAddress& local) = 0;
  virtual void HandleStreamReceived(std::span<const uint8_t> octets) = 0;
  // Less is unsent than before.
  virtual void HandleStreamWritten() {}
  // The last call: one line for a person.
  virtual void HandleStreamFailed(std::string reason) = 0;
};

// A TCP connection of ours to a server, with TLS when asked for. Owned by its observer through a shared pointer; what
// runs in the background holds it weakly, but for last octets on their way.
class StreamConnection : public std::enable_shared_from_this<StreamConnection> {
 public:
  // `observer` must live until Close or HandleStreamFailed; it is never called from within this.
  static std::shared_ptr<StreamConnection> Open(const boost::asio::any_io_executor& executor,
                                                const StreamTarget& target, StreamObserver& observer);
  StreamConnection(const boost::asio::any_io_executor& executor, const StreamTarget& target, StreamObserver& observer);

  // Takes all; unsent() says how much waits. Only once connected.
  void Send(std::span<const uint8_t> octets);
  size_t unsent() const { return unsent_.size(); }
  // What was sent, and TLS's close_notify, still goes out, for a few seconds at most; the observer hears nothing more.
  void Close();

 private:
  void Connect();
  void HandleTcpConnected(boost::system::error_code error);
  void ReportConnected();
  void Read();
  void HandleRead(boost::system::error_code error, size_t size);
  void HandleCiphertext(std::span<const uint8_t> rest);
  bool HandleTlsEvents();
  void TakeCiphertext();
  void Write();
  void HandleWritten(boost::system::error_code error);
  void Fail(std::string reason);
  void Shut();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  StreamTarget target_;
  StreamObserver* observer_;  // nullptr: closing
  std::optional<dtls::StreamSession> tls_;
  std::vector<uint8_t> input_;
  std::vector<uint8_t> unsent_;
  std::vector<uint8_t> writing_;
};

}  // namespace jsp::transport::io
