#include "test/interop/dissection.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

#include "base/socket_address.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/i_data.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/packet/chunk/init.h"
#include "sctp/packet/chunk/init_ack.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/chunk/shutdown_complete.h"
#include "sctp/packet/parameter/add_incoming_streams.h"
#include "sctp/packet/parameter/add_outgoing_streams.h"
#include "sctp/packet/parameter/incoming_ssn_reset_request.h"
#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/reconfig_response.h"
#include "sctp/packet/parameter/ssn_tsn_reset_request.h"
#include "sctp/packet/sctp_packet.h"
namespace jsp::interop {
namespace {

using sctp::ChunkType;
using sctp::ChunkView;
using sctp::ParameterView;

constexpr std::array kNumbers{
    "sctp.srcport",
    "sctp.dstport",
    "sctp.verification_tag",
    "sctp.chunk_type",
    "sctp.chunk_flags",
    "sctp.chunk_length",
    "sctp.init_initiate_tag",
    "sctp.init_credit",
    "sctp.init_nr_out_streams",
    "sctp.init_nr_in_streams",
    "sctp.init_initial_tsn",
    "sctp.initack_initiate_tag",
    "sctp.initack_credit",
    "sctp.initack_nr_out_streams",
    "sctp.initack_nr_in_streams",
    "sctp.initack_initial_tsn",
    "sctp.parameter_type",
    "sctp.parameter_length",
    "sctp.supported_chunk_type",
    "sctp.data_tsn_raw",
    "sctp.data_sid",
    "sctp.data_ssn",
    "sctp.data_mid",
    "sctp.data_fsn",
    "sctp.data_payload_proto_id",
    "sctp.data_i_bit",
    "sctp.data_u_bit",
    "sctp.data_b_bit",
    "sctp.data_e_bit",
    "sctp.sack_cumulative_tsn_ack_raw",
    "sctp.sack_a_rwnd",
    "sctp.sack_gap_block_start",
    "sctp.sack_gap_block_end",
    "sctp.sack_duplicate_tsn",
    "sctp.shutdown_cumulative_tsn_ack",
    "sctp.forward_tsn_tsn",
    "sctp.forward_tsn_sid",
    "sctp.forward_tsn_ssn",
    "sctp.i_forward_tsn_tsn",
    "sctp.i_forward_tsn_sid",
    "sctp.i_forward_tsn_u_bit",
    "sctp.forward_tsn_mid",
    "sctp.parameter_reconfig_request_sequence_number",
    "sctp.parameter_reconfig_response_sequence_number",
    "sctp.parameter_senders_last_assigned_tsn",
    "sctp.parameter_reconfig_sid",
    "sctp.parameter_reconfig_response_result",
    "sctp.parameter_add_outgoing_streams_number",
    "sctp.parameter_add_incoming_streams_number",
    "sctp.cause_code",
    "sctp.cause_length",
    "sctp.abort_t_bit",
    "sctp.shutdown_complete_t_bit",
};
// What OwnReading does not say.
constexpr std::array kOtherNumbers{
    "sctp.checksum",      "sctp.checksum.status",        "rtcdc.message_type",
    "rtcdc.channel_type", "rtcdc.reliability_parameter", "rtcdc.priority",
};
constexpr std::array kTexts{"rtcdc.label", "rtcdc.protocol"};
constexpr std::array kExpert{"_ws.expert.severity", "_ws.expert.message", "_ws.malformed"};

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

uint64_t ToNumber(const std::string& text) {
  if (text == "True") return 1;
  return std::strtoull(text.c_str(), nullptr, 0);
}

std::vector<uint64_t> ToNumbers(const std::string& text) {
  std::vector<uint64_t> numbers;
  for (const std::string& part : Split(text, ';')) numbers.push_back(ToNumber(part));
  return numbers;
}

DissectedPacket ParseLine(const std::string& line) {
  std::vector<std::string> columns = Split(line, '\t');
  columns.resize(kNumbers.size() + kOtherNumbers.size() + kTexts.size() + kExpert.size());
  DissectedPacket packet;
  size_t column = 0;
  const auto take_numbers = [&](const auto& names) {
    for (const char* name : names) {
      auto numbers = ToNumbers(columns[column++]);
      if (!numbers.empty()) packet.numbers[name] = std::move(numbers);
    }
  };
  take_numbers(kNumbers);
  take_numbers(kOtherNumbers);
  for (const char* name : kTexts) packet.texts[name] = columns[column++];
  for (const uint64_t severity : ToNumbers(columns[column++])) {
    packet.worst_severity = std::max(packet.worst_severity, severity);
  }
  packet.expert = columns[column++];
  packet.malformed = !columns[column].empty();
  return packet;
}

class Reader {
 public:
  void Packet(std::span<const uint8_t> octets) {
    const auto view = sctp::PacketView::Parse(octets, sctp::ChecksumPolicy::kAcceptZero);
    if (!view) return;
    Add("srcport", view->header.source_port);
    Add("dstport", view->header.destination_port);
    Add("verification_tag", view->header.verification_tag.value);
    for (const ChunkView chunk : view->chunks) Chunk(chunk);
  }
  Fields Take() { return std::move(fields_); }

 private:
  void Add(std::string_view name, uint64_t value) { fields_["sctp." + std::string(name)].push_back(value); }

  void Chunk(const ChunkView& chunk) {
    Add("chunk_type", static_cast<uint8_t>(chunk.type));
    Add("chunk_flags", chunk.flags);
    Add("chunk_length", chunk.octets.size());
    if (const auto data = sctp::DataChunk::Parse(chunk); data && chunk.type == ChunkType::kData) Data(*data);
    if (const auto data = sctp::IDataChunk::Parse(chunk)) IData(data->data);
    if (const auto init = sctp::InitChunk::Parse(chunk)) Init("init_", *init);
    if (const auto init_ack = sctp::InitAckChunk::Parse(chunk)) Init("initack_", *init_ack);
    if (const auto sack = sctp::SackChunk::Parse(chunk)) Sack(*sack);
    if (const auto shutdown = sctp::ShutdownChunk::Parse(chunk)) {
      Add("shutdown_cumulative_tsn_ack", shutdown->cumulative_tsn_ack.value);
    }
    if (const auto forward = sctp::ForwardTsnChunk::Parse(chunk)) Forward(*forward);
    if (const auto forward = sctp::IForwardTsnChunk::Parse(chunk)) IForward(*forward);
    if (const auto abort = sctp::AbortChunk::Parse(chunk)) {
      Add("abort_t_bit", static_cast<uint8_t>(abort->tag));
      Causes(abort->causes);
    }
    if (const auto error = sctp::ErrorChunk::Parse(chunk)) Causes(error->causes);
    if (const auto complete = sctp::ShutdownCompleteChunk::Parse(chunk)) {
      Add("shutdown_complete_t_bit", static_cast<uint8_t>(complete->tag));
    }
    if (chunk.type == ChunkType::kReconfig || chunk.type == ChunkType::kHeartbeat ||
        chunk.type == ChunkType::kHeartbeatAck) {
      for (const ParameterView parameter : sctp::ParameterRange(chunk.value)) Parameter(parameter);
    }
  }

  void Bits(const sctp::DataChunk& data) {
    Add("data_i_bit", data.immediate);
    Add("data_u_bit", data.unordered);
    Add("data_b_bit", data.beginning);
    Add("data_e_bit", data.end);
    Add("data_tsn_raw", data.tsn.value);
    Add("data_sid", data.stream.value);
  }
  void Data(const sctp::DataChunk& data) {
    Bits(data);
    Add("data_ssn", data.ssn.value);
    Add("data_payload_proto_id", data.ppid.value);
  }
  void IData(const sctp::DataChunk& data) {
    Bits(data);
    Add("data_mid", data.mid.value);
    if (data.beginning) {
      Add("data_payload_proto_id", data.ppid.value);
    } else {
      Add("data_fsn", data.fsn);
    }
  }

  template <class C>
  void Init(const std::string& prefix, const C& init) {
    Add(prefix + "initiate_tag", init.initiate_tag.value);
    Add(prefix + "credit", init.a_rwnd);
    Add(prefix + "nr_out_streams", init.outbound_streams);
    Add(prefix + "nr_in_streams", init.inbound_streams);
    Add(prefix + "initial_tsn", init.initial_tsn.value);
    for (const ParameterView parameter : init.parameters) Parameter(parameter);
  }

  void Sack(const sctp::SackChunk& sack) {
    Add("sack_cumulative_tsn_ack_raw", sack.cumulative_tsn_ack.value);
    Add("sack_a_rwnd", sack.a_rwnd);
    for (const sctp::GapAckBlock block : sack.gap_ack_blocks) {
      Add("sack_gap_block_start", block.start);
      Add("sack_gap_block_end", block.end);
    }
    for (const sctp::Tsn tsn : sack.duplicate_tsns) Add("sack_duplicate_tsn", tsn.value);
  }

  void Forward(const sctp::ForwardTsnChunk& forward) {
    Add("forward_tsn_tsn", forward.new_cumulative_tsn.value);
    for (const sctp::SkippedStream skipped : forward.skipped) {
      Add("forward_tsn_sid", skipped.stream.value);
      Add("forward_tsn_ssn", skipped.ssn.value);
    }
  }
  void IForward(const sctp::IForwardTsnChunk& forward) {
    Add("i_forward_tsn_tsn", forward.new_cumulative_tsn.value);
    for (const sctp::SkippedMessages skipped : forward.skipped) {
      Add("i_forward_tsn_sid", skipped.stream.value);
      Add("i_forward_tsn_u_bit", skipped.is_unordered());
      Add("forward_tsn_mid", skipped.mid.value);
    }
  }

  void Causes(const sctp::CauseRange& causes) {
    for (const sctp::CauseView cause : causes) {
      Add("cause_code", static_cast<uint16_t>(cause.type));
      Add("cause_length", cause.octets.size());
      // Its value is that chunk, which a dissector shows as one.
      if (cause.type != sctp::CauseCode::kUnrecognizedChunkType) continue;
      for (const ChunkView chunk : sctp::ChunkRange(cause.value)) Chunk(chunk);
    }
  }

  void Parameter(const ParameterView& parameter) {
    Add("parameter_type", static_cast<uint16_t>(parameter.type));
    Add("parameter_length", parameter.octets.size());
    if (parameter.type == sctp::ParameterType::kUnrecognizedParameter) {
      for (const ParameterView inner : sctp::ParameterRange(parameter.value)) Parameter(inner);
    }
    if (parameter.type == sctp::ParameterType::kSupportedExtensions) {
      for (const uint8_t type : parameter.value) Add("supported_chunk_type", type);
    }
    if (const auto reset = sctp::OutgoingSsnResetRequest::Parse(parameter)) {
      Add("parameter_reconfig_request_sequence_number", reset->request_sn.value);
      Add("parameter_reconfig_response_sequence_number", reset->response_sn.value);
      Add("parameter_senders_last_assigned_tsn", reset->last_assigned_tsn.value);
      for (const sctp::StreamId stream : reset->streams) Add("parameter_reconfig_sid", stream.value);
    }
    if (const auto reset = sctp::IncomingSsnResetRequest::Parse(parameter)) {
      Add("parameter_reconfig_request_sequence_number", reset->request_sn.value);
      for (const sctp::StreamId stream : reset->streams) Add("parameter_reconfig_sid", stream.value);
    }
    if (const auto response = sctp::ReconfigResponse::Parse(parameter)) {
      Add("parameter_reconfig_response_sequence_number", response->response_sn.value);
      Add("parameter_reconfig_response_result", response->result_code);
    }
    if (const auto add = sctp::AddOutgoingStreams::Parse(parameter)) {
      Add("parameter_reconfig_request_sequence_number", add->request_sn.value);
      Add("parameter_add_outgoing_streams_number", add->new_streams);
    }
    if (const auto add = sctp::AddIncomingStreams::Parse(parameter)) {
      Add("parameter_reconfig_request_sequence_number", add->request_sn.value);
      Add("parameter_add_incoming_streams_number", add->new_streams);
    }
  }

  Fields fields_;
};

}  // namespace

void Capture::Record(Timestamp now, Direction direction, std::span<const uint8_t> sctp_packet) {
  // SCTP over UDP (RFC 6951): a dissector finds it by the port.
  const SocketAddress a{*IpAddress::Parse("192.0.2.1"), 9899};
  const SocketAddress z{*IpAddress::Parse("192.0.2.2"), 9899};
  const bool from_a = direction == Direction::kAToZ;
  tap_.Record(now, from_a ? a : z, from_a ? z : a, sctp_packet);
  packets_.emplace_back(sctp_packet.begin(), sctp_packet.end());
}

void Capture::Write(const std::string& path) {
  const std::vector<uint8_t> octets = tap_.Take();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
}

bool HasTshark() { return std::system("command -v tshark >/dev/null 2>&1") == 0; }

std::optional<std::vector<DissectedPacket>> Dissect(const std::string& path) {
  std::string command =
      "tshark -n -r '" + path +
      "' -o 'sctp.checksum:CRC 32c' -d udp.port==9899,sctp -T fields -E occurrence=a -E 'aggregator=;'";
  const auto ask = [&](const auto& names) {
    for (const char* name : names) command += std::string(" -e ") + name;
  };
  ask(kNumbers);
  ask(kOtherNumbers);
  ask(kTexts);
  ask(kExpert);
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string output;
  std::array<char, 65536> buffer;
  while (const size_t got = fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), got);
  if (pclose(pipe) != 0) return std::nullopt;
  std::vector<DissectedPacket> packets;
  for (const std::string& line : Split(output, '\n')) packets.push_back(ParseLine(line));
  return packets;
}

Fields OwnReading(std::span<const uint8_t> sctp_packet) {
  Reader reader;
  reader.Packet(sctp_packet);
  return reader.Take();
}

}  // namespace jsp::interop
