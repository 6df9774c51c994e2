#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "transport/webrtc_transport.h"
namespace jsp {

struct ConnectionConfig {
  WebRtcConfig webrtc;
  std::chrono::milliseconds timeout = std::chrono::seconds(30);  // of signalling and connecting together
  // When the network changes, ICE is restarted over the session's URL (RFC 9725), unless it follows by itself. So long
  // does the connection wait for it, with its channels, where nothing gets through any more; 0: not at all.
  std::chrono::milliseconds restart_patience = std::chrono::seconds(30);
  // Loopback candidates are offered too when the URL's host is this host; needed to reach a server bound to 127.0.0.1.
  bool loopback_when_url_is_loopback = true;
  // Sees the transport before it offers, on its executor: to set handlers, or to open channels.
  std::function<void(WebRtcTransport&)> prepare;
};

// A connected WebRtcTransport whose offer and answer went over HTTP (the resource shape of WHIP, RFC 9725). Owns
// the transport; destroying it deletes the session at the server, best effort: it does not wait for the answer.
class Connection {
 public:
  Connection();
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // void(error_code, Connection). `url`: "http://host:port" (then "/offer" is added) or the full address of the offer
  // resource. On failure the Connection holds only error(), one line that says what and what to do.
  template <class Token>
  static auto async_connect(boost::asio::any_io_executor executor, std::string url, ConnectionConfig config,
                            Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, Connection)>(
        [](auto handler, boost::asio::any_io_executor ex, std::string u, ConnectionConfig c) {
          Start(ex, std::move(u), std::move(c), {std::move(handler), ex});
        },
        token, std::move(executor), std::move(url), std::move(config));
  }

  explicit operator bool() const { return transport_ != nullptr; }
  WebRtcTransport& transport() { return *transport_; }
  WebRtcTransport* operator->() { return transport_.get(); }
  const std::string& error() const { return error_; }
  const std::string& session_url() const { return session_url_; }
  uint64_t restarts() const;  // of ICE, begun by us

 private:
  friend struct ConnectionAttempt;
  static void Start(boost::asio::any_io_executor executor, std::string url, ConnectionConfig config,
                    Completion<boost::system::error_code, Connection> done);

  std::unique_ptr<WebRtcTransport> transport_;
  std::shared_ptr<class SessionRestarter> restarter_;
  std::string error_;
  std::string session_url_;
};

}  // namespace jsp
