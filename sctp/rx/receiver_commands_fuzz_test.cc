// The containers of the receiver under commands: DataTracker and ReassemblyQueue together, as data transfer uses them,
// with DATA and with I-DATA. Any chunk may come; until the first violation everything stays consistent and bounded.
#include <string_view>
#include <vector>

#include "base/check.h"
#include "sctp/rx/data_tracker.h"
#include "sctp/rx/reassembly_queue.h"
#include "sctp/rx/rx_test_support.h"
#include "test/support/fuzz_input.h"
namespace jsp::sctp {
namespace {

using Result = ReassemblyQueue::AddResult;

class Commands {
 public:
  explicit Commands(FuzzInput input)
      : input_(input),
        framing_(input_.Flip() ? Framing::kIData : Framing::kData),
        queue_({.max_message_size = 64, .incoming_streams = 3, .framing = framing_}) {}

  void Run() {
    while (!input_.empty() && Step()) {
      JSP_CHECK(queue_.IsConsistent());
      // No chunk carries more than eleven octets; the rest is the charge for bookkeeping, which is below this.
      JSP_CHECK(queue_.buffered_bytes() <= chunks_ * (11 + 512));
      if (steps_++ % 16 == 0) JSP_CHECK(tracker_.IsConsistent());
    }
    JSP_CHECK(tracker_.IsConsistent());
    JSP_CHECK(queue_.IsConsistent());
  }

 private:
  // False after a violation, where the association aborts.
  bool Step() {
    switch (input_.Below(16)) {
      case 0:
        return Forward();
      case 1:
        Reset();
        break;
      case 2:
        Sack();
        break;
      case 3:
        while (queue_.PopMessage()) continue;
        break;
      default:
        return Add();
    }
    return true;
  }

  int64_t Offset() {
    const int64_t cumulative = tracker_.cumulative().DistanceFrom(TsnAt(0));
    const size_t kind = input_.Below(16);
    if (kind == 0) return cumulative + static_cast<int64_t>(input_.Below(65536)) * 2 - 1000;
    return kind < 8 ? cumulative + 1 : cumulative - 2 + static_cast<int64_t>(input_.Below(20));
  }

  bool Add() {
    static constexpr std::string_view kPayload = "01234567890";
    const UnwrappedTsn tsn = TsnAt(Offset());
    const Arrival arrival = tracker_.Classify(tsn);
    if (arrival == Arrival::kTooFar || arrival == Arrival::kDuplicate) {
      JSP_CHECK(tracker_.Observe(tsn) == arrival);
      return true;
    }
    DataChunk chunk = Chunk(
        tsn, kPayload.substr(0, input_.Below(12)),
        {.stream = static_cast<uint16_t>(input_.Below(4)), .ssn = static_cast<uint16_t>(input_.Below(3)), .flags = ""});
    const uint8_t bits = input_.Byte();
    chunk.mid = Mid(chunk.ssn.value);
    chunk.beginning = (bits & 3) != 0;
    chunk.end = (bits & 12) != 0;
    chunk.unordered = (bits & 16) != 0;
    chunk.fsn = chunk.beginning ? 0 : static_cast<uint32_t>(bits >> 5);
    chunk.ppid = Ppid(bits);
    const Result result = queue_.Add(tsn, chunk);
    if (result != Result::kAccepted && result != Result::kInvalidStream) return false;
    ++chunks_;
    JSP_CHECK(tracker_.Observe(tsn) == arrival);
    (void)tracker_.HandlePacketEnd();
    return queue_.CheckProgress(tracker_.cumulative()) == Result::kAccepted;
  }

  bool Forward() {
    const UnwrappedTsn tsn = TsnAt(Offset());
    if (!tracker_.HandleForwardTsn(tsn)) return true;
    JSP_CHECK(tracker_.cumulative() >= tsn);
    if (framing_ == Framing::kIData) {
      const std::vector<SkippedMessages> list{{StreamId(static_cast<uint16_t>(input_.Below(4))),
                                               static_cast<uint16_t>(input_.Below(2)),
                                               Mid(static_cast<uint32_t>(input_.Below(4)))}};
      queue_.HandleIForwardTsn(WireList<SkippedMessages>(list));
      return true;
    }
    const std::vector<SkippedStream> list{
        {StreamId(static_cast<uint16_t>(input_.Below(4))), Ssn(static_cast<uint16_t>(input_.Below(4)))}};
    queue_.HandleForwardTsn(tsn, WireList<SkippedStream>(list));
    return queue_.CheckProgress(tracker_.cumulative()) == Result::kAccepted;
  }

  void Reset() {
    const std::vector<StreamId> streams{StreamId(static_cast<uint16_t>(input_.Below(4)))};
    queue_.ResetStreams(std::span(streams).first(input_.Below(2)));
  }

  void Sack() {
    const size_t size = SackChunk::kHeaderSize + input_.Below(300);
    const SackChunk sack = tracker_.MakeSack(1, size);
    JSP_CHECK(sack.Size() <= size);
    JSP_CHECK(sack.cumulative_tsn_ack == tracker_.cumulative().Wrap());
    tracker_.HandleSackSent();
    JSP_CHECK(!tracker_.has_unacknowledged());
  }

  FuzzInput input_;
  Framing framing_;
  DataTracker tracker_{kInitialTsn};
  ReassemblyQueue queue_;
  size_t chunks_ = 0;
  size_t steps_ = 0;
};

}  // namespace
}  // namespace jsp::sctp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  jsp::sctp::Commands(jsp::FuzzInput({data, size})).Run();
  return 0;
}
