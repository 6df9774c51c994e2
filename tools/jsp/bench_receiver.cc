#include "tools/jsp/bench_receiver.h"

#include <malloc.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tools/jsp/bench_loop.h"

namespace jsp::tool {
namespace {

using transport::Peer;
using transport::PeerEvent;
using transport::SdpType;

struct Tally {
  uint64_t messages = 0;
};

class Served : public transport::io::PeerObserver {
 public:
  Served(BenchLoop& loop, Tally& tally) : tally_(&tally) {
    handle_ = loop.driver(0).AddPeer(loop.peer_options(), *this);
  }
  Expected<std::string, transport::DescriptionError> Answer(const std::string& offer) {
    const auto set =
        handle_.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, offer); });
    if (!set) return Unexpected<transport::DescriptionError>(set.error());
    return handle_.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); });
  }
  uint64_t octets() const { return octets_; }
  void HandlePeerEvent(PeerEvent& event) override {
    if (const auto* opened = std::get_if<datachannel::event::ChannelOpenedByPeer>(&event)) {
      const auto* options = handle_.peer().channel_options(opened->channel);  // none: it is closed again
      echoes_ = options != nullptr && options->label == kBenchEcho;
    } else if (std::holds_alternative<datachannel::event::MessagesWaiting>(event)) {
      handle_.Call([&](Peer& p, Timestamp now) { Read(p, now); });
    }
  }

 private:
  void Read(Peer& peer, Timestamp now) {
    while (auto message = peer.PollAnyMessage(now)) {
      octets_ += message->payload.size();
      ++tally_->messages;
      if (echoes_) (void)peer.Send(now, message->channel, message->kind, std::move(message->payload));
    }
  }

  Tally* tally_;
  uint64_t octets_ = 0;
  bool echoes_ = false;
  transport::io::PeerHandle handle_;  // last: what it silences goes after it
};

class Receiver {
 public:
  explicit Receiver(BenchLoop& loop) : loop_(&loop) {}
  void Run() {
    loop_->Listen([this](LinkMessage& message) { Handle(message); });
    loop_->RunUntil([this] { return is_done_; }, BenchLoop::Clock::time_point::max());
  }

 private:
  void Handle(LinkMessage& message) {
    switch (message.kind) {
      case LinkKind::kOffer:
        return Answer(message);
      case LinkKind::kClose:
        if (message.index < served_.size()) served_[message.index].reset();
        return;
      case LinkKind::kAskReport:
        if (message.index == 1) ::malloc_trim(0);
        return Report();
      case LinkKind::kFailed:
        is_done_ = true;
        return;
      case LinkKind::kAnswer:
      case LinkKind::kReport:
        return;
    }
  }
  void Answer(const LinkMessage& message) {
    if (message.index >= served_.size()) served_.resize(message.index + 1);
    auto& served = served_[message.index];
    served = std::make_unique<Served>(*loop_, tally_);
    const auto answer = served->Answer(message.body);
    loop_->link().Send(answer ? LinkKind::kAnswer : LinkKind::kFailed, message.index,
                       answer ? *answer : answer.error().message);
  }
  void Report() {
    BenchReport report{loop_->Measure(), {}};
    report.messages = tally_.messages;
    for (const auto& served : served_) {
      if (served) report.octets.push_back(served->octets());
    }
    loop_->link().Send(LinkKind::kReport, 0, EncodeReport(report));
  }

  BenchLoop* loop_;
  Tally tally_;
  std::vector<std::unique_ptr<Served>> served_;  // by index
  bool is_done_ = false;
};

}  // namespace

void RunBenchReceiver(BenchLink link, Duration busy_poll) {
  auto loop = BenchLoop::Open(std::move(link), 1, {.ports = 1, .busy_poll = busy_poll});
  if (!loop) return;  // the other process hears that the link is gone
  Receiver(**loop).Run();
}

}  // namespace jsp::tool
