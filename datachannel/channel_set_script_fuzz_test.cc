// A channel set under a script: calls of its application, messages and resets of a peer that follows no rule, as the
// fuzzer's octets say. Every octet that came is given back to the receive window once, and nothing grows beyond its
// limit.
#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "datachannel/channel_set.h"
#include "datachannel/dcep_message.h"
#include "datachannel/ppid.h"
#include "test/support/fuzz_input.h"
namespace jsp::datachannel {
namespace {

using sctp::StreamId;

constexpr size_t kMaxChannels = 6;
constexpr uint16_t kStreams = 10;

class Script {
 public:
  explicit Script(FuzzInput input) : input_(input), set_(MakeOptions()) {
    if (input_.Flip()) Connect();
  }

  void Run() {
    while (!input_.empty()) {
      Step();
      Check();
    }
    set_.HandleDisconnected(now_);
    while (set_.PollAnyMessage()) continue;
    Check();
    JSP_CHECK(consumed_ == received_);
    while (set_.PollEvent()) continue;
    JSP_CHECK(!set_.PollTransmit(now_, {}));
    JSP_CHECK(set_.TakeStreamsToReset().empty());
  }

 private:
  static Options MakeOptions() {
    Options options;
    options.max_channels = kMaxChannels;
    options.max_unread_messages = 20;
    options.max_queued_bytes = 3000;
    options.remote_max_message_size = 1000;
    return options;
  }

  void Connect() { set_.HandleConnected(now_, input_.Flip() ? DtlsRole::kClient : DtlsRole::kServer, kStreams); }
  StreamId Stream() { return StreamId(static_cast<uint16_t>(input_.Below(kStreams + 1))); }
  ChannelId Channel() { return ChannelId(static_cast<uint32_t>(input_.Below(30))); }

  void Step() {
    const StreamId stream = Stream();
    switch (input_.Below(14)) {
      case 0:
        return Receive(stream, kPpidDcep, Open());
      case 1: {
        auto open = Open();
        open.resize(input_.Below(open.size() + 1));
        if (!open.empty()) open[input_.Below(open.size())] = input_.Byte();
        return Receive(stream, kPpidDcep, std::move(open));
      }
      case 2:
        return Receive(stream, kPpidDcep, WriteAck());
      case 3:
      case 4:
        return Receive(stream, sctp::Ppid(static_cast<uint32_t>(49 + input_.Below(10))),
                       input_.Bytes(input_.Below(20)));
      case 5:
        return set_.HandleIncomingReset(now_, std::span(&stream, 1));
      case 6:
        return set_.HandleOutgoingReset(now_, std::span(&stream, 1));
      case 7:
        if (input_.Below(8) == 0) set_.HandleOutgoingResetFailed(now_, std::span(&stream, 1));
        return;
      case 8:
        return OpenOurs();
      case 9:
        (void)set_.Send(now_, Channel(), input_.Flip() ? MessageKind::kBinary : MessageKind::kString,
                        std::vector<uint8_t>(input_.Below(1200), 'x'));
        return;
      case 10:
        return set_.CloseChannel(now_, Channel());
      case 11:
        return Association();
      case 12:
        if (input_.Flip()) {
          (void)set_.PollAnyMessage();
        } else {
          (void)set_.PollMessage(Channel());
        }
        return;
      default:
        return Drain();
    }
  }

  std::vector<uint8_t> Open() {
    const std::string label(input_.Below(8), 'l');
    OpenMessage open;
    open.label = label;
    return WriteOpen(open);
  }
  void Receive(StreamId stream, sctp::Ppid ppid, std::vector<uint8_t> payload) {
    received_ += payload.size();
    set_.HandleMessage(now_, {stream, ppid, std::move(payload)});
  }
  void OpenOurs() {
    ChannelOptions options;
    const uint8_t bits = input_.Byte();
    options.ordered = (bits & 1) != 0;
    if ((bits & 6) == 2) options.max_retransmits = bits >> 4;
    if ((bits & 6) == 4) options.max_lifetime = std::chrono::milliseconds(bits);
    if ((bits & 8) != 0) options.negotiated_id = static_cast<uint16_t>(bits >> 4);
    (void)set_.OpenChannel(now_, std::move(options));
  }
  void Association() {
    switch (input_.Below(8)) {
      case 0:
        return set_.HandleDisconnected(now_);
      case 1:
        return Connect();
      case 2:
        return set_.SetRemoteMaxMessageSize(input_.Below(1000));
      default:
        now_ = now_ + std::chrono::milliseconds(input_.Byte());
    }
  }
  void Drain() {
    while (set_.PollTransmit(now_, {})) continue;
    for (const StreamId stream : set_.TakeStreamsToReset()) JSP_CHECK(stream.value < kStreams);
    while (set_.PollEvent()) continue;
  }

  void Check() {
    consumed_ += set_.TakeConsumedBytes();
    JSP_CHECK(consumed_ <= received_);
    JSP_CHECK(set_.stats().size() <= kMaxChannels + 1);  // the one whose last event was just polled
  }

  FuzzInput input_;
  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(1));
  ChannelSet set_;
  size_t received_ = 0;
  size_t consumed_ = 0;
};

}  // namespace
}  // namespace jsp::datachannel

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  jsp::datachannel::Script(jsp::FuzzInput({data, size})).Run();
  return 0;
}
