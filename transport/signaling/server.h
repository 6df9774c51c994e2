#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/expected.h"
namespace jsp::signaling {

// What an offer or another request came to. `status` is an HTTP status; `body` one line, or the SDP answer of a 201.
struct Reply {
  unsigned status = 200;
  std::string body = {};
  std::string session_id = {};  // of a 201
  unsigned retry_after_s = 0;
};

// What stands behind the HTTP resources; all calls on the server's executor.
class Resources {
 public:
  virtual ~Resources() = default;
  // `done` may be called later, once; not calling it leaves the request to its timeout.
  virtual void HandleOffer(std::string sdp, std::function<void(Reply)> done) = 0;
  virtual Reply HandleFragment(std::string_view session_id, std::string_view fragment) = 0;
  // An ICE restart of the peer's (RFC 9725): 200 with our fragment, or a refusal. The same one may come again.
  virtual void HandleRestart(std::string_view session_id, std::string_view fragment,
                             std::function<void(Reply)> done) = 0;
  virtual Reply HandleDelete(std::string_view session_id) = 0;
  virtual std::string StatsJson() = 0;
  virtual std::string Page() = 0;  // HTML of GET /
};

// One HTTP request, as far as a handler cares.
struct RequestView {
  std::string_view method;
  std::string_view target;        // origin-form (RFC 9112)
  std::string_view content_type;  // with parameters
  std::string_view body;
  std::string_view if_match = {};  // RFC 9110 §13.1.1
};

struct RoutedReply {
  Reply reply;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string allow = {};  // methods of the resource, of a 405
};

// Answers a request; `done` is called once, now or later, on the server's executor. The request's views end with the
// call.
using Handler = std::function<void(const RequestView& request, std::function<void(RoutedReply)> done)>;

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: a free one
  size_t max_body = 64 * 1024;
  size_t max_header = 8 * 1024;
  size_t max_connections = 256;
  // From the first octet of a request to its last, and from there to the next request: a slow client is cut off.
  std::chrono::milliseconds request_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(60);
};

struct ServerStats {
  uint64_t connections = 0;
  uint64_t connections_refused = 0;
  uint64_t requests = 0;
  uint64_t timeouts = 0;
};

// The signalling endpoint over HTTP/1.1 (the resource shape of WHIP, RFC 9725): POST /offer, PATCH and DELETE
// /session/ID, GET / and GET /stats. Owns its acceptor and connections, not the Resources, which must outlive it.
class Server {
 public:
  static Expected<std::unique_ptr<Server>, std::string> Listen(boost::asio::any_io_executor executor,
                                                               const ServerOptions& options, Resources& resources);
  // Any other resources over the same bounded HTTP: those of the TURN server's metrics, for one.
  static Expected<std::unique_ptr<Server>, std::string> Listen(boost::asio::any_io_executor executor,
                                                               const ServerOptions& options, Handler handler);
  ~Server();
  const std::string& url() const;  // "http://127.0.0.1:8080"
  uint16_t port() const;
  const ServerStats& stats() const;

  struct Impl;
  explicit Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace jsp::signaling
