#include "transport/signaling/session_stats.h"

#include <boost/json.hpp>
#include <chrono>
#include <numeric>
#include <optional>

namespace jsp::signaling {
namespace {

namespace json = boost::json;
using transport::PeerStats;

double Milliseconds(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

json::value MaybeMilliseconds(const std::optional<Duration>& d) {
  return d ? json::value(Milliseconds(*d)) : json::value(nullptr);
}

const char* TypeName(ice::CandidateType type) {
  switch (type) {
    case ice::CandidateType::kHost:
      return "host";
    case ice::CandidateType::kServerReflexive:
      return "srflx";
    case ice::CandidateType::kPeerReflexive:
      return "prflx";
    case ice::CandidateType::kRelayed:
      return "relay";
  }
  return "unknown";
}

json::object ToJson(const ice::Candidate& candidate, const char* relay_protocol) {
  return {{"type", TypeName(candidate.type)},
          {"protocol", candidate.protocol == ice::TransportProtocol::kUdp ? "udp" : "tcp"},
          {"relay_protocol", relay_protocol != nullptr ? json::value(relay_protocol) : json::value(nullptr)},
          {"address", candidate.address.ip.ToString()},
          {"port", candidate.address.port}};
}

json::value SelectedPair(const PeerStats& stats) {
  if (!stats.selected_pair) return nullptr;
  return json::object{{"local", ToJson(stats.selected_pair->local, transport::RelayProtocolName(stats.selected_relay))},
                      {"remote", ToJson(stats.selected_pair->remote, nullptr)},
                      {"rtt_ms", Milliseconds(stats.selected_pair->rtt)}};
}

template <class Array>
uint64_t Sum(const Array& counters) {
  return std::accumulate(counters.begin(), counters.end(), uint64_t{0});
}

json::array Channels(const PeerStats& stats) {
  json::array channels;
  for (const auto& channel : stats.channels) {
    const auto& options = channel.options;
    channels.push_back(json::object{
        {"label", options.label},
        {"protocol", options.protocol},
        {"id", channel.stream ? json::value(channel.stream->value) : json::value(nullptr)},
        {"ordered", options.ordered},
        {"max_retransmits", options.max_retransmits ? json::value(*options.max_retransmits) : json::value(nullptr)},
        {"max_lifetime_ms", options.max_lifetime ? json::value(Milliseconds(*options.max_lifetime)) : nullptr},
        {"state", datachannel::ToString(channel.state)},
        {"bytes_sent", channel.bytes_sent},
        {"messages_sent", channel.messages_sent},
        {"bytes_received", channel.bytes_received},
        {"messages_received", channel.messages_received},
        {"messages_abandoned", channel.messages_expired + channel.messages_abandoned},
        {"messages_aborted", channel.messages_aborted},
        {"buffered_amount", channel.buffered_amount}});
  }
  return channels;
}

json::value Negotiated(const std::optional<sctp::event::Connected>& negotiated) {
  if (!negotiated) return nullptr;
  return json::object{{"interleaving", negotiated->interleaving},
                      {"zero_checksum", negotiated->zero_checksum},
                      {"ecn", negotiated->ecn},
                      {"partial_reliability", negotiated->partial_reliability},
                      {"stream_reset", negotiated->stream_reset},
                      {"incoming_streams", negotiated->incoming_streams},
                      {"outgoing_streams", negotiated->outgoing_streams}};
}

json::object Layers(const PeerStats& s) {
  return {{"demux", json::object{{"datagrams_received", s.demux.datagrams_received},
                                 {"datagrams_sent", s.demux.datagrams_sent},
                                 {"bytes_received", s.demux.bytes_received},
                                 {"bytes_sent", s.demux.bytes_sent},
                                 {"dropped", s.demux.dropped_unknown_kind + s.demux.dropped_not_validated +
                                                 s.demux.dropped_stun}}},
          {"ice", json::object{{"state", ice::ToString(s.ice_state)},
                               {"role", s.ice_role == ice::Role::kControlling ? "controlling" : "controlled"},
                               {"checks_sent", s.ice.checks_sent},
                               {"checks_received", s.ice.checks_received},
                               {"responses_received", s.ice.responses_received},
                               {"consent_requests_sent", s.ice.consent_requests_sent},
                               {"dropped", Sum(s.ice.dropped)}}},
          {"dtls", json::object{{"protocol", s.dtls_parameters.protocol}, {"cipher", s.dtls_parameters.cipher}}},
          {"sctp", json::object{{"packets_sent", s.sctp.packets_sent},
                                {"packets_received", s.sctp.packets_received},
                                {"retransmitted_chunks", s.sctp.retransmitted_chunks},
                                {"messages_sent", s.sctp.messages_sent},
                                {"messages_received", s.sctp.messages_received},
                                {"bytes_sent", s.sctp.bytes_sent},
                                {"bytes_received", s.sctp.bytes_received},
                                {"cwnd", s.sctp.cwnd},
                                {"packet_size", s.sctp.packet_size},
                                {"path_mtu_state", sctp::ToString(s.sctp.path_mtu_state)},
                                {"path_stalled", s.sctp.path_stalled},
                                {"ce_received", s.sctp.ce_received},
                                {"ecn_reductions", s.sctp.ecn_reductions},
                                {"srtt_us", s.sctp.srtt_us},
                                {"negotiated", Negotiated(s.sctp.negotiated)},
                                {"dropped", Sum(s.sctp.dropped)}}},
          {"memory", json::object{{"total", s.memory.total()},
                                  {"channels", s.memory.channels},
                                  {"paths", s.memory.paths},
                                  {"sending", s.memory.sending},
                                  {"received", s.memory.received},
                                  {"pooled", s.memory.pooled}}}};
}

json::object ToJson(const transport::PathTraffic& traffic) {
  return {{"datagrams_sent", traffic.datagrams_sent},
          {"datagrams_received", traffic.datagrams_received},
          {"bytes_sent", traffic.bytes_sent},
          {"bytes_received", traffic.bytes_received}};
}

json::object SessionJson(const std::string& id, const PeerStats& stats) {
  const auto& t = stats.timings;
  return {{"id", id},
          {"state", transport::ToString(stats.state)},
          {"state_reason", stats.state_reason},
          {"timings_ms", json::object{{"gathered", MaybeMilliseconds(t.gathered)},
                                      {"first_check", MaybeMilliseconds(t.first_check)},
                                      {"ice_connected", MaybeMilliseconds(t.ice_connected)},
                                      {"dtls_connected", MaybeMilliseconds(t.dtls_connected)},
                                      {"sctp_connected", MaybeMilliseconds(t.sctp_connected)}}},
          {"selected_pair", SelectedPair(stats)},
          {"relay_reason", stats.relay_reason},
          {"paths", json::object{{"direct", ToJson(stats.paths.direct)},
                                 {"tcp", ToJson(stats.paths.tcp)},
                                 {"relay_udp", ToJson(stats.paths.relay_udp)},
                                 {"relay_tcp", ToJson(stats.paths.relay_tcp)},
                                 {"relay_tls", ToJson(stats.paths.relay_tls)}}},
          {"layers", Layers(stats)},
          {"channels", Channels(stats)}};
}

}  // namespace

std::string WriteStatsJson(const SessionHostStats& host, const transport::io::DriverStats& driver,
                           std::span<const std::pair<std::string, PeerStats>> sessions) {
  json::array list;
  for (const auto& [id, stats] : sessions) list.push_back(SessionJson(id, stats));
  const auto& sockets = driver.sockets;
  return json::serialize(json::object{{"sessions", std::move(list)},
                                      {"accepted", host.accepted},
                                      {"refused_full", host.refused_full},
                                      {"refused_bad_sdp", host.refused_bad_sdp},
                                      {"ended", host.ended},
                                      {"driver", json::object{{"unknown_ufrag", driver.mux.unknown_ufrag},
                                                              {"tcp_visitors", driver.tcp_door.visitors},
                                                              {"tcp_refused", Sum(driver.tcp_door.refused)},
                                                              {"unknown_source", driver.mux.unknown_source},
                                                              {"datagrams_received", sockets.datagrams_received},
                                                              {"datagrams_sent", sockets.datagrams_sent},
                                                              {"receive_calls", sockets.receive_calls},
                                                              {"send_calls", sockets.send_calls},
                                                              {"send_errors", sockets.send_errors},
                                                              {"too_large", sockets.too_large},
                                                              {"network_errors", sockets.network_errors},
                                                              {"backlog_dropped", sockets.backlog_dropped},
                                                              {"receive_buffer", sockets.receive_buffer},
                                                              {"send_buffer", sockets.send_buffer}}}});
}

}  // namespace jsp::signaling
