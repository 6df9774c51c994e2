// The containers of the sender under commands: SendQueue with its scheduler and pool, and OutstandingData, together as
// RetransmissionQueue uses them. Every scheduling policy, both framings, any SACK. Nothing may be lost or counted
// twice.
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "sctp/tx/outstanding_data.h"
#include "sctp/tx/sack_test_support.h"
#include "sctp/tx/send_queue.h"
#include "test/support/fuzz_input.h"
namespace jsp::sctp {
namespace {

constexpr size_t kMaxOctets = 20'000;
constexpr uint16_t kStreams = 5;

class Commands {
 public:
  explicit Commands(FuzzInput input)
      : input_(input),
        queue_(kMaxOctets, static_cast<StreamScheduler::Policy>(input_.Below(4)), metrics_),
        framing_(input_.Flip() ? Framing::kIData : Framing::kData),
        reliability_(input_.Flip() ? Reliability::kPartial : Reliability::kFull) {
    queue_.SetFraming(framing_);
    data_.SetFraming(framing_);
    data_.SetReliability(reliability_);
  }

  void Run() {
    while (!input_.empty()) {
      Step();
      Check();
    }
    Finish();
  }

 private:
  void Step() {
    switch (input_.Below(10)) {
      case 0:
      case 1:
      case 2:
        return Add();
      case 3:
      case 4:
        return Take(input_.Below(300) + 1);
      case 5:
        return Acknowledge();
      case 6:
        return Retransmit();
      case 7:
        return Lose();
      case 8:
        return Reset();
      default:
        now_ = now_ + std::chrono::milliseconds(input_.Below(200));
    }
  }

  void Add() {
    const uint8_t bits = input_.Byte();
    const auto stream = static_cast<uint16_t>(bits % kStreams);
    const StreamId id(stream);
    const size_t size = 1 + input_.Below(2000);
    if (size > queue_.room() || queue_.is_resetting(id)) return;
    SendOptions options;
    options.unordered = (bits & 64) != 0;
    options.control = (bits & 128) != 0;
    const uint8_t limits = input_.Byte();
    if ((limits & 3) == 1) options.max_retransmits = limits >> 6;
    if ((limits & 3) == 2) options.lifetime = std::chrono::milliseconds(limits);
    options.priority = static_cast<uint16_t>(limits + 1);
    queue_.SetLowThreshold(id, limits * 16u);
    Message message = MakeMessage(stream, size);
    if (framing_ == Framing::kIData && (bits & 32) != 0) message.part = Part::kBegin;
    if (queue_.open(id) == SendQueue::Open::kAbandoned) queue_.ForgetOpen(id);
    if (queue_.open(id) == SendQueue::Open::kOpen) {
      if ((limits & 12) == 12 && reliability_ == Reliability::kPartial) return GiveUp(id);
      message.part = (limits & 4) != 0 ? Part::kEnd : Part::kMiddle;
    }
    queue_.Add(now_, std::move(message), options);
  }

  // What is open gets no end (RFC 3758 §3.5 A).
  void GiveUp(StreamId stream) {
    const uint64_t before = queue_.abandoned(stream)[AbandonPolicy::kApplication].sent;
    const auto piece = queue_.CloseOpen(stream);
    if (piece) data_.AbandonMessage(*piece);
    JSP_CHECK(queue_.abandoned(stream)[AbandonPolicy::kApplication].sent == before + (piece ? 1 : 0));
    JSP_CHECK(queue_.open(stream) == SendQueue::Open::kNone);
  }

  // The next fragment goes out for the first time.
  void Take(size_t max_length) {
    const auto handle = queue_.Front(now_, reliability_);
    if (!handle) {
      JSP_CHECK(queue_.empty());
      return;
    }
    JSP_CHECK(queue_.Front(now_, reliability_) == handle);
    const OutgoingMessage& before = queue_.message(*handle);
    const size_t left = before.size() - before.fragmented;
    JSP_CHECK(left > 0);
    const Part part = before.message.part;
    const Fragment fragment = queue_.Take(std::min(left, max_length));
    JSP_CHECK(fragment.message == *handle);
    JSP_CHECK(fragment.ends == (fragment.length == left && Ends(part)));
    const OutgoingMessage& message = queue_.message(*handle);
    JSP_CHECK(fragment.begins == (message.fragmented == fragment.length && Begins(part)));
    // RFC 8260 §2.1: from 0, through all pieces.
    uint32_t& fsn = fsns_[message.message.stream.value];
    JSP_CHECK(fragment.fsn == (fragment.begins ? 0 : fsn + 1));
    fsn = fragment.fsn;
    if (framing_ == Framing::kData) {
      // RFC 9260 §6.9: what has begun goes out before anything else begins.
      JSP_CHECK(!unfinished_ || *unfinished_ == *handle);
      unfinished_ = fragment.ends ? std::nullopt : handle;
    }
    if (fragment.begins) CountMid(message);
    data_.Add(fragment);
  }

  // RFC 9260 §6.5, RFC 8260 §2.1: message identifiers go up by one, from 0, of ordered and unordered messages apart.
  void CountMid(const OutgoingMessage& message) {
    if (framing_ == Framing::kData && message.unordered) return;
    uint32_t& next = mids_[{message.message.stream.value, message.unordered}];
    JSP_CHECK(message.mid == Mid(next));
    ++next;
  }

  void Acknowledge() {
    std::vector<GapAckBlock> blocks;
    const auto reach = static_cast<int64_t>(input_.Below(data_.size() + 3));
    for (size_t i = input_.Below(4); i > 0; --i) {
      const auto start = static_cast<uint16_t>((blocks.empty() ? 0 : blocks.back().end) + 2 + input_.Below(4));
      blocks.push_back({start, static_cast<uint16_t>(start + input_.Below(4))});
    }
    const int64_t cumulative = data_.first_tsn().DistanceFrom(TsnAt(0)) + reach - 2;
    const Sack sack(cumulative, std::move(blocks));
    if (data_.Validate(sack.chunk()) != SackVerdict::kValid) return;
    const auto result = data_.Apply(now_, sack.chunk(), static_cast<OutstandingData::RecoveryPhase>(input_.Below(3)));
    JSP_CHECK(data_.first_tsn() == TsnAt(cumulative + 1));
    acknowledged_ += result.octets_acknowledged;
    ForgetFinished();
  }

  // An unfinished message may have been abandoned.
  void ForgetFinished() {
    if (unfinished_ && !queue_.is_idle() && queue_.message(*unfinished_).abandoned) unfinished_.reset();
    if (queue_.is_idle()) unfinished_.reset();
  }

  void Retransmit() {
    if (const auto tsn = data_.NextLost(now_)) {
      data_.MarkRetransmitted(*tsn);
      JSP_CHECK(!data_.IsAcknowledged(*tsn));
    }
    ForgetFinished();
  }

  void Lose() {
    switch (input_.Below(4)) {
      case 0:
        data_.MarkAllLost(now_);
        JSP_CHECK(data_.flight_octets() == 0);
        break;
      case 1:
        if (!data_.empty() && reliability_ == Reliability::kPartial) {
          const auto at = static_cast<int64_t>(input_.Below(data_.size()));
          const int64_t first = data_.first_tsn().DistanceFrom(TsnAt(0));
          data_.AbandonMessage(data_.at(TsnAt(first + at)).message);
        }
        break;
      default:
        Forward();
    }
    ForgetFinished();
  }

  void Forward() {
    if (!data_.AdvancePeerAckPoint()) return;
    const size_t room = 40 + input_.Below(100);
    if (framing_ == Framing::kIData) {
      JSP_CHECK(data_.BuildIForwardTsn(room).Size() <= room);
    } else {
      JSP_CHECK(data_.BuildForwardTsn(room).Size() <= room);
    }
    JSP_CHECK(data_.peer_ack_point() < data_.next_tsn());
  }

  void Reset() {
    const StreamId stream(static_cast<uint16_t>(input_.Below(kStreams)));
    const auto result = input_.Flip() ? SendQueue::ResetResult::kPerformed : SendQueue::ResetResult::kFailed;
    if (!queue_.is_resetting(stream)) queue_.BeginReset(stream);
    while (const auto drained = queue_.PopDrained()) {
      JSP_CHECK(queue_.is_resetting(*drained));
      JSP_CHECK(queue_.buffered_amount(*drained) == 0);
      queue_.EndReset(*drained, result);
      if (result == SendQueue::ResetResult::kPerformed) {
        mids_.erase({drained->value, false});
        mids_.erase({drained->value, true});
      }
    }
    while (const auto low = queue_.PopLowStream()) JSP_CHECK(low->value < kStreams);
  }

  void Check() const {
    JSP_CHECK(data_.IsConsistent());
    JSP_CHECK(queue_.IsConsistent());
    JSP_CHECK(metrics_.messages_abandoned >= metrics_.abandoned.total());
    size_t buffered = 0;
    for (uint16_t stream = 0; stream < kStreams; ++stream) buffered += queue_.buffered_amount(StreamId(stream));
    JSP_CHECK(buffered == queue_.total_buffered_amount());
    JSP_CHECK(queue_.room() <= kMaxOctets);
    JSP_CHECK(queue_.room() + buffered <= kMaxOctets);
    JSP_CHECK(!queue_.is_idle() || (queue_.empty() && buffered == 0 && queue_.room() == kMaxOctets));
  }

  // Everything goes out and is acknowledged: nothing is left anywhere.
  void Finish() {
    while (!queue_.empty()) {
      const size_t before = data_.size();
      Take(1000);
      if (data_.size() == before) break;  // what was left was past its lifetime
    }
    JSP_CHECK(queue_.empty());
    JSP_CHECK(queue_.total_buffered_amount() == 0);
    if (!data_.empty()) {
      const int64_t last = data_.next_tsn().DistanceFrom(TsnAt(0)) - 1;
      const Sack all(last);
      JSP_CHECK(data_.Validate(all.chunk()) == SackVerdict::kValid);
      data_.Apply(now_, all.chunk(), OutstandingData::RecoveryPhase::kNone);
    }
    Check();
    JSP_CHECK(data_.empty());
    JSP_CHECK(queue_.is_idle());
  }

  FuzzInput input_;
  Timestamp now_ = At(0);
  Metrics metrics_;
  SendQueue queue_;
  OutstandingData data_{kFirstTsn, queue_};
  Framing framing_;
  Reliability reliability_;
  std::optional<MessageHandle> unfinished_;
  std::map<std::pair<uint16_t, bool>, uint32_t> mids_;
  std::map<uint16_t, uint32_t> fsns_;  // of the last fragment of each stream
  size_t acknowledged_ = 0;
};

}  // namespace
}  // namespace jsp::sctp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  jsp::sctp::Commands(jsp::FuzzInput({data, size})).Run();
  return 0;
}
