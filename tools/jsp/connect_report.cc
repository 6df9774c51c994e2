#include "tools/jsp/connect_report.h"

#include <boost/json.hpp>
#include <cmath>

#include "tools/jsp/output.h"

namespace jsp::tool {
namespace {

namespace json = boost::json;

double Rounded(double value) { return std::round(value * 1000) / 1000; }
double Milliseconds(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

template <class D>
json::value Maybe(const std::optional<D>& d) {
  return d ? json::value(Rounded(Milliseconds(std::chrono::duration_cast<Duration>(*d)))) : json::value(nullptr);
}
json::value Maybe(const std::optional<double>& ms) { return ms ? json::value(Rounded(*ms)) : json::value(nullptr); }

json::object CandidateJson(const ice::Candidate& candidate, const char* relay_protocol) {
  const bool is_udp = candidate.protocol == ice::TransportProtocol::kUdp;
  return {{"type", ice::ToString(candidate.type)},
          {"protocol", is_udp ? "udp" : "tcp"},
          {"relay_protocol", relay_protocol != nullptr ? json::value(relay_protocol) : json::value(nullptr)},
          {"address", candidate.address.ip.ToString()},
          {"port", candidate.address.port}};
}

double MegabytesPerSecond(const JobResult& job) {
  return job.seconds > 0 ? static_cast<double>(job.bytes) / 1e6 / job.seconds : 0;
}

json::object TimingsJson(const ConnectReport& report) {
  const transport::Timings timings = report.stats ? report.stats->timings : transport::Timings();
  return {{"gathered", Maybe(timings.gathered)},
          {"first_check", Maybe(timings.first_check)},
          {"ice_connected", Maybe(timings.ice_connected)},
          {"dtls_connected", Maybe(timings.dtls_connected)},
          {"sctp_connected", Maybe(timings.sctp_connected)},
          {"channel_open", Maybe(report.channel_open_ms)},
          {"first_message", Maybe(report.first_message_ms)}};
}

std::string CandidateText(const ice::Candidate& candidate) {
  return std::string(ice::ToString(candidate.type)) + " " + candidate.address.ToString();
}

}  // namespace

std::string ToJson(const ConnectReport& report) {
  json::object document;
  document["ok"] = report.ok;
  document["state"] = report.state;
  document["timings_ms"] = TimingsJson(report);
  document["selected_pair"] = nullptr;
  if (report.stats && report.stats->selected_pair) {
    const auto& pair = *report.stats->selected_pair;
    document["selected_pair"] = {
        {"local", CandidateJson(pair.local, transport::RelayProtocolName(report.stats->selected_relay))},
        {"remote", CandidateJson(pair.remote, nullptr)},
        {"rtt_ms", Rounded(Milliseconds(pair.rtt))}};
  }
  document["ice_restarts"] = report.ice_restarts;
  document["job"] = nullptr;
  if (report.job) {
    document["job"] = {{"bytes", report.job->bytes},
                       {"messages", report.job->messages},
                       {"seconds", Rounded(report.job->seconds)},
                       {"mbytes_per_s", Rounded(MegabytesPerSecond(*report.job))},
                       {"gap_ms", Maybe(report.job->gap)},
                       {"sha256", report.job->sha256.empty() ? json::value(nullptr) : json::value(report.job->sha256)}};
  }
  document["error"] = report.error.empty() ? json::value(nullptr) : json::value(report.error);
  return json::serialize(document) + "\n";
}

std::string ToText(const ConnectReport& report) {
  if (!report.stats) return {};
  std::string text = "state " + report.state + "\n";
  if (const auto& pair = report.stats->selected_pair) {
    text += CandidateText(pair->local) + " - " + CandidateText(pair->remote) +
            Format(", round trip %.3f ms\n", Milliseconds(pair->rtt));
  }
  if (report.channel_open_ms) text += Format("channel open after %.1f ms\n", *report.channel_open_ms);
  if (report.job) {
    text += Format(
        "%llu octets in %llu messages, %.3f s, %.1f MB/s\n", static_cast<unsigned long long>(report.job->bytes),
        static_cast<unsigned long long>(report.job->messages), report.job->seconds, MegabytesPerSecond(*report.job));
    if (report.job->gap) {
      text += Format("longest gap %.1f ms\n", Milliseconds(std::chrono::duration_cast<Duration>(*report.job->gap)));
    }
    if (!report.job->sha256.empty()) text += "sha256 " + report.job->sha256 + "\n";
  }
  return text;
}

}  // namespace jsp::tool
