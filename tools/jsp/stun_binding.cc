#include "tools/jsp/stun_binding.h"

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/stream_connection.h"
#include "transport/asio/system_rng.h"
#include "transport/connection_race.h"
#include "turn/stream_framer.h"

namespace jsp::tool {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;
using transport::io::Now;

std::string Describe(const stun::event::BindingFailed& failed) {
  const std::string server = failed.server.ToString();
  switch (failed.reason) {
    case stun::RequestFailure::kTimeout:
      return server + " does not answer; is it a STUN server, and is the way to it open?";
    case stun::RequestFailure::kUnreachable:
      return server + " is unreachable: nothing listens on that port, or a firewall refuses";
    case stun::RequestFailure::kErrorResponse:
      return server + " refuses: " + std::to_string(failed.error_code) + " " + failed.detail;
    case stun::RequestFailure::kChangeIgnored:
    case stun::RequestFailure::kMalformedResponse:
    case stun::RequestFailure::kUnknownRequiredAttribute:
      break;
  }
  return server + " answers with a bad response: " + failed.detail;
}

// The request to one address: drives a stun::Client over a connection that its subclasses have.
class Attempt {
 public:
  struct Owner {
    std::function<void(const Attempt&)> reached;  // somebody is there
    std::function<void(BindingOutcome)> done;     // the last call
  };
  Attempt(boost::asio::io_context& loop, const SocketAddress& server, const stun::RetransmitOptions& retransmit,
          Owner owner)
      : timer_(loop),
        rng_(transport::io::SystemRng()),
        client_({.retransmit = retransmit}, rng_),
        server_(server),
        owner_(std::move(owner)) {}
  virtual ~Attempt() = default;

 protected:
  virtual void Send(std::span<const uint8_t> datagram) = 0;
  void Ask(const SocketAddress& local) {
    local_ = local;
    (void)client_.StartBinding(Now(), local_, server_);
    Drain();
  }
  void HandleMessage(std::span<const uint8_t> message) {
    client_.HandleDatagram(Now(), local_, server_, message);
    Drain();
  }
  void HandleUnreachable() {
    client_.HandleUnreachable(Now(), local_, server_);
    Drain();
  }
  void HandleReached() { owner_.reached(*this); }
  void Finish(BindingOutcome outcome) { owner_.done(std::move(outcome)); }
  const SocketAddress& server() const { return server_; }

 private:
  void Drain() {
    std::array<uint8_t, 1500> out;
    while (const auto transmit = client_.PollTransmit(Now(), out)) Send(std::span(out).first(transmit->size));
    if (const auto event = client_.PollEvent()) {
      if (const auto* failed = std::get_if<stun::event::BindingFailed>(&*event)) {
        return Finish(Unexpected<std::string>(Describe(*failed)));
      }
      return Finish(std::get<stun::event::BindingSucceeded>(*event));
    }
    timer_.expires_at(transport::io::ToTimePoint(client_.NextTimeout()));
    timer_.async_wait([this](error_code error) {
      if (error) return;
      client_.HandleTimeout(Now());
      Drain();
    });
  }

  boost::asio::steady_timer timer_;
  Rng rng_;
  stun::Client client_;
  SocketAddress server_;
  SocketAddress local_;
  Owner owner_;
};

class UdpAttempt final : public Attempt {
 public:
  UdpAttempt(boost::asio::io_context& loop, const SocketAddress& server, Owner owner)
      : Attempt(loop, server, {}, std::move(owner)), socket_(loop) {}

  void Start() {
    error_code error;
    const auto remote = transport::io::ToEndpoint(server());
    socket_.open(remote.protocol(), error);
    // Connected, so that the system reports an ICMP error and drops what others send.
    if (!error) socket_.connect(remote, error);
    if (error) return Finish(Unexpected<std::string>("cannot reach " + server().ToString() + ": " + error.message()));
    Receive();
    Ask(transport::io::FromEndpoint(socket_.local_endpoint()));
  }

 private:
  void Receive() {
    socket_.async_receive(boost::asio::buffer(datagram_), [this](error_code error, size_t size) {
      if (error == boost::asio::error::operation_aborted) return;
      Receive();
      error ? HandleUnreachable() : HandleMessage(std::span(datagram_).first(size));
    });
  }
  void Send(std::span<const uint8_t> datagram) override {
    error_code ignored;  // the retransmission is the remedy
    socket_.send(boost::asio::buffer(datagram.data(), datagram.size()), 0, ignored);
  }

  udp::socket socket_;
  std::array<uint8_t, 1500> datagram_{};
};

// TCP or TLS (RFC 8489 §6.2.2, §6.2.3).
class StreamAttempt final : public Attempt, private transport::io::StreamObserver {
 public:
  StreamAttempt(boost::asio::io_context& loop, const SocketAddress& server, const BindingTarget& target, Owner owner)
      : Attempt(loop, server, stun::RetransmitOptions::Reliable(), std::move(owner)),
        stream_(transport::io::StreamConnection::Open(
            loop.get_executor(),
            {.server = server, .tls = target.tls, .host = target.host, .protocol = dtls::StreamProtocol::kNatDiscovery},
            *this)) {}
  ~StreamAttempt() override { stream_->Close(); }

 private:
  void HandleStreamConnected(const SocketAddress& local) override {
    HandleReached();
    Ask(local);
  }
  void HandleStreamReceived(std::span<const uint8_t> octets) override {
    while (const auto message = framer_.Next(octets)) HandleMessage(*message);
    if (framer_.error()) Finish(Unexpected<std::string>(server().ToString() + ": what it sends is not STUN"));
  }
  void HandleStreamFailed(std::string reason) override {
    Finish(Unexpected<std::string>(server().ToString() + ": " + reason));
  }
  void Send(std::span<const uint8_t> datagram) override { stream_->Send(datagram); }

  turn::StreamFramer framer_;
  std::shared_ptr<transport::io::StreamConnection> stream_;  // last: it calls the rest
};

// All attempts of one Binding. Attempts that are over stay until the end: they may be on the stack.
class BindingRun {
 public:
  BindingRun(boost::asio::io_context& loop, const BindingTarget& target)
      : loop_(loop), target_(target), timer_(loop), race_(target.servers.size()) {}

  BindingOutcome Run(Duration timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    race_.Start(Now());
    Advance();
    while (!outcome_ && std::chrono::steady_clock::now() < deadline) loop_.run_one_until(deadline);
    if (outcome_) return *outcome_;
    return Unexpected<std::string>(target_.servers.front().ToString() +
                                   " does not answer; is it a STUN server, and is the way to it open?");
  }

 private:
  void Advance() {
    while (const auto attempt = race_.PollAttempt(Now())) Begin(target_.servers[*attempt]);
    if (race_.NextTimeout() == Timestamp::Never()) return;
    timer_.expires_at(transport::io::ToTimePoint(race_.NextTimeout()));
    timer_.async_wait([this](error_code error) {
      if (!error && !outcome_) Advance();
    });
  }
  void Begin(const SocketAddress& server) {
    ++under_way_;
    Attempt::Owner owner{.reached = [this](const Attempt&) { race_.HandleWon(); },
                         .done = [this](BindingOutcome outcome) { HandleDone(std::move(outcome)); }};
    if (target_.kind == BindingTarget::Kind::kStream) {
      attempts_.push_back(std::make_unique<StreamAttempt>(loop_, server, target_, std::move(owner)));
      return;
    }
    auto udp = std::make_unique<UdpAttempt>(loop_, server, std::move(owner));
    UdpAttempt& started = *udp;
    attempts_.push_back(std::move(udp));
    started.Start();
  }
  // The first failure is the one of the preferred address.
  void HandleDone(BindingOutcome outcome) {
    --under_way_;
    if (outcome_) return;
    if (outcome) {
      outcome_ = std::move(outcome);
      return;
    }
    if (!first_failure_) first_failure_ = outcome.error();
    race_.HandleFailed(Now());
    if (under_way_ == 0 && !race_.has_more()) {
      outcome_ = Unexpected<std::string>(*first_failure_);
      return;
    }
    Advance();
  }

  boost::asio::io_context& loop_;
  const BindingTarget& target_;
  boost::asio::steady_timer timer_;
  transport::ConnectionRace race_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  size_t under_way_ = 0;
  std::optional<std::string> first_failure_;
  std::optional<BindingOutcome> outcome_;
};

}  // namespace

BindingOutcome RunBinding(boost::asio::io_context& loop, const BindingTarget& target, Duration timeout) {
  BindingOutcome outcome = BindingRun(loop, target).Run(timeout);
  loop.restart();
  loop.poll();  // what was sent last
  return outcome;
}

}  // namespace jsp::tool
