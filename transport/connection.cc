#include "transport/connection.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "transport/signaling/client.h"
#include "transport/webrtc_session_restarter.h"

namespace jsp {

using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kFarewellTimeout(2);  // of something that nobody waits for

// RFC 9725: the client ends a session by a DELETE of its resource. Posted, as the loop may be going, too.
void Delete(const boost::asio::any_io_executor& executor, const std::string& session_url) {
  if (session_url.empty()) return;
  boost::asio::post(executor, [executor, session_url] {
    signaling::DeleteSession(executor, session_url, kFarewellTimeout, [](const auto&) {});
  });
}

}  // namespace

// One attempt: gather, offer over HTTP, answer, connect. Kept alive by its operations; the deadline ends them all.
struct ConnectionAttempt : std::enable_shared_from_this<ConnectionAttempt> {
  explicit ConnectionAttempt(Completion<error_code, Connection> completion) : done(std::move(completion)) {}

  void Start(const boost::asio::any_io_executor& executor, const std::string& text,
             ConnectionConfig connection_config) {
    config = std::move(connection_config);
    const auto parsed = signaling::ParseHttpUrl(text);
    if (!parsed) return Fail(TransportErrc::kSignalingFailed, parsed.error());
    url = *parsed;
    if (config.loopback_when_url_is_loopback && url.IsLoopback()) {
      config.webrtc.driver_options.interfaces.include_loopback = true;
    }
    auto& patience = config.webrtc.peer_options.ice.mobility.restart_patience;
    if (patience == Duration::zero()) patience = config.restart_patience;
    transport = std::make_unique<WebRtcTransport>(executor, config.webrtc);
    deadline.emplace(transport->get_executor(), config.timeout);
    deadline->async_wait([self = shared_from_this()](error_code error) {
      if (error || !self->done) return;
      self->Fail(TransportErrc::kTimedOut, "not connected within " + std::to_string(self->config.timeout.count()) +
                                               " ms; " + self->transport->core_->WhyNotConnected());
    });
    transport->async_initialize([self = shared_from_this()](error_code error) {
      if (error) return self->Fail(error, self->Detail());
      self->Offer();
    });
  }

  void Offer() {
    if (!done) return;
    if (config.prepare) config.prepare(*transport);
    const auto offer = transport->create_offer();
    if (!offer) return Fail(TransportErrc::kBadDescription, offer.error().message);
    signaling::PostOffer(transport->get_executor(), url, *offer, config.timeout,
                         [self = shared_from_this()](Expected<signaling::Answer, signaling::ClientError> answer) {
                           if (!self->done) return;
                           if (!answer) return self->Fail(answer.error().code, answer.error().message);
                           self->HandleAnswer(*answer);
                         });
  }

  void HandleAnswer(const signaling::Answer& answer) {
    session_url = answer.session_url;
    const auto applied = transport->set_remote_description(SdpType::kAnswer, answer.sdp);
    if (!applied) return Fail(TransportErrc::kBadDescription, "the server's answer: " + applied.error().message);
    transport->async_connect([self = shared_from_this()](error_code error) {
      if (!self->done) return;
      if (error) return self->Fail(error, self->Detail());
      self->Succeed();
    });
  }

  std::string Detail() const {
    return transport->error_detail().empty() ? transport->state_reason() : transport->error_detail();
  }
  void Succeed() {
    deadline->cancel();
    Connection connection;
    if (config.restart_patience > std::chrono::milliseconds::zero()) {
      connection.restarter_ = std::make_shared<SessionRestarter>(transport->core_, session_url);
      connection.restarter_->Start();
    }
    connection.transport_ = std::move(transport);
    connection.session_url_ = session_url;
    done.Complete({}, std::move(connection));
  }
  void Fail(error_code error, std::string message) {
    if (!done) return;
    if (deadline) deadline->cancel();
    Connection connection;
    connection.error_ = message.empty() ? error.message() : std::move(message);
    done.Complete(error, std::move(connection));
    if (transport) Delete(transport->get_executor(), session_url);
    transport.reset();
  }

  std::optional<boost::asio::steady_timer> deadline;  // on the transport's executor
  Completion<error_code, Connection> done;
  ConnectionConfig config;
  signaling::HttpUrl url;
  std::unique_ptr<WebRtcTransport> transport;
  std::string session_url;
};

Connection::Connection() = default;
Connection::Connection(Connection&&) noexcept = default;

Connection::~Connection() {
  if (transport_) Delete(transport_->get_executor(), session_url_);
}

Connection& Connection::operator=(Connection&& other) noexcept {
  Connection former(std::move(*this));
  transport_ = std::move(other.transport_);
  restarter_ = std::move(other.restarter_);
  error_ = std::move(other.error_);
  session_url_ = std::move(other.session_url_);
  return *this;
}

uint64_t Connection::restarts() const { return restarter_ ? restarter_->restarts() : 0; }

void Connection::Start(boost::asio::any_io_executor executor, std::string url, ConnectionConfig config,
                       Completion<error_code, Connection> done) {
  const auto attempt = std::make_shared<ConnectionAttempt>(std::move(done));
  attempt->Start(executor, url, std::move(config));
}

}  // namespace jsp
