#include "transport/signaling/server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>

#include "transport/signaling/routes.h"

namespace jsp::signaling {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

}  // namespace

class HttpConnection;

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  Impl(asio::any_io_executor executor, const ServerOptions& server_options, Handler handle)
      : acceptor(executor), options(server_options), handler(std::move(handle)) {}
  std::string Open();
  void Accept();
  void Close();

  tcp::acceptor acceptor;
  ServerOptions options;
  Handler handler;  // empty once the server is gone
  ServerStats stats;
  std::string url;
  std::list<std::weak_ptr<HttpConnection>> connections;
};

// One client: reads a request, lets the resources answer, writes, again. Every wait has a deadline. Alive as long as
// one of its operations is under way.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(tcp::socket socket, const std::shared_ptr<Server::Impl>& server)
      : stream_(std::move(socket)), reply_timer_(stream_.get_executor()), server_(server) {}

  void WaitForRequest() {
    const auto server = server_.lock();
    if (!server) return;
    parser_.emplace();
    parser_->body_limit(server->options.max_body);
    parser_->header_limit(static_cast<std::uint32_t>(server->options.max_header));
    if (buffer_.size() > 0) return Read();  // the next request came with the last
    stream_.expires_after(server->options.idle_timeout);
    stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, size_t size) {
      if (error) return self->HandleReadError(error);
      self->buffer_.commit(size);
      self->Read();
    });
  }
  void Close() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.close();
    reply_timer_.cancel();
  }

 private:
  void Read() {
    const auto server = server_.lock();
    if (!server) return;
    stream_.expires_after(server->options.request_timeout);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
      if (error) return self->HandleReadError(error);
      self->HandleRequest();
    });
  }

  void HandleReadError(error_code error) {
    const auto server = server_.lock();
    if (!server) return;
    close_after_ = true;
    if (error == http::error::body_limit) {
      return Write(
          {.status = 413, .body = "the body is larger than " + std::to_string(server->options.max_body) + " octets"});
    }
    if (error == http::error::header_limit) return Write({.status = 431, .body = "the header is too large"});
    if (error == beast::error::timeout) {
      ++server->stats.timeouts;
      return Close();
    }
    if (error == asio::error::operation_aborted || error == http::error::end_of_stream || error == asio::error::eof ||
        error == asio::error::connection_reset || error == http::error::partial_message) {
      return Close();
    }
    Write({.status = 400, .body = "not an HTTP request: " + error.message()});
  }

  void HandleRequest() {
    const auto server = server_.lock();
    if (!server || !server->handler) return;
    ++server->stats.requests;
    auto& message = parser_->get();
    close_after_ = !message.keep_alive();
    version_ = message.version();
    const RequestView request{message.method_string(), message.target(), message[http::field::content_type],
                              message.body(), message[http::field::if_match]};
    StartReplyTimer(server->options.request_timeout);
    const uint64_t serial = ++serial_;
    const Handler handler = server->handler;  // it may destroy the server
    handler(request, [weak = weak_from_this(), serial](RoutedReply reply) {
      if (const auto self = weak.lock()) self->HandleReply(serial, std::move(reply));
    });
  }

  // Resources may take their time, not forever. The timer keeps the connection alive meanwhile.
  void StartReplyTimer(std::chrono::milliseconds timeout) {
    reply_timer_.expires_after(timeout);
    reply_timer_.async_wait([self = shared_from_this(), serial = serial_ + 1](error_code error) {
      if (error) return;
      self->close_after_ = true;
      self->HandleReply(serial, {.reply = {.status = 504, .body = "no answer in time"}});
    });
  }

  void HandleReply(uint64_t serial, RoutedReply reply) {
    if (serial != serial_ || serial == answered_) return;  // answered already
    answered_ = serial;
    reply_timer_.cancel();
    Write(std::move(reply.reply), reply.content_type, std::move(reply.allow));
  }

  void Write(Reply reply, std::string_view content_type = "text/plain; charset=utf-8", std::string allow = {}) {
    const auto server = server_.lock();
    if (!server) return;
    auto& response = response_.emplace(static_cast<http::status>(reply.status), version_);
    response.set(http::field::server, "jsp");
    if (!allow.empty()) response.set(http::field::allow, allow);
    if (reply.status == 201) response.set(http::field::location, "/session/" + reply.session_id);
    if (reply.retry_after_s > 0) response.set(http::field::retry_after, std::to_string(reply.retry_after_s));
    response.set(http::field::cache_control, "no-store");
    if (reply.status != 204) {
      response.set(http::field::content_type, beast::string_view(content_type.data(), content_type.size()));
      response.body() = std::move(reply.body);
    }
    response.keep_alive(!close_after_);
    response.prepare_payload();
    stream_.expires_after(server->options.request_timeout);
    http::async_write(stream_, response, [self = shared_from_this()](error_code error, size_t) {
      if (error || self->close_after_) return self->Close();
      self->WaitForRequest();
    });
  }

  beast::tcp_stream stream_;
  asio::steady_timer reply_timer_;
  std::weak_ptr<Server::Impl> server_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  unsigned version_ = 11;
  bool close_after_ = false;
  uint64_t serial_ = 0;
  uint64_t answered_ = 0;
};

// Empty, or why not.
std::string Server::Impl::Open() {
  const std::string where = options.host + ":" + std::to_string(options.port);
  error_code error;
  tcp::resolver resolver(acceptor.get_executor());
  const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) return "cannot listen on " + where + ": unknown host; use an address of this machine";
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return "cannot listen on " + where + ": another program does; choose another port, or 0 for a free one";
  }
  if (error) return "cannot listen on " + where + ": " + error.message();
  const auto local = acceptor.local_endpoint(error);
  options.port = local.port();
  const std::string host =
      local.address().is_v6() ? "[" + local.address().to_string() + "]" : local.address().to_string();
  url = "http://" + host + ":" + std::to_string(options.port);
  return {};
}

void Server::Impl::Accept() {
  acceptor.async_accept([weak = weak_from_this()](error_code error, tcp::socket socket) {
    const auto self = weak.lock();
    if (!self || error == asio::error::operation_aborted || !self->acceptor.is_open()) return;
    self->connections.remove_if([](const auto& connection) { return connection.expired(); });
    if (!error && self->connections.size() >= self->options.max_connections) {
      ++self->stats.connections_refused;
      error_code ignored;
      socket.close(ignored);
    } else if (!error) {
      ++self->stats.connections;
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      const auto connection = std::make_shared<HttpConnection>(std::move(socket), self);
      self->connections.push_back(connection);
      connection->WaitForRequest();
    }
    self->Accept();
  });
}

void Server::Impl::Close() {
  handler = nullptr;
  error_code ignored;
  acceptor.close(ignored);
  for (const auto& weak : connections) {
    if (const auto connection = weak.lock()) connection->Close();
  }
  connections.clear();
}

Expected<std::unique_ptr<Server>, std::string> Server::Listen(asio::any_io_executor executor,
                                                              const ServerOptions& options, Resources& resources) {
  return Listen(std::move(executor), options,
                [&resources](const RequestView& request, std::function<void(RoutedReply)> done) {
                  Route(resources, request, std::move(done));
                });
}

Expected<std::unique_ptr<Server>, std::string> Server::Listen(asio::any_io_executor executor,
                                                              const ServerOptions& options, Handler handler) {
  auto impl = std::make_shared<Impl>(std::move(executor), options, std::move(handler));
  if (std::string error = impl->Open(); !error.empty()) return Unexpected<std::string>(std::move(error));
  impl->Accept();
  return std::make_unique<Server>(std::move(impl));
}

Server::~Server() { impl_->Close(); }
const std::string& Server::url() const { return impl_->url; }
uint16_t Server::port() const { return impl_->options.port; }
const ServerStats& Server::stats() const { return impl_->stats; }

}  // namespace jsp::signaling
