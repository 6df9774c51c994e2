#include "tools/jsp/bench_receiver.h"

#include <malloc.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/jsp/bench_loops.h"

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
  Served(transport::io::Driver& driver, const transport::PeerOptions& options, Tally& tally) : tally_(&tally) {
    handle_ = driver.AddPeer(options, *this);
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
  explicit Receiver(BenchLoops& loops) : loops_(&loops), serving_(loops.size()) {}
  void Run() {
    loops_->Listen([this](LinkMessage& message) { Handle(message); });
    loops_->RunUntil([this] { return is_done_; }, BenchLoops::Clock::time_point::max());
    loops_->Stop();
  }

 private:
  // What is on one loop, and used there only.
  struct alignas(64) Serving {
    Tally tally;
    std::vector<std::unique_ptr<Served>> served;  // by index
  };
  struct Received {
    uint64_t messages = 0;
    std::vector<std::pair<size_t, uint64_t>> octets;  // by index
  };

  void Handle(LinkMessage& message) {
    switch (message.kind) {
      case LinkKind::kOffer:
        return Answer(message);
      case LinkKind::kClose:
        if (message.index >= loop_of_.size()) return;
        return loops_->On(loop_of_[message.index], [this, loop = loop_of_[message.index], index = message.index] {
          serving_[loop].served[index].reset();
        });
      case LinkKind::kHoldUp:
        return loops_->HoldUp();
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
  void Answer(LinkMessage& message) {
    const size_t loop = loops_->LoopOfOffer(message.body);
    if (message.index >= loop_of_.size()) loop_of_.resize(message.index + 1);
    loop_of_[message.index] = loop;
    loops_->On(loop, [this, loop, index = message.index, offer = std::move(message.body)] {
      auto& [tally, all] = serving_[loop];
      if (index >= all.size()) all.resize(index + 1);
      all[index] = std::make_unique<Served>(loops_->driver_of(loop), loops_->peer_options(), tally);
      loops_->On(0, [this, index, answer = all[index]->Answer(offer)] {
        loops_->link().Send(answer ? LinkKind::kAnswer : LinkKind::kFailed, index,
                            answer ? *answer : answer.error().message);
      });
    });
  }
  void Report() {
    const auto collect = [this](size_t loop) {
      const auto& [tally, all] = serving_[loop];
      Received received{tally.messages, {}};
      for (size_t index = 0; index < all.size(); ++index) {
        if (all[index]) received.octets.emplace_back(index, all[index]->octets());
      }
      return received;
    };
    loops_->Gather(collect, [this](const std::vector<Received>& all) {
      loops_->Measure([this, all](const BenchCounters& counters) { Send(counters, all); });
    });
  }
  void Send(const BenchCounters& counters, const std::vector<Received>& all) {
    BenchReport report{counters, {}};
    std::vector<std::pair<size_t, uint64_t>> octets;
    for (const Received& one : all) {
      report.messages += one.messages;
      octets.insert(octets.end(), one.octets.begin(), one.octets.end());
    }
    std::ranges::sort(octets);
    for (const auto& [index, count] : octets) report.octets.push_back(count);
    loops_->link().Send(LinkKind::kReport, 0, EncodeReport(report));
  }

  BenchLoops* loops_;
  std::vector<Serving> serving_;  // by loop
  std::vector<size_t> loop_of_;   // by index
  bool is_done_ = false;
};

}  // namespace

void RunBenchReceiver(BenchLink link, const BenchLoops::Options& options) {
  auto opened = BenchLoops::Open(std::move(link), options);
  if (!opened) return;  // the other process hears that the link is gone
  Receiver(**opened).Run();
}

}  // namespace jsp::tool
