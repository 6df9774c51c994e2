// An association under a script: calls of its owner, packets of a peer that knows the tag and the numbers and follows
// no rule, and time, as the fuzzer's octets say. It may end the association, once; it may not crash, spin, or hold more
// than its options allow.
#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "base/check.h"
#include "sctp/packet/chunk/i_data.h"
#include "sctp/testing/scripted_peer.h"
#include "test/support/fuzz_input.h"
namespace jsp::sctp {
namespace {

class Script {
 public:
  explicit Script(FuzzInput input) : input_(input), peer_(MakeConfig(input_)) {
    // A failed EXPECT of the test support is a crash.
    GTEST_FLAG_SET(break_on_failure, true);
    const size_t start = input_.Below(4);
    if (start == 1) {
      peer_.core.Connect(peer_.now);
      const auto sent = peer_.Drain();
      peer_.core_tag = ChunksOf<InitChunk>(sent)[0].initiate_tag;
    }
    if (start == 2) peer_.EstablishAsServer();
    if (start == 3) peer_.EstablishAsClient();
    if (const auto connected = peer_.NextEvent<event::Connected>()) is_interleaved_ = connected->interleaving;
  }

  void Run() {
    while (!input_.empty()) {
      Step();
      Check();
    }
    peer_.core.Abort(peer_.now, "done");
    peer_.Wait(std::chrono::seconds(60));
    Check();
    JSP_CHECK(ends_ == 1);
    JSP_CHECK(peer_.core.NextTimeout() == Timestamp::Never());
  }

 private:
  static ScriptedPeer::Config MakeConfig(FuzzInput& input) {
    ScriptedPeer::Config config;
    const uint8_t bits = input.Byte();
    if ((bits & 1) != 0) config.parameters = {0xc0, 0, 0, 4, 0x80, 0x08, 0, 8, 130, 192, 64, 194};
    if ((bits & 2) != 0) config.parameters = ScriptedPeer::AllExtensions();
    config.options.interleaving = (bits & 4) == 0;
    if ((bits & 8) != 0) config.options = Options::Rfc9260();
    if ((bits & 16) != 0) config.streams = 5;
    config.options.receive_window = config.options.max_receive_window = 60'000;
    config.options.max_message_size = 9'000;
    config.options.max_send_buffer = 50'000;
    config.options.max_incoming_streams = 8;
    return config;
  }

  void Step() {
    switch (input_.Below(10)) {
      case 0:
        return SendMessage();
      case 1:
        return HandOver({{static_cast<uint8_t>(input_.Below(256)), input_.Byte(), input_.Bytes(input_.Below(40))}});
      case 2:
        return HandOver({Data()});
      case 3:
        return HandOver({Data(), Data(), Sack()});
      case 4:
        return HandOver({Sack()});
      case 5:
        return HandOver({Forward()});
      case 6:
        return HandOver({Reconfig()});
      case 7:
        return Look(peer_.Wait(std::chrono::milliseconds(input_.Below(1500))));
      case 8:
        return peer_.core.HandleConsumed(peer_.now, input_.Below(20'000));
      default:
        return Command();
    }
  }

  void SendMessage() {
    SendOptions options;
    const uint8_t bits = input_.Byte();
    options.unordered = (bits & 1) != 0;
    if ((bits & 6) == 2) options.max_retransmits = bits >> 6;
    if ((bits & 6) == 4) options.lifetime = std::chrono::milliseconds(bits);
    options.priority = static_cast<uint16_t>(1 + bits);
    (void)peer_.core.Send(peer_.now, MakeMessage(static_cast<uint16_t>(bits >> 3 & 7), 1 + input_.Below(6000)),
                          options);
  }

  void Command() {
    const std::array<StreamId, 2> streams{StreamId(input_.Byte() & 7), StreamId(input_.Byte() & 7)};
    switch (input_.Below(8)) {
      case 0:
        return peer_.core.Shutdown(peer_.now);
      case 1:
        return peer_.core.Connect(peer_.now);
      case 2:
        return peer_.core.SetRemoteLimits(5000, input_.Below(20'000));
      case 3:
        return Restart();
      default:
        (void)peer_.core.ResetStreams(peer_.now, std::span(streams).first(1 + input_.Below(2)));
    }
  }

  // An INIT with another tag, and its cookie back.
  void Restart() {
    InitChunk init = peer_.OwnInit();
    init.initiate_tag = VerificationTag(1 + input_.Byte());
    init.outbound_streams = static_cast<uint16_t>(1 + input_.Below(9));
    const auto answer = peer_.DeliverWithTag(VerificationTag(0), init);
    for (const InitAckChunk& init_ack : ChunksOf<InitAckChunk>(answer)) {
      for (const ParameterView parameter : init_ack.parameters) {
        if (parameter.type != ParameterType::kStateCookie) continue;
        const std::vector<uint8_t> cookie(parameter.value.begin(), parameter.value.end());
        (void)peer_.DeliverWithTag(init_ack.initiate_tag, CookieEchoChunk{cookie});
        if (input_.Flip()) peer_.core_tag = init_ack.initiate_tag;
      }
    }
  }

  static void Put(std::vector<uint8_t>& out, uint32_t number, int octets) {
    for (int i = octets - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(number >> (8 * i)));
  }
  // A number close to `base`.
  uint32_t Near(uint32_t base) { return base + static_cast<uint32_t>(input_.Below(24)) - 4; }

  // DATA or I-DATA. Mostly what the handshake agreed on, whole messages, and the next numbers.
  RawChunk Data() {
    const size_t oddity = input_.Below(32);
    const bool interleaved = is_interleaved_ != (oddity == 0);
    RawChunk chunk{
        static_cast<uint8_t>(interleaved ? 64 : 0), static_cast<uint8_t>(oddity == 1 ? input_.Byte() : 3), {}};
    const uint16_t stream = static_cast<uint16_t>(input_.Below(oddity == 2 ? 10 : 4));
    const uint32_t number = oddity == 3 ? static_cast<uint32_t>(input_.Below(6)) : numbers_[stream]++;
    Put(chunk.value, input_.Below(8) == 0 ? Near(peer_.next_tsn.value) : peer_.next_tsn.value++, 4);
    Put(chunk.value, stream, 2);
    if (interleaved) {
      Put(chunk.value, 0, 2);
      Put(chunk.value, number, 4);
    } else {
      Put(chunk.value, number, 2);
    }
    Put(chunk.value, 53, 4);  // PPID, or FSN
    chunk.value.resize(chunk.value.size() + input_.Below(oddity == 4 ? 2 : 800) + (oddity == 4 ? 0 : 1), 7);
    return chunk;
  }
  // Mostly of what was sent.
  RawChunk Sack() {
    RawChunk chunk{3, 0, {}};
    const size_t oddity = input_.Below(32);
    const uint32_t sent = sent_ - acknowledged_;
    acknowledged_ += std::min(sent, static_cast<uint32_t>(input_.Below(8)));
    Put(chunk.value, peer_.core_initial_tsn.value + acknowledged_ - 1 + (oddity == 0 ? 2 : 0) - (oddity == 1 ? 1 : 0),
        4);
    Put(chunk.value, oddity == 2 ? 0 : 40'000, 4);
    size_t blocks = std::min<size_t>(input_.Below(4), (sent_ - acknowledged_) / 4);
    if (oddity == 3) blocks += 2;
    const size_t duplicates = input_.Below(3);
    Put(chunk.value, static_cast<uint32_t>(blocks), 2);
    Put(chunk.value, static_cast<uint32_t>(duplicates), 2);
    for (uint32_t i = 0; i < blocks; ++i) {
      Put(chunk.value, 2 + 4 * i, 2);
      Put(chunk.value, 2 + 4 * i + static_cast<uint32_t>(input_.Below(oddity == 4 ? 8 : 2)), 2);
    }
    for (size_t i = 0; i < duplicates; ++i) Put(chunk.value, input_.Number(), 4);
    return chunk;
  }
  // FORWARD TSN or I-FORWARD-TSN.
  RawChunk Forward() {
    RawChunk chunk{static_cast<uint8_t>((input_.Below(16) == 0) == is_interleaved_ ? 192 : 194), 0, {}};
    Put(chunk.value, Near(peer_.next_tsn.value), 4);
    for (size_t i = input_.Below(4); i > 0; --i) {
      Put(chunk.value, static_cast<uint32_t>(input_.Below(10)), 2);
      Put(chunk.value, static_cast<uint32_t>(input_.Below(6)), 2);
      if (chunk.type == 194) Put(chunk.value, static_cast<uint32_t>(input_.Below(6)), 4);
    }
    return chunk;
  }
  // One request or response, of sequence numbers close to the right ones.
  RawChunk Reconfig() {
    RawChunk chunk{130, 0, {}};
    const auto type = static_cast<uint32_t>(13 + input_.Below(7));
    std::vector<uint8_t> value;
    Put(value, type == 16 ? Near(peer_.core_initial_tsn.value) : peer_.config.initial_tsn.value + requests_, 4);
    if (type != 16 && input_.Below(4) != 0) ++requests_;
    Put(value, static_cast<uint32_t>(input_.Below(8)), 4);
    if (type == 13) Put(value, Near(peer_.next_tsn.value), 4);
    for (size_t i = input_.Below(4); i > 0 && type != 16; --i) Put(value, static_cast<uint32_t>(input_.Below(10)), 2);
    Put(chunk.value, type, 2);
    Put(chunk.value, static_cast<uint32_t>(value.size() + 4), 2);
    chunk.value.insert(chunk.value.end(), value.begin(), value.end());
    return chunk;
  }

  void HandOver(const std::vector<RawChunk>& chunks) {
    std::vector<uint8_t> packet(8192);
    PacketBuilder builder(packet, {5000, 5000, peer_.core_tag});
    for (const RawChunk& chunk : chunks) builder.Add(chunk);
    packet.resize(builder.Finish());
    peer_.HandOver(packet);
  }

  // The highest TSN of ours that went out.
  void NoteSent(uint32_t tsn) { sent_ = std::max(sent_, tsn - peer_.core_initial_tsn.value + 1); }

  void Look(const std::vector<SentPacket>& sent) {
    JSP_CHECK(sent.size() < 1000);
    for (SentPacket packet : sent) {
      packet.checksum = ChecksumPolicy::kAcceptZero;
      for (const ChunkView& view : packet.chunks()) {
        if (const auto data = DataChunk::Parse(view)) NoteSent(data->tsn.value);
        if (const auto data = IDataChunk::Parse(view)) NoteSent(data->data.tsn.value);
      }
    }
  }

  void Check() {
    Look(peer_.Drain());
    while (auto event = peer_.core.PollEvent()) {
      JSP_CHECK(ends_ == 0);
      ends_ += std::holds_alternative<event::Closed>(*event) || std::holds_alternative<event::Aborted>(*event);
    }
    JSP_CHECK(ends_ == 0 || peer_.core.state() == State::kClosed);
    JSP_CHECK(peer_.core.send_buffer_room() <= peer_.config.options.max_send_buffer);
    JSP_CHECK(peer_.core.total_buffered_amount() <= peer_.config.options.max_send_buffer);
    JSP_CHECK(peer_.core.metrics().outstanding_bytes <= peer_.config.options.max_send_buffer);
  }

  FuzzInput input_;
  ScriptedPeer peer_;
  bool is_interleaved_ = false;
  std::array<uint32_t, 10> numbers_{};  // next SSN or MID of our streams
  uint32_t sent_ = 0;                   // TSNs of the core
  uint32_t acknowledged_ = 0;
  uint32_t requests_ = 0;
  int ends_ = 0;
};

}  // namespace
}  // namespace jsp::sctp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  jsp::sctp::Script(jsp::FuzzInput({data, size})).Run();
  return 0;
}
