#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "datachannel/channel_set.h"
namespace jsp::datachannel {
namespace {

using sctp::StreamId;

constexpr Timestamp kNow = Timestamp::FromEpoch(std::chrono::seconds(1));
constexpr uint16_t kStreams = 16;

// What travels: a DATA chunk (one message each), or one half of a stream reset (RFC 6525 §4.1, §4.4).
struct Data {
  uint64_t tsn;
  std::optional<uint64_t> ssn;  // nullopt: unordered
  sctp::Message message;
};
struct ResetRequest {
  uint64_t last_tsn;  // RFC 6525 §4.1: sender's last assigned TSN
  std::vector<StreamId> streams;
};
struct ResetResponse {
  std::vector<StreamId> streams;
};
using Item = std::variant<Data, ResetRequest, ResetResponse>;

// One end of an association over a network that delivers everything once, in any order at all: what SCTP with
// retransmissions makes of loss and reordering. Sends in stream order, resets as RFC 6525 §5.1.2 and §5.2.2 say.
class FakeEnd {
 public:
  explicit FakeEnd(ChannelSet& set) : set_(set) {}

  // The owner's duties: output to the association, then the resets.
  void Drain(std::vector<Item>& network) {
    while (auto transmit = set_.PollTransmit(kNow, {})) Send(std::move(*transmit), network);
    for (StreamId stream : set_.TakeStreamsToReset()) {
      ASSERT_TRUE(resetting_.insert(stream).second) << "a stream is reset twice at once";
      to_request_.push_back(stream);
    }
    MaybeRequest(network);
    consumed_ += set_.TakeConsumedBytes();
  }

  void Receive(Item item, std::vector<Item>& network) {
    if (auto* data = std::get_if<Data>(&item)) {
      ReceiveData(std::move(*data));
    } else if (auto* request = std::get_if<ResetRequest>(&item)) {
      pending_ = std::move(*request);
    } else {
      const auto& streams = std::get<ResetResponse>(item).streams;
      for (StreamId stream : streams) {
        resetting_.erase(stream);
        next_ssn_.erase(stream);
      }
      requested_ = false;
      set_.HandleOutgoingReset(kNow, streams);
    }
    MaybePerform(network);
    Drain(network);
  }

  size_t received() const { return received_; }
  size_t consumed() const { return consumed_; }

 private:
  void Send(ChannelSet::Transmit transmit, std::vector<Item>& network) {
    const StreamId stream = transmit.message.stream;
    ASSERT_FALSE(resetting_.contains(stream)) << "data on a stream whose reset is under way";
    std::optional<uint64_t> ssn;
    if (!transmit.options.unordered) ssn = next_ssn_[stream]++;
    network.push_back(Data{++last_tsn_, ssn, std::move(transmit.message)});
  }

  // RFC 6525 §5.1.1: at most one request is outstanding.
  void MaybeRequest(std::vector<Item>& network) {
    if (requested_ || to_request_.empty()) return;
    requested_ = true;
    network.push_back(ResetRequest{last_tsn_, std::exchange(to_request_, {})});
  }

  void ReceiveData(Data data) {
    tsns_.insert(data.tsn);
    while (!tsns_.empty() && *tsns_.begin() == cumulative_ + 1) {
      tsns_.erase(tsns_.begin());
      ++cumulative_;
    }
    if (!data.ssn) return Deliver(std::move(data.message));
    const StreamId stream = data.message.stream;
    waiting_[stream].emplace(*data.ssn, std::move(data.message));
    auto& waiting = waiting_[stream];
    uint64_t& expected = expected_ssn_[stream];
    while (!waiting.empty() && waiting.begin()->first == expected) {
      Deliver(std::move(waiting.begin()->second));
      waiting.erase(waiting.begin());
      ++expected;
    }
  }

  void Deliver(sctp::Message message) {
    received_ += message.payload.size();
    set_.HandleMessage(kNow, std::move(message));
  }

  // RFC 6525 §5.2.2 E2, E4: only once everything up to the sender's last assigned TSN has arrived.
  void MaybePerform(std::vector<Item>& network) {
    if (!pending_ || cumulative_ < pending_->last_tsn) return;
    const auto streams = std::move(pending_->streams);
    pending_.reset();
    for (StreamId stream : streams) {
      ASSERT_TRUE(waiting_[stream].empty());
      expected_ssn_.erase(stream);
    }
    network.push_back(ResetResponse{streams});
    set_.HandleIncomingReset(kNow, streams);
  }

  ChannelSet& set_;
  uint64_t last_tsn_ = 0;
  std::map<StreamId, uint64_t> next_ssn_;
  std::set<StreamId> resetting_;
  std::vector<StreamId> to_request_;
  bool requested_ = false;
  std::set<uint64_t> tsns_;
  uint64_t cumulative_ = 0;
  std::map<StreamId, uint64_t> expected_ssn_;
  std::map<StreamId, std::map<uint64_t, sctp::Message>> waiting_;
  std::optional<ResetRequest> pending_;
  size_t received_ = 0;
  size_t consumed_ = 0;
};

// What one side's application did with the channels of one label, and saw of them.
struct Account {
  std::vector<std::string> sent;
  std::vector<std::string> received;
  bool ordered = true;
  bool closed_here = false;
  bool seen_closed = false;
};

// One side: the set, its association, and an application that opens, writes, reads and closes at random. Labels are
// unique, and every message names the label that it was sent under.
class Side {
 public:
  Side(std::string name, DtlsRole role) : name_(std::move(name)), role_(role) {
    Options options;
    options.max_channels = 64;
    set_.emplace(options);
    end_.emplace(*set_);
  }

  void Connect() { set_->HandleConnected(kNow, role_, kStreams); }

  void Act(Rng& rng, std::vector<Item>& network) {
    switch (rng.Below(8)) {
      case 0:
      case 1:
        OpenOne(rng);
        break;
      case 2:
      case 3:
      case 4:
        SendOne(rng);
        break;
      case 5:
        CloseOne(rng);
        break;
      default:
        Poll(static_cast<int>(rng.Below(5)));
    }
    if (rng.Below(2) == 0) end_->Drain(network);
  }

  void Poll(int most) {
    for (int i = 0; i < most; ++i) {
      auto event = set_->PollEvent();
      if (!event) break;
      HandleEvent(*event);
    }
    for (int i = 0; i < most; ++i) {
      auto message = set_->PollAnyMessage();
      if (!message) break;
      const std::string text(message->payload.begin(), message->payload.end());
      const ChannelOptions* options = set_->options(message->channel);
      ASSERT_NE(options, nullptr);
      accounts_[options->label].received.push_back(text);
    }
  }

  void CloseAll() {
    for (const auto& stats : set_->stats()) Close(stats.id);
  }

  ChannelSet& set() { return *set_; }
  FakeEnd& end() { return *end_; }
  const std::map<std::string, Account>& accounts() const { return accounts_; }

 private:
  void OpenOne(Rng& rng) {
    ChannelOptions options;
    options.label = name_ + std::to_string(opened_++);
    options.ordered = rng.Below(2) == 0;
    const bool ordered = options.ordered;
    const std::string label = options.label;
    const auto channel = set_->OpenChannel(kNow, std::move(options));
    if (!channel) return;
    labels_[*channel] = label;
    accounts_[label].ordered = ordered;
  }

  void SendOne(Rng& rng) {
    const auto channel = Pick(rng);
    if (!channel) return;
    Account& account = accounts_[labels_.at(*channel)];
    const std::string text = labels_.at(*channel) + "#" + std::to_string(account.sent.size());
    if (set_->Send(kNow, *channel, MessageKind::kString, {text.begin(), text.end()})) account.sent.push_back(text);
  }

  void CloseOne(Rng& rng) {
    if (const auto channel = Pick(rng)) Close(*channel);
  }

  void Close(ChannelId channel) {
    const auto label = labels_.find(channel);
    if (label == labels_.end()) return;  // its ChannelOpenedByPeer was not polled yet
    const ChannelState state = set_->state(channel);
    if (state == ChannelState::kConnecting || state == ChannelState::kOpen) accounts_[label->second].closed_here = true;
    set_->CloseChannel(kNow, channel);
  }

  std::optional<ChannelId> Pick(Rng& rng) {
    if (labels_.empty()) return std::nullopt;
    // Mostly among the latest, which are the ones alive.
    const size_t back = rng.Below(std::min<size_t>(labels_.size(), 12));
    return std::prev(labels_.end(), static_cast<long>(back) + 1)->first;
  }

  void HandleEvent(const Event& event) {
    if (const auto* opened = std::get_if<event::ChannelOpenedByPeer>(&event)) {
      const ChannelOptions* options = set_->options(opened->channel);
      ASSERT_NE(options, nullptr);
      labels_[opened->channel] = options->label;
      accounts_[options->label].ordered = options->ordered;
    } else if (const auto* closed = std::get_if<event::ChannelClosed>(&event)) {
      Account& account = accounts_[labels_.at(closed->channel)];
      EXPECT_FALSE(account.seen_closed) << "closed twice";
      account.seen_closed = true;
    }
  }

  std::string name_;
  DtlsRole role_;
  std::optional<ChannelSet> set_;
  std::optional<FakeEnd> end_;
  int opened_ = 0;
  std::map<ChannelId, std::string> labels_;
  std::map<std::string, Account> accounts_;
};

struct World {
  explicit World(uint64_t seed) : rng(Rng::FromNumber(seed)) {}

  // Delivers one item of either direction, whichever the dice say.
  void DeliverOne() {
    auto& network = rng.Below(2) == 0 ? to_a : to_z;
    if (network.empty()) return;
    std::swap(network[rng.Below(network.size())], network.back());
    Item item = std::move(network.back());
    network.pop_back();
    if (&network == &to_a) {
      a.end().Receive(std::move(item), to_z);
    } else {
      z.end().Receive(std::move(item), to_a);
    }
  }

  void Settle() {
    for (int quiet = 0; quiet < 3; ++quiet) {
      a.end().Drain(to_z);
      z.end().Drain(to_a);
      while (!to_a.empty() || !to_z.empty()) DeliverOne();
      a.Poll(1'000'000);
      z.Poll(1'000'000);
    }
    a.end().Drain(to_z);
    z.end().Drain(to_a);
  }

  Rng rng;
  Side a{"a", DtlsRole::kClient};
  Side z{"z", DtlsRole::kServer};
  std::vector<Item> to_a;
  std::vector<Item> to_z;
};

bool IsPrefix(const std::vector<std::string>& shorter, const std::vector<std::string>& longer) {
  return shorter.size() <= longer.size() && std::equal(shorter.begin(), shorter.end(), longer.begin());
}

// What `to` received under each label against what `from` sent under it.
void CheckDelivery(const Side& from, const Side& to) {
  for (const auto& [label, received] : to.accounts()) {
    const auto found = from.accounts().find(label);
    if (found == from.accounts().end()) {  // closed before the other side heard of it
      EXPECT_TRUE(received.received.empty()) << label;
      continue;
    }
    const Account& sent = found->second;
    if (sent.ordered) {
      EXPECT_TRUE(IsPrefix(received.received, sent.sent)) << label << ": out of order or of another channel";
    } else {
      const std::set<std::string> once(received.received.begin(), received.received.end());
      const std::set<std::string> all(sent.sent.begin(), sent.sent.end());
      EXPECT_EQ(once.size(), received.received.size()) << label << ": delivered twice";
      EXPECT_TRUE(std::ranges::includes(all, once)) << label << ": of another channel";
    }
    if (!received.closed_here) {
      EXPECT_EQ(received.received.size(), sent.sent.size()) << label << ": sent before the close, and lost";
    }
  }
}

void CheckDrops(ChannelSet& set) {
  for (size_t reason = 0; reason < static_cast<size_t>(DropReason::kCount); ++reason) {
    if (reason == static_cast<size_t>(DropReason::kClosedChannel)) continue;
    EXPECT_EQ(set.metrics().dropped[reason], 0u) << ToString(static_cast<DropReason>(reason));
  }
}

class ChannelSetPropertyTest : public testing::TestWithParam<uint64_t> {};

TEST_P(ChannelSetPropertyTest, P29_NoMessageReachesTheNextChannelOfAReusedIdWhateverTheOrder) {
  World world(GetParam());
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int step = 0; step < 40; ++step) {  // before there is a connection
    world.a.Act(world.rng, world.to_z);
    world.z.Act(world.rng, world.to_a);
  }
  world.a.Connect();
  world.z.Connect();
  for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) {
    world.a.Act(world.rng, world.to_z);
    world.z.Act(world.rng, world.to_a);
    for (uint64_t i = world.rng.Below(8); i > 0; --i) world.DeliverOne();
  }
  world.Settle();
  world.a.CloseAll();
  world.z.CloseAll();
  world.Settle();
  CheckDelivery(world.a, world.z);
  CheckDelivery(world.z, world.a);
  for (Side* side : {&world.a, &world.z}) {
    for (const auto& [label, account] : side->accounts()) EXPECT_TRUE(account.seen_closed) << label;
    EXPECT_EQ(side->end().consumed(), side->end().received());
    EXPECT_GT(side->set().metrics().channels_opened, 2u * kStreams) << "ids were reused";
    CheckDrops(side->set());
    while (side->set().PollEvent()) continue;
    EXPECT_TRUE(side->set().stats().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChannelSetPropertyTest, testing::Range<uint64_t>(1, 41));

}  // namespace
}  // namespace jsp::datachannel
