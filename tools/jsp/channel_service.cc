#include "tools/jsp/channel_service.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/crypto.h"
#include "base/payload.h"

namespace jsp::tool {

using datachannel::ChannelId;
using datachannel::MessageKind;
using transport::Peer;

namespace {

constexpr size_t kMaxMessage = 256 * 1024;  // of what we accept, and send as a source
// A stalled session continues when this much room is back: often enough to keep the path busy, seldom enough not to
// wake up for every acknowledgement.
constexpr size_t kResumeRoom = 1024 * 1024;
constexpr size_t kPatternPeriod = 251;  // prime, so that no message boundary repeats the pattern's phase

}  // namespace

// One channel of the peer. Step() does at most one message or kMaxMessage octets of one, and only with room for as
// much.
class ChannelWorker {
 public:
  enum class Progress : uint8_t { kIdle, kDidWork };

  ChannelWorker(ChannelId channel, ServiceKind kind) : channel_(channel), kind_(kind) {}

  Progress Step(Peer& peer, Timestamp now) {
    if (kind_.kind == ServiceKind::Kind::kSource && !is_source_done_) return StepSource(peer, now);
    if (unsent_) {
      EchoSome(peer, now);
      return Progress::kDidWork;
    }
    auto message = peer.PollMessage(now, channel_);
    if (!message) return Progress::kIdle;
    if (kind_.kind == ServiceKind::Kind::kEcho) {
      unsent_ = std::move(*message);
      unsent_from_ = 0;
      EchoSome(peer, now);
    } else if (kind_.kind == ServiceKind::Kind::kSink) {
      Sink(peer, now, *message);
    }
    return Progress::kDidWork;
  }

 private:
  void Send(Peer& peer, Timestamp now, MessageKind kind, Payload payload, Part part = Part::kWhole) {
    // The peer's limit is below what it sent us, it does not take messages in pieces, or it closes the channel
    // meanwhile: an answer is impossible.
    if (!peer.Send(now, channel_, kind, std::move(payload), part)) peer.CloseChannel(now, channel_);
  }
  // Sends back what was read, in pieces where it came in pieces; a piece may be as large as the receive window.
  void EchoSome(Peer& peer, Timestamp now) {
    datachannel::ReceivedMessage& from = *unsent_;
    const size_t left = from.payload.size() - unsent_from_;
    if (unsent_from_ == 0 && left <= kMaxMessage) {
      Send(peer, now, from.kind, std::move(from.payload), from.part);
      return unsent_.reset();
    }
    const bool is_last = left <= kMaxMessage;
    const auto* octets = from.payload.data() + unsent_from_;
    const bool begins = unsent_from_ == 0 && sctp::Begins(from.part);
    const bool ends = is_last && sctp::Ends(from.part);
    unsent_from_ += std::min(left, kMaxMessage);
    Send(peer, now, from.kind, {octets, octets + std::min(left, kMaxMessage)},
         begins ? Part::kBegin
         : ends ? Part::kEnd
                : Part::kMiddle);
    if (is_last) unsent_.reset();
  }
  void SendReport(Peer& peer, Timestamp now) {
    // Asked again with nothing new: the answer was lost on an unreliable channel.
    if (messages_ > 0 || report_.empty()) {
      const auto digest = hasher_.Finish();
      report_ = boost::json::serialize(
          boost::json::object{{"bytes", bytes_}, {"messages", messages_}, {"sha256", crypto::Hex(digest)}});
      bytes_ = messages_ = 0;
    }
    Send(peer, now, MessageKind::kString, {report_.begin(), report_.end()});
  }
  void Sink(Peer& peer, Timestamp now, const datachannel::ReceivedMessage& message) {
    const std::string_view text(reinterpret_cast<const char*>(message.payload.data()), message.payload.size());
    const bool is_whole = message.part == Part::kWhole;
    if (is_whole && message.kind == MessageKind::kString && text == "done") return SendReport(peer, now);
    CountOctets(message.payload);
    if (is_whole || message.part == Part::kEnd) ++messages_;
  }
  Progress StepSource(Peer& peer, Timestamp now) {
    if (bytes_ >= kind_.bytes) {
      is_source_done_ = true;
      SendReport(peer, now);
      return Progress::kDidWork;
    }
    auto payload =
        SourcePayload(bytes_, static_cast<size_t>(std::min<uint64_t>(kind_.message_size, kind_.bytes - bytes_)));
    CountOctets(payload);
    ++messages_;
    Send(peer, now, MessageKind::kBinary, std::move(payload));
    const auto state = peer.channel_state(channel_);
    is_source_done_ = state == datachannel::ChannelState::kClosing || state == datachannel::ChannelState::kClosed;
    return Progress::kDidWork;
  }
  void CountOctets(std::span<const uint8_t> payload) {
    bytes_ += payload.size();
    hasher_.Update(payload);
  }

  ChannelId channel_;
  ServiceKind kind_;
  bool is_source_done_ = false;
  std::optional<datachannel::ReceivedMessage> unsent_;  // of an echo
  size_t unsent_from_ = 0;
  uint64_t bytes_ = 0;
  uint64_t messages_ = 0;
  crypto::Sha256Hasher hasher_;
  std::string report_;  // the last one
};

std::vector<uint8_t> SourcePayload(uint64_t offset, size_t size) {
  std::vector<uint8_t> payload(size);
  size_t phase = static_cast<size_t>(offset % kPatternPeriod);
  for (auto& octet : payload) {
    octet = static_cast<uint8_t>(phase);
    if (++phase == kPatternPeriod) phase = 0;
  }
  return payload;
}

ServiceKind ParseServiceLabel(std::string_view label) {
  if (label == "sink") return {.kind = ServiceKind::Kind::kSink};
  constexpr std::string_view kPrefix = "source:";
  if (!label.starts_with(kPrefix)) return {};
  ServiceKind kind{.kind = ServiceKind::Kind::kSource};
  const char* end = label.data() + label.size();
  const auto bytes = std::from_chars(label.data() + kPrefix.size(), end, kind.bytes);
  if (bytes.ec != std::errc() || bytes.ptr == end || *bytes.ptr != ':') return {};
  const auto size = std::from_chars(bytes.ptr + 1, end, kind.message_size);
  if (size.ec != std::errc() || size.ptr != end || kind.message_size == 0 || kind.message_size > kMaxMessage) return {};
  return kind;
}

ChannelService::ChannelService(signaling::Session& session, Delivery delivery)
    : session_(&session), delivery_(delivery) {}
ChannelService::~ChannelService() = default;

void ChannelService::OpenNegotiated(uint16_t id, std::string label) {
  const auto opened = session_->peer().Call([&](Peer& peer, Timestamp now) {
    return peer.OpenChannel(now, {.label = std::move(label), .negotiated_id = id});
  });
  if (opened) Add(*opened);
}

void ChannelService::HandlePeerEvent(transport::PeerEvent& event) {
  if (const auto* opened = std::get_if<datachannel::event::ChannelOpenedByPeer>(&event)) Add(opened->channel);
  if (const auto* closed = std::get_if<datachannel::event::ChannelClosed>(&event)) Remove(closed->channel);
  Work();
}

void ChannelService::HandleRoom() { Work(); }

void ChannelService::Add(ChannelId channel) {
  const auto* options = session_->peer().peer().channel_options(channel);
  if (options == nullptr) return;
  session_->peer().Call([&](Peer& peer, Timestamp now) { peer.SetDelivery(now, channel, delivery_); });
  workers_[channel.value] = std::make_unique<ChannelWorker>(channel, ParseServiceLabel(options->label));
}

// What nobody will read any more still fills the receive window.
void ChannelService::Remove(ChannelId channel) {
  workers_.erase(channel.value);
  session_->peer().Call([&](Peer& peer, Timestamp now) {
    while (peer.PollMessage(now, channel)) {
    }
  });
}

void ChannelService::Work() {
  auto& handle = session_->peer();
  if (!handle || workers_.empty()) return;
  const bool is_full = handle.Call([&](Peer& peer, Timestamp now) {
    for (bool did_work = true; did_work;) {
      did_work = false;
      for (auto& [id, worker] : workers_) {
        if (peer.send_buffer_room() < kMaxMessage) return true;
        did_work |= worker->Step(peer, now) == ChannelWorker::Progress::kDidWork;
      }
    }
    return false;
  });
  if (is_full) handle.WaitForRoom(kResumeRoom);
}

}  // namespace jsp::tool
