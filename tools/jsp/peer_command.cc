#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "dtls/stream_context.h"
#include "tools/jsp/commands.h"
#include "tools/jsp/output.h"
#include "tools/jsp/peer_measurement.h"
#include "transport/webrtc_transport.h"

namespace jsp::tool {
namespace {

namespace json = boost::json;
using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::system::error_code;

constexpr size_t kMaxLine = 1 << 20;
constexpr auto kConnectTimeout = std::chrono::seconds(120);  // ICE's own comes first (RFC 8863 §3: 39.5 s)
constexpr std::string_view kGreeting = "natlab";
constexpr uint16_t kIceTcpPort = 443;  // one that firewalls let out to, where they let anything out

void Say(const json::object& line) {
  const std::string text = json::serialize(line) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Where the keys of DTLS are written, as other programs do, too; nullptr: nowhere.
const char* KeyLogFile() { return std::getenv("SSLKEYLOGFILE"); }

void SayFailed(const std::string& why) { Say({{"failed", why}}); }

std::string ToText(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// Throws when that is no certificate.
std::shared_ptr<const dtls::StreamContext> TrustOnly(const std::string& ca_pem) {
  auto context = dtls::StreamContext::ForClient({.ca_pem = ca_pem});
  if (!context) throw std::runtime_error("\"ca\": " + context.error());
  return *std::move(context);
}

// Throws what Boost.JSON throws.
WebRtcConfig ToConfig(const json::object& order) {
  WebRtcConfig config;
  config.connect_timeout = kConnectTimeout;
  config.data_channel_label = "natlab";
  if (ToText(order, "policy") == "relay") config.ice_transport_policy = IceTransportPolicy::kRelay;
  const auto* ice_tcp = order.if_contains("ice_tcp");
  if (ice_tcp != nullptr && *ice_tcp == true) {
    config.ice_tcp = transport::IceTcp::kBoth;
    config.driver_options.ice_tcp.ports = {kIceTcpPort, kIceTcpPort};
  }
  if (const auto* patience = order.if_contains("restart_patience_ms")) {
    config.peer_options.ice.mobility.restart_patience = std::chrono::milliseconds(patience->to_number<uint32_t>());
  }
  config.peer_options.collect_keylog = KeyLogFile() != nullptr;
  for (const auto& server : order.at("ice_servers").as_array()) {
    std::vector<std::string> turn;
    for (const auto& url : server.at("urls").as_array()) {
      const std::string text(url.as_string());
      if (text.starts_with("stun")) {
        config.stun_servers.push_back(text);
      } else {
        turn.push_back(text);
      }
    }
    if (turn.empty()) continue;
    config.turn_servers.push_back(
        {std::move(turn), ToText(server.as_object(), "username"), ToText(server.as_object(), "credential")});
    const std::string ca = ToText(server.as_object(), "ca");
    if (!ca.empty()) config.turn_servers.back().tls = TrustOnly(ca);
  }
  return config;
}

json::object PairOf(const transport::PeerStats& stats) {
  json::object pair;
  if (!stats.selected_pair) return pair;
  pair["local"] = ice::ToString(stats.selected_pair->local.type);
  pair["remote"] = ice::ToString(stats.selected_pair->remote.type);
  if (stats.selected_pair->local.protocol != ice::TransportProtocol::kUdp) pair["protocol"] = "tcp";
  if (const char* relay = transport::RelayProtocolName(stats.selected_relay)) pair["relay_protocol"] = relay;
  return pair;
}

Message MakeText(std::string_view text) { return {MessageKind::kString, {text.begin(), text.end()}}; }

// The end of a cell of the NAT lab: does as the lines on its standard input say.
class LabPeer {
 public:
  explicit LabPeer(boost::asio::io_context& loop) : loop_(loop), input_(loop, ::dup(0)) {}

  awaitable<void> Run() {
    for (;;) {
      error_code error;
      const size_t size = co_await boost::asio::async_read_until(input_, boost::asio::dynamic_buffer(buffer_, kMaxLine),
                                                                 '\n', redirect_error(use_awaitable, error));
      if (error) break;
      const std::string line = buffer_.substr(0, size);
      buffer_.erase(0, size);
      const auto value = json::parse(line, error);
      if (error || !value.is_object()) {
        SayFailed("what was said is no JSON object: " + line);
        break;
      }
      if (ToText(value.as_object(), "do") == "stop") break;
      co_await Obey(value.as_object());
    }
    loop_.stop();
  }

 private:
  awaitable<void> Obey(const json::object& order) {
    const std::string what = ToText(order, "do");
    if (what == "gather") {
      co_await Gather(order);
    } else if (!transport_) {
      SayFailed("\"gather\" comes first, not \"" + what + "\"");
    } else if (what == "offer") {
      SayDescription("offer", transport_->create_offer());
      StartTalk(true);
    } else if (what == "answer") {
      trickles_ = round_ > 0;
      if (!Take(SdpType::kOffer, ToText(order, "offer"))) co_return;
      SayDescription("answer", transport_->create_answer());
      if (round_++ == 0) StartTalk(false);
    } else if (what == "accept") {
      (void)Take(SdpType::kAnswer, ToText(order, "answer"));
    } else if (what == "candidate") {
      (void)transport_->add_remote_candidate(ToText(order, "candidate"));
    } else if (what == "restart") {
      trickles_ = true;
      if (const auto error = transport_->restart_ice()) co_return SayFailed("restart: " + transport_->error_detail());
      SayDescription("offer", transport_->create_offer());
    } else if (what == "say") {
      Message message = MakeText(ToText(order, "text"));
      error_code error;
      co_await transport_->async_send(std::move(message), redirect_error(use_awaitable, error));
    } else if (what == "measure") {
      co_await Measure(order.at("pings").to_number<size_t>(), order.at("octets").to_number<size_t>());
    } else if (what == "stats") {
      SayStats();
    } else {
      SayFailed("nobody knows how to do \"" + what + "\"");
    }
  }

  awaitable<void> Measure(size_t pings, size_t octets) {
    measurement_.emplace(loop_, *transport_);
    json::object measured = co_await measurement_->Run(pings, octets);
    json::object line;
    line["measured"] = std::move(measured);
    Say(line);
  }

  awaitable<void> Gather(const json::object& order) {
    try {
      transport_.emplace(loop_.get_executor(), ToConfig(order));
    } catch (const std::exception& error) {
      SayFailed(std::string("gather: ") + error.what());
      co_return;
    }
    transport_->on_state_change([this](ConnectionState state, const std::string& reason) {
      WriteKeys();
      if (state == ConnectionState::kConnected) Say({{"connected", PairOf(transport_->stats())}});
      if (state == ConnectionState::kCompleted) Say({{"nominated", PairOf(transport_->stats())}});
      if (state == ConnectionState::kDisconnected) Say({{"disconnected", reason}});
      if (state == ConnectionState::kFailed) SayFailed(reason);
    });
    transport_->on_selected_pair([](const ice::Candidate& local, const ice::Candidate& remote) {
      Say({{"selected", {{"local", ice::ToString(local.type)}, {"remote", ice::ToString(remote.type)}}}});
    });
    began_at_ = std::chrono::steady_clock::now();
    transport_->on_channel([this](DataChannel channel) {
      boost::asio::co_spawn(loop_, PeerMeasurement::TakeBulk(channel), boost::asio::detached);
    });
    // At first all are in the description.
    transport_->on_local_candidate([this](const std::string& line) {
      if (trickles_) Say({{"candidate", line}});
    });
    error_code error;
    co_await transport_->async_initialize(redirect_error(use_awaitable, error));
    if (error) SayFailed("gather: " + transport_->error_detail());
  }

  bool Take(SdpType type, const std::string& sdp) {
    const auto taken = transport_->set_remote_description(type, sdp);
    if (!taken) SayFailed("the description: " + taken.error().message);
    return taken.has_value();
  }

  static void SayDescription(const char* what, const Expected<std::string, DescriptionError>& sdp) {
    if (sdp) {
      Say({{what, *sdp}});
    } else {
      SayFailed(std::string(what) + ": " + sdp.error().message);
    }
  }

  void WriteKeys() {
    const std::string lines = transport_->take_key_log();
    if (!lines.empty()) std::ofstream(KeyLogFile(), std::ios::app) << lines;
  }

  void StartTalk(bool is_first) { boost::asio::co_spawn(loop_, Talk(is_first), boost::asio::detached); }

  // The offering side greets, the other one sends back what it gets.
  awaitable<void> Talk(bool is_first) {
    error_code error;
    co_await transport_->async_connect(redirect_error(use_awaitable, error));
    if (error) co_return;
    opened_at_ = std::chrono::steady_clock::now();
    if (is_first) {
      co_await transport_->async_send(MakeText(kGreeting), redirect_error(use_awaitable, error));
    }
    while (!error) {
      Message message = co_await transport_->async_receive(redirect_error(use_awaitable, error));
      if (error) co_return;
      if (message.kind == MessageKind::kString) {
        Say({{is_first ? "echo" : "message", std::string(message.text())}});
      } else if (measurement_) {
        measurement_->HandleEcho();
      }
      if (!is_first) co_await transport_->async_send(std::move(message), redirect_error(use_awaitable, error));
    }
  }

  void SayStats() {
    const auto stats = transport_->stats();
    json::object line = PairOf(stats);
    line["checks_sent"] = stats.ice.checks_sent;
    line["bytes_sent"] = stats.demux.bytes_sent;
    const auto add = [&](const char* name, const std::optional<Duration>& at) {
      if (at) line[name] = static_cast<double>(at->count()) / 1000.0;
    };
    line["cpu_ms"] = ProcessCpuMilliseconds();
    if (opened_at_) add("open_ms", std::chrono::duration_cast<Duration>(*opened_at_ - began_at_));
    add("gathered_ms", stats.timings.gathered);
    add("first_valid_ms", stats.timings.ice_connected);
    add("dtls_ms", stats.timings.dtls_connected);
    Say({{"stats", std::move(line)}});
  }

  boost::asio::io_context& loop_;
  boost::asio::posix::stream_descriptor input_;
  std::string buffer_;
  std::optional<WebRtcTransport> transport_;
  std::optional<PeerMeasurement> measurement_;
  std::chrono::steady_clock::time_point began_at_;
  std::optional<std::chrono::steady_clock::time_point> opened_at_;  // the channel
  size_t round_ = 0;                                                // of signalling, as the answering side
  bool trickles_ = false;                                           // in a round of a restart
};

int RunPeer() {
  boost::asio::io_context loop(1);
  LabPeer peer(loop);
  boost::asio::co_spawn(loop, peer.Run(), boost::asio::detached);
  loop.run();
  return kExitDone;
}

}  // namespace

void AddPeerCommand(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("peer", "a peer that jsp natlab --engine netns leads by its standard input");
  command->callback([&exit_code] { exit_code = RunPeer(); });
}

}  // namespace jsp::tool
