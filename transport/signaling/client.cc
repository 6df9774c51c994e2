#include "transport/signaling/client.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <memory>
#include <utility>

#include "base/socket_address.h"
#include "transport/asio/error_category.h"

namespace jsp::signaling {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr size_t kMaxBody = 256 * 1024;  // of a response; an answer is below 64 KiB

struct Request {
  http::verb verb;
  std::string content_type;
  std::string body;
  std::chrono::milliseconds timeout;
  std::string if_match = {};
};
struct Response {
  unsigned status = 0;
  std::string body;
  std::string location;
  std::string retry_after;
};
using Done = std::function<void(Expected<Response, ClientError>)>;

std::string HostPort(const HttpUrl& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  return (v6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
}

// The first line, printable and short: it goes into one line of ours.
std::string OneLine(std::string_view body) {
  std::string line;
  for (const char c : body.substr(0, 300)) {
    if (c == '\n' || c == '\r') break;
    line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return line;
}

// One request on a connection of its own; kept alive by its operations.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(const asio::any_io_executor& executor, HttpUrl url, Request request, Done done)
      : url_(std::move(url)),
        timeout_(request.timeout),
        done_(std::move(done)),
        resolver_(executor),
        deadline_(executor),
        stream_(executor),
        request_(request.verb, url_.path, 11, std::move(request.body)) {
    request_.set(http::field::host, HostPort(url_));
    request_.set(http::field::user_agent, "jsp");
    if (!request.content_type.empty()) request_.set(http::field::content_type, request.content_type);
    if (!request.if_match.empty()) request_.set(http::field::if_match, request.if_match);
    request_.keep_alive(false);
    request_.prepare_payload();
    parser_.body_limit(kMaxBody);
  }

  void Start() {
    deadline_.expires_after(timeout_);
    deadline_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->Fail(asio::error::timed_out);
    });
    resolver_.async_resolve(url_.host, std::to_string(url_.port),
                            [self = shared_from_this()](error_code error, tcp::resolver::results_type results) {
                              if (error) return self->Fail(error);
                              self->Connect(results);
                            });
  }

 private:
  void Connect(const tcp::resolver::results_type& results) {
    step_ = Step::kConnect;
    stream_.async_connect(results, [self = shared_from_this()](error_code error, const tcp::endpoint&) {
      if (error) return self->Fail(error);
      self->Write();
    });
  }
  void Write() {
    step_ = Step::kTalk;
    error_code ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
    http::async_write(stream_, request_, [self = shared_from_this()](error_code error, size_t) {
      if (error) return self->Fail(error);
      http::async_read(self->stream_, self->buffer_, self->parser_,
                       [self](error_code read_error, size_t) { self->Finish(read_error); });
    });
  }
  void Finish(error_code error) {
    if (error) return Fail(error);
    auto& message = parser_.get();
    Response response;
    response.status = message.result_int();
    response.location = std::string(message[http::field::location]);
    response.retry_after = std::string(message[http::field::retry_after]);
    response.body = std::move(message.body());
    Complete(std::move(response));
  }
  void Fail(error_code error) {
    const std::string where = HostPort(url_);
    ClientError failure{error, 0, {}};
    if (error == asio::error::timed_out) {
      failure.message = "no answer from " + where + " within " + std::to_string(timeout_.count()) +
                        " ms; is it the right address, and does a firewall let it through?";
    } else if (step_ == Step::kResolve) {
      failure.message = "cannot resolve \"" + url_.host + "\" (" + error.message() + "); check the name";
    } else if (error == asio::error::connection_refused) {
      failure.message = "nothing listens on " + where + "; start \"jsp serve --http " + where + "\" there";
    } else if (step_ == Step::kConnect) {
      failure.message = "cannot connect to " + where + " (" + error.message() + "); check address and network";
    } else {
      failure.message = where + " does not talk HTTP as expected (" + error.message() + "); is it \"jsp serve\"?";
    }
    Complete(Unexpected<ClientError>(std::move(failure)));
  }
  void Complete(Expected<Response, ClientError> result) {
    if (!done_) return;
    deadline_.cancel();
    resolver_.cancel();
    stream_.close();
    std::exchange(done_, nullptr)(std::move(result));
  }

  enum class Step : uint8_t { kResolve, kConnect, kTalk };
  HttpUrl url_;
  std::chrono::milliseconds timeout_;
  Done done_;
  tcp::resolver resolver_;
  asio::steady_timer deadline_;
  beast::tcp_stream stream_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  Step step_ = Step::kResolve;
};

ClientError RefusedBy(const HttpUrl& url, const Response& response) {
  std::string message = HostPort(url) + " answered " + std::to_string(response.status);
  if (const std::string line = OneLine(response.body); !line.empty()) message += ": " + line;
  if (!response.retry_after.empty()) message += "; try again in " + OneLine(response.retry_after) + " s";
  if (response.status == 404) message += "; is " + url.path + " the offer's address?";
  return {TransportErrc::kSignalingFailed, response.status, std::move(message)};
}

void FailLater(const asio::any_io_executor& executor, std::string message, Done done) {
  asio::post(executor, [m = std::move(message), d = std::move(done)] {
    d(Unexpected<ClientError>({TransportErrc::kSignalingFailed, 0, m}));
  });
}

// What is not 2xx is an error.
void ChangeSession(const asio::any_io_executor& executor, const std::string& session_url, Request request, Done done) {
  const auto url = ParseHttpUrl(session_url);
  if (!url) return FailLater(executor, url.error(), std::move(done));
  const auto finish = [u = *url, d = std::move(done)](Expected<Response, ClientError> response) {
    if (response && response->status / 100 != 2) return d(Unexpected<ClientError>(RefusedBy(u, *response)));
    d(std::move(response));
  };
  std::make_shared<Exchange>(executor, *url, std::move(request), finish)->Start();
}

Done WithoutBody(std::function<void(Expected<void, ClientError>)> done) {
  return [d = std::move(done)](Expected<Response, ClientError> response) {
    if (!response) return d(Unexpected<ClientError>(std::move(response.error())));
    d({});
  };
}

}  // namespace

bool HttpUrl::IsLoopback() const {
  const auto ip = IpAddress::Parse(host);
  return host == "localhost" || (ip && ip->IsLoopback());
}

Expected<HttpUrl, std::string> ParseHttpUrl(std::string_view text) {
  const auto refuse = [&](const char* why) {
    return Unexpected<std::string>("\"" + OneLine(text) + "\": " + why + "; use http://HOST:PORT");
  };
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return refuse("not a URL");
  if (parsed->scheme() == "https") return refuse("https is not available in this version");
  if (parsed->scheme() != "http") return refuse("not an http URL");
  HttpUrl url;
  url.host = std::string(parsed->encoded_host_address().data(), parsed->encoded_host_address().size());
  if (url.host.empty()) return refuse("no host");
  if (parsed->has_userinfo()) return refuse("user names are not supported");
  if (parsed->has_port() && !parsed->port().empty()) {
    const std::string port(parsed->port().data(), parsed->port().size());
    const auto read = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (read.ec != std::errc() || url.port == 0) return refuse("the port is not between 1 and 65535");
  }
  const std::string path(parsed->encoded_path().data(), parsed->encoded_path().size());
  if (!path.empty() && path != "/") url.path = path;
  if (parsed->has_query())
    url.path += "?" + std::string(parsed->encoded_query().data(), parsed->encoded_query().size());
  return url;
}

void PostOffer(const asio::any_io_executor& executor, const HttpUrl& url, std::string sdp,
               std::chrono::milliseconds timeout, std::function<void(Expected<Answer, ClientError>)> done) {
  const auto finish = [url, d = std::move(done)](Expected<Response, ClientError> response) {
    if (!response) return d(Unexpected<ClientError>(response.error()));
    if (response->status != 201) return d(Unexpected<ClientError>(RefusedBy(url, *response)));
    Answer answer{std::move(response->body), response->location};
    // RFC 9725 has a URI reference; ours and most are an absolute path.
    if (answer.session_url.starts_with('/')) answer.session_url = "http://" + HostPort(url) + answer.session_url;
    d(std::move(answer));
  };
  Request request{http::verb::post, "application/sdp", std::move(sdp), timeout};
  std::make_shared<Exchange>(executor, url, std::move(request), finish)->Start();
}

void PatchSession(const asio::any_io_executor& executor, const std::string& session_url, std::string fragment,
                  std::chrono::milliseconds timeout, std::function<void(Expected<void, ClientError>)> done) {
  ChangeSession(executor, session_url,
                {http::verb::patch, "application/trickle-ice-sdpfrag", std::move(fragment), timeout},
                WithoutBody(std::move(done)));
}

void RestartSession(const asio::any_io_executor& executor, const std::string& session_url, std::string fragment,
                    std::chrono::milliseconds timeout, std::function<void(Expected<std::string, ClientError>)> done) {
  ChangeSession(executor, session_url,
                {http::verb::patch, "application/trickle-ice-sdpfrag", std::move(fragment), timeout, "*"},
                [d = std::move(done)](Expected<Response, ClientError> response) {
                  if (!response) return d(Unexpected<ClientError>(std::move(response.error())));
                  d(std::move(response->body));
                });
}

void DeleteSession(const asio::any_io_executor& executor, const std::string& session_url,
                   std::chrono::milliseconds timeout, std::function<void(Expected<void, ClientError>)> done) {
  ChangeSession(executor, session_url, {http::verb::delete_, {}, {}, timeout}, WithoutBody(std::move(done)));
}

}  // namespace jsp::signaling
