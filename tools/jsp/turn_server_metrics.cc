#include "tools/jsp/turn_server_metrics.h"

#include <array>

namespace jsp::tool {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(turn::ServerDrop::kCount)> kDropNames = {
    "unparsable",    "bad_fingerprint", "unexpected",     "no_allocation", "malformed",
    "no_permission", "unbound_channel", "forbidden_peer", "wrong_family",  "bandwidth",
    "rate_limited",  "overload",        "late_relay",     "opening",       "too_long",
};
static_assert(!kDropNames.back().empty());

}  // namespace

std::string_view NameOf(turn::ServerDrop reason) { return kDropNames[static_cast<size_t>(reason)]; }

void Add(turn::ServerMetrics& sum, const turn::ServerMetrics& part) {
  sum.requests += part.requests;
  sum.challenges += part.challenges;
  sum.allocations_created += part.allocations_created;
  sum.allocations_expired += part.allocations_expired;
  sum.allocations_deleted += part.allocations_deleted;
  sum.connections_bound += part.connections_bound;
  sum.packets_to_peers += part.packets_to_peers;
  sum.octets_to_peers += part.octets_to_peers;
  sum.packets_to_clients += part.packets_to_clients;
  sum.octets_to_clients += part.octets_to_clients;
  for (size_t i = 0; i < sum.errors.size(); ++i) sum.errors[i] += part.errors[i];
  for (size_t i = 0; i < sum.dropped.size(); ++i) sum.dropped[i] += part.dropped[i];
}

namespace {

void Add(transport::io::TrainIoStats& sum, const transport::io::TrainIoStats& part) {
  sum.receive_calls += part.receive_calls;
  sum.send_calls += part.send_calls;
  sum.trains_received += part.trains_received;
  sum.datagrams_received += part.datagrams_received;
  sum.trains_sent += part.trains_sent;
  sum.datagrams_sent += part.datagrams_sent;
  sum.receive_errors += part.receive_errors;
  sum.dropped_full += part.dropped_full;
  sum.dropped_errors += part.dropped_errors;
  sum.gso_refused += part.gso_refused;
}

void Add(transport::io::TurnStreamStats& sum, const transport::io::TurnStreamStats& part) {
  sum.accepted += part.accepted;
  sum.refused += part.refused;
  sum.expired += part.expired;
  sum.broken += part.broken;
  sum.accept_errors += part.accept_errors;
  sum.dropped += part.dropped;
  sum.open += part.open;
}

}  // namespace

void Add(transport::io::TurnServerStats& sum, const transport::io::TurnServerStats& part) {
  Add(sum.datagrams, part.datagrams);
  Add(sum.streams, part.streams);
  sum.binding += part.binding;
  sum.network_errors += part.network_errors;
  sum.relays_failed += part.relays_failed;
  sum.handovers_dropped += part.handovers_dropped;
  sum.relays_open += part.relays_open;
}

void MetricsText::Begin(std::string_view name, std::string_view help, std::string_view type) {
  name_ = name;
  text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
}

void MetricsText::Gauge(std::string_view name, std::string_view help, uint64_t value) {
  Begin(name, help, "gauge");
  text_ += name_ + " " + std::to_string(value) + "\n";
}

void MetricsText::Counter(std::string_view name, std::string_view help, uint64_t value) {
  Begin(name, help, "counter");
  text_ += name_ + " " + std::to_string(value) + "\n";
}

void MetricsText::LabelledCounter(std::string_view name, std::string_view help, std::string_view label) {
  Begin(name, help, "counter");
  label_ = label;
}

void MetricsText::Sample(std::string_view label_value, uint64_t value) {
  text_ += name_ + "{" + label_ + "=\"" + std::string(label_value) + "\"} " + std::to_string(value) + "\n";
}

namespace {

void WriteCore(const turn::ServerMetrics& core, MetricsText& text) {
  text.Counter("jsp_turn_requests_total", "STUN requests of any kind, answered or not", core.requests);
  text.Counter("jsp_turn_challenges_total", "Answers 401 and 438", core.challenges);
  text.Counter("jsp_turn_allocations_created_total", "Allocations that were granted", core.allocations_created);
  text.LabelledCounter("jsp_turn_allocations_ended_total", "Allocations that are gone", "reason");
  text.Sample("expired", core.allocations_expired);
  text.Sample("deleted", core.allocations_deleted);
  text.Counter("jsp_turn_tcp_connections_bound_total", "Data connections of TCP relays (RFC 6062)",
               core.connections_bound);
  text.LabelledCounter("jsp_turn_relayed_packets_total", "Datagrams that were relayed", "direction");
  text.Sample("to_peer", core.packets_to_peers);
  text.Sample("to_client", core.packets_to_clients);
  text.LabelledCounter("jsp_turn_relayed_bytes_total", "Payload that was relayed", "direction");
  text.Sample("to_peer", core.octets_to_peers);
  text.Sample("to_client", core.octets_to_clients);
  text.LabelledCounter("jsp_turn_error_responses_total", "Error responses by STUN error code", "code");
  for (size_t i = 0; i < core.errors.size(); ++i) {
    if (core.errors[i] > 0) text.Sample(std::to_string(i + 300), core.errors[i]);
  }
}

void WriteDrops(const TurnServerTotals& totals, MetricsText& text) {
  text.LabelledCounter("jsp_turn_dropped_total", "Messages and datagrams that were not acted upon or not sent",
                       "reason");
  for (size_t i = 0; i < kDropNames.size(); ++i) text.Sample(kDropNames[i], totals.core.dropped[i]);
  text.Sample("socket_full", totals.sockets.datagrams.dropped_full);
  text.Sample("socket_error", totals.sockets.datagrams.dropped_errors);
  text.Sample("slow_reader", totals.sockets.streams.dropped);
}

void WriteBinding(const stun::Server::Metrics& binding, MetricsText& text) {
  text.Counter("jsp_turn_binding_requests_total", "STUN Binding requests that were answered", binding.requests);
  text.Counter("jsp_turn_binding_indications_total", "STUN Binding indications, which have no answer",
               binding.indications);
  text.LabelledCounter("jsp_turn_binding_refused_total", "Those of the requests that were answered with an error",
                       "code");
  text.Sample("400", binding.bad_request);
  text.Sample("420", binding.unknown_attribute);
  // What is not STUN at all is in jsp_turn_dropped_total: nobody knows what it would have been.
  text.LabelledCounter("jsp_turn_binding_dropped_total", "Binding messages that were not acted upon", "reason");
  text.Sample("bad_fingerprint", binding.dropped_bad_fingerprint);
  text.Sample("not_request", binding.dropped_not_request);
  text.Sample("overload", binding.dropped_overload);
}

void WriteSockets(const transport::io::TurnServerStats& sockets, MetricsText& text) {
  text.LabelledCounter("jsp_turn_datagrams_total", "UDP datagrams of all sockets", "direction");
  text.Sample("received", sockets.datagrams.datagrams_received);
  text.Sample("sent", sockets.datagrams.datagrams_sent);
  text.LabelledCounter("jsp_turn_trains_total", "Groups of datagrams that passed the kernel as one", "direction");
  text.Sample("received", sockets.datagrams.trains_received);
  text.Sample("sent", sockets.datagrams.trains_sent);
  text.LabelledCounter("jsp_turn_socket_calls_total", "System calls that read or wrote UDP datagrams", "call");
  text.Sample("receive", sockets.datagrams.receive_calls);
  text.Sample("send", sockets.datagrams.send_calls);
  text.LabelledCounter("jsp_turn_socket_errors_total", "What sockets reported", "kind");
  text.Sample("receive", sockets.datagrams.receive_errors);
  text.Sample("network", sockets.network_errors);
  text.Sample("segmentation_refused", sockets.datagrams.gso_refused);
  text.Sample("accept", sockets.streams.accept_errors);
  text.Gauge("jsp_turn_relays", "Relay sockets that are open", sockets.relays_open);
  text.Counter("jsp_turn_relays_failed_total", "Ports of relays that could not be opened", sockets.relays_failed);
  text.Counter("jsp_turn_handovers_dropped_total", "Trains and streams that another worker had no room for",
               sockets.handovers_dropped);
  text.Gauge("jsp_turn_streams", "TCP and TLS connections of clients that are open", sockets.streams.open);
  text.Counter("jsp_turn_streams_accepted_total", "TCP and TLS connections of clients", sockets.streams.accepted);
  text.LabelledCounter("jsp_turn_streams_closed_total", "Connections that the server closed", "reason");
  text.Sample("refused", sockets.streams.refused);
  text.Sample("expired", sockets.streams.expired);
  text.Sample("broken", sockets.streams.broken);
}

}  // namespace

void WriteTurnMetrics(const TurnServerTotals& totals, MetricsText& text) {
  text.Gauge("jsp_turn_workers", "Threads that serve", totals.workers);
  text.Gauge("jsp_turn_allocations", "Allocations that exist", totals.allocations);
  WriteCore(totals.core, text);
  WriteDrops(totals, text);
  WriteBinding(totals.sockets.binding, text);
  WriteSockets(totals.sockets, text);
}

}  // namespace jsp::tool
