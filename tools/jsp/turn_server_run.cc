#include "tools/jsp/turn_server_run.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "tools/jsp/output.h"
#include "tools/jsp/turn_server_fleet.h"
#include "tools/jsp/turn_server_metrics.h"
#include "tools/jsp/turn_server_reload.h"
#include "transport/signaling/server.h"

namespace jsp::tool {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Loader = std::function<Expected<TurnServerConfig, std::string>()>;

constexpr auto kDrainPoll = std::chrono::milliseconds(100);
constexpr size_t kMetricsConnections = 16;  // a scraper needs one
constexpr size_t kMetricsHeader = 4096;
constexpr size_t kMetricsBody = 1;  // GET has none
constexpr auto kMetricsDeadline = std::chrono::seconds(5);

// nullopt: nothing is listened on with TLS.
Expected<std::optional<TurnCertificate>, std::string> ReadCertificate(const TurnServerConfig& config) {
  const bool has_tls = std::ranges::any_of(
      config.listen, [](const TurnListenAddress& listen) { return listen.transport == turn::ControlTransport::kTls; });
  if (!has_tls) return std::nullopt;
  auto chain = ReadFile(config.tls.certificate_file);
  if (!chain) return Unexpected<std::string>("--cert " + chain.error());
  auto key = ReadFile(config.tls.key_file);
  if (!key) return Unexpected<std::string>("--key " + key.error());
  return TurnCertificate{std::move(*chain), std::move(*key)};
}

// A server that runs: signals, reloads, the drain, and the metrics' endpoint, all on the thread that owns it.
class RunningTurnServer {
 public:
  RunningTurnServer(asio::io_context& loop, TurnServerConfig config, Loader load)
      : loop_(&loop),
        config_(std::move(config)),
        load_(std::move(load)),
        signals_(loop, SIGINT, SIGTERM, SIGHUP),
        drain_timer_(loop) {}

  Expected<void, std::string> Open() {
    auto certificate = ReadCertificate(config_);
    if (!certificate) return Unexpected<std::string>(certificate.error());
    certificate_ = std::move(*certificate);
    auto fleet = TurnFleet::Open(config_, certificate_);
    if (!fleet) return Unexpected<std::string>(fleet.error());
    fleet_ = std::move(*fleet);
    if (!config_.operation.metrics) return {};
    const signaling::ServerOptions options{.host = config_.operation.metrics->host,
                                           .port = config_.operation.metrics->port,
                                           .max_body = kMetricsBody,
                                           .max_header = kMetricsHeader,
                                           .max_connections = kMetricsConnections,
                                           .request_timeout = kMetricsDeadline};
    auto endpoint =
        signaling::Server::Listen(loop_->get_executor(), options,
                                  [this](const signaling::RequestView& request,
                                         std::function<void(signaling::RoutedReply)> done) { done(Answer(request)); });
    if (!endpoint) return Unexpected<std::string>("--metrics: " + endpoint.error());
    endpoint_ = std::move(*endpoint);
    return {};
  }

  void Start() {
    fleet_->Start();
    std::string lines;
    for (const auto& listen : fleet_->listening()) lines += "listening on " + listen.ToString() + "\n";
    if (endpoint_) lines += "metrics on " + endpoint_->url() + "/metrics\n";
    HumanText(false).Print(lines);
    WaitForSignal();
  }

 private:
  void WaitForSignal() {
    signals_.async_wait([this](error_code error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        Reload();
      } else if (draining_) {
        return loop_->stop();
      } else {
        Drain();
      }
      WaitForSignal();
    });
  }

  void Reload() {
    const auto report = TryReload();
    if (report) {
      HumanText(false).Print("reloaded: " + *report + "\n");
    } else {
      (void)Fail("nothing was reloaded: " + report.error());
    }
  }

  Expected<std::string, std::string> TryReload() {
    const auto wanted = load_();
    if (!wanted) return Unexpected<std::string>(wanted.error());
    auto plan = PlanReload(config_, *wanted);
    if (!plan) return Unexpected<std::string>(plan.error());
    auto certificate = ReadCertificate(plan->config);
    if (!certificate) return Unexpected<std::string>(certificate.error());
    const bool changed = *certificate != certificate_;
    const auto reloaded = fleet_->Reload(plan->config, changed ? *certificate : std::nullopt);
    if (!reloaded) return Unexpected<std::string>(reloaded.error());
    certificate_ = std::move(*certificate);
    config_ = std::move(plan->config);
    return plan->report + (changed ? "; the certificate is a new one" : "");
  }

  void Drain() {
    draining_ = true;
    fleet_->Drain(config_.operation.drain_alternates);
    deadline_ = std::chrono::steady_clock::now() + config_.operation.drain_time;
    const size_t allocations = fleet_->totals().allocations;
    if (allocations > 0) {
      HumanText(false).Print(Format("draining, allocations left: %zu; for %lld s at most, or until another signal\n",
                                    allocations, static_cast<long long>(config_.operation.drain_time.count())));
    }
    AwaitDrained();
  }

  void AwaitDrained() {
    if (fleet_->totals().allocations == 0 || std::chrono::steady_clock::now() >= deadline_) return loop_->stop();
    drain_timer_.expires_after(kDrainPoll);
    drain_timer_.async_wait([this](error_code error) {
      if (!error) AwaitDrained();
    });
  }

  signaling::RoutedReply Answer(const signaling::RequestView& request) {
    const std::string_view path = request.target.substr(0, request.target.find('?'));
    if (path != "/metrics" && path != "/healthz") {
      return {.reply = {.status = 404, .body = "there are /metrics and /healthz\n"}};
    }
    if (request.method != "GET") {
      return {.reply = {.status = 405, .body = "this resource takes GET\n"}, .allow = "GET"};
    }
    if (path == "/healthz") {
      return draining_ ? signaling::RoutedReply{.reply = {.status = 503, .body = "draining\n"}}
                       : signaling::RoutedReply{.reply = {.body = "ok\n"}};
    }
    MetricsText text;
    text.Gauge("jsp_turn_draining", "1 while no new allocations are given", draining_ ? 1 : 0);
    WriteTurnMetrics(fleet_->totals(), text);
    return {.reply = {.body = text.Take()}, .content_type = "text/plain; version=0.0.4; charset=utf-8"};
  }

  asio::io_context* loop_;
  TurnServerConfig config_;
  Loader load_;
  std::optional<TurnCertificate> certificate_;
  asio::signal_set signals_;
  asio::steady_timer drain_timer_;
  std::chrono::steady_clock::time_point deadline_;
  bool draining_ = false;
  std::unique_ptr<TurnFleet> fleet_;
  std::unique_ptr<signaling::Server> endpoint_;
};

// What is no error, and yet may not be meant.
void PrintNotes(const TurnServerConfig& config) {
  std::string notes;
  if (config.access.users.empty() && config.access.shared_secrets.empty()) {
    notes += "note: neither user nor shared-secret is set, so nobody can relay; STUN works\n";
  }
  HumanText(true).Print(notes);
}

}  // namespace

int RunTurnServer(const TurnServerConfig& config, Loader load) {
  asio::io_context loop(1);
  RunningTurnServer server(loop, config, std::move(load));
  if (const auto opened = server.Open(); !opened) return Fail(opened.error());
  PrintNotes(config);
  server.Start();
  loop.run();
  return kExitDone;
}

}  // namespace jsp::tool
