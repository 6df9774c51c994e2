#include "tools/jsp/bench_sender.h"

#include <algorithm>
#include <chrono>

#include "tools/jsp/bench_receiver.h"
#include "tools/jsp/output.h"
#include "transport/asio/steady_clock.h"

namespace jsp::tool {
namespace {

using transport::Peer;
using transport::PeerEvent;
using transport::SdpType;
using transport::io::Now;

constexpr size_t kPingOctets = 64;
constexpr double kPatience = 60;  // seconds without a new connection, or for an answer of the other process
constexpr double kWarmUp = 1;     // seconds
constexpr int kMaxWarmUps = 5;
constexpr int kHoldUps = 4;            // of each process in a warm-up
constexpr size_t kBuffered = 1 << 20;  // octets under way on one connection, where there is one

double ToUnits(Duration duration, Duration unit) {
  return static_cast<double>(duration.count()) / static_cast<double>(unit.count());
}

BenchLoops::Clock::time_point After(double seconds) {
  return BenchLoops::Clock::now() +
         std::chrono::duration_cast<BenchLoops::Clock::duration>(std::chrono::duration<double>(seconds));
}

BenchCounters Difference(const BenchCounters& later, const BenchCounters& earlier) {
  BenchCounters difference = later;  // heap and resident octets stay what they are
  difference.seconds -= earlier.seconds;
  difference.cpu_seconds -= earlier.cpu_seconds;
  difference.allocations -= earlier.allocations;
  difference.system_calls -= earlier.system_calls;
  difference.messages -= earlier.messages;
  difference.handed_over -= earlier.handed_over;
  return difference;
}

Spread SpreadOf(std::vector<double>& values) {
  std::ranges::sort(values);
  return {Quantile(values, 0.5), Quantile(values, 0.99)};
}

double Growth(uint64_t later, uint64_t earlier, size_t connections) {
  return later <= earlier ? 0 : static_cast<double>(later - earlier) / static_cast<double>(connections);
}

}  // namespace

// One connection with one channel, from the offering side. On the loop of its port, all of it but its making.
class BenchSender::Connection : public transport::io::PeerObserver {
 public:
  Connection(BenchSender& sender, uint32_t index, Work work) : sender_(&sender), index_(index), work_(work) {}
  std::string Offer() {
    BenchLoops& loops = *sender_->loops_;
    handle_ = loops.driver(index_).AddPeer(loops.peer_options(), *this);
    return handle_.Call([this](Peer& p, Timestamp now) {
      channel_ = *p.OpenChannel(now, {.label = work_ == Work::kPing ? kBenchEcho : "sink"});
      return *p.CreateOffer(now);
    });
  }
  std::optional<std::string> TakeAnswer(const std::string& answer) {
    answered_ = Now();
    const auto set =
        handle_.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kAnswer, answer); });
    return set ? std::nullopt : std::optional(set.error().message);
  }
  uint32_t index() const { return index_; }
  Duration setup_time() const { return opened_ - answered_; }
  std::vector<double>& round_trips() { return round_trips_; }

  void HandlePeerEvent(PeerEvent& event) override {
    if (std::holds_alternative<datachannel::event::ChannelOpen>(event)) {
      opened_ = Now();
      sender_->HandleOpen(*this);
      if (work_ == Work::kSend) Fill();
      if (work_ == Work::kPing) Ping();
    } else if (std::holds_alternative<datachannel::event::MessagesWaiting>(event)) {
      HandleEcho();
    } else if (const auto* changed = std::get_if<transport::event::StateChanged>(&event)) {
      using State = transport::ConnectionState;
      const bool is_over = changed->state == State::kFailed || changed->state == State::kClosed;
      if (is_over) sender_->Fail(Epitaph(changed->reason));
    }
  }
  void HandleRoom() override { Fill(); }

 private:
  // With what tells a peer that was silent from a loop that was held up, and from a buffer that was full.
  std::string Epitaph(const std::string& reason) const {
    const ice::Metrics ice = handle_.peer().stats().ice;
    const auto driver = sender_->loops_->driver(index_).stats();
    return Format(
        "a connection ended: %s; %llu consent requests, %llu answers, %llu checks heard; its loop was late by %.0f ms, "
        "its socket dropped %llu",
        reason.c_str(), static_cast<unsigned long long>(ice.consent_requests_sent),
        static_cast<unsigned long long>(ice.responses_received), static_cast<unsigned long long>(ice.checks_received),
        ToUnits(driver.latest, std::chrono::milliseconds(1)),
        static_cast<unsigned long long>(driver.sockets.receive_dropped));
  }
  void Fill() {
    const BulkOptions& bulk = sender_->bulk_;
    // The more connections, the less each keeps under way; two messages at least.
    const size_t limit = std::max(kBuffered / std::min<size_t>(bulk.connections, 4), 2 * bulk.size);
    const size_t capacity = sender_->loops_->peer_options().sctp.max_send_buffer;
    handle_.Call([&](Peer& p, Timestamp now) {
      while (p.send_buffer_room() >= capacity - limit + bulk.size) {
        Payload payload(p.pool(), std::span(sender_->source_).first(bulk.size));
        if (!p.Send(now, channel_, datachannel::MessageKind::kBinary, std::move(payload))) return;
      }
    });
    handle_.WaitForRoom(capacity - limit / 2);
  }
  void Ping() {
    sent_ = BenchLoops::Clock::now();
    handle_.Call([&](Peer& p, Timestamp now) {
      Payload payload(p.pool(), std::span(sender_->source_).first(kPingOctets));
      (void)p.Send(now, channel_, datachannel::MessageKind::kBinary, std::move(payload));
    });
  }
  void HandleEcho() {
    const auto now = BenchLoops::Clock::now();
    handle_.Call([&](Peer& p, Timestamp at) {
      while (p.PollAnyMessage(at)) continue;
    });
    round_trips_.push_back(std::chrono::duration<double, std::micro>(now - sent_).count());
    Ping();
  }

  BenchSender* sender_;
  uint32_t index_;
  Work work_;
  datachannel::ChannelId channel_{};
  Timestamp answered_;
  Timestamp opened_;
  BenchLoops::Clock::time_point sent_;
  std::vector<double> round_trips_;
  transport::io::PeerHandle handle_;  // last: what it silences goes after it
};

Expected<std::unique_ptr<BenchSender>, std::string> BenchSender::Open(BenchLink link,
                                                                      const BenchLoops::Options& options) {
  auto opened = BenchLoops::Open(std::move(link), options);
  if (!opened) return Unexpected<std::string>(opened.error());
  return std::unique_ptr<BenchSender>(new BenchSender(std::move(*opened)));
}

BenchSender::BenchSender(std::unique_ptr<BenchLoops> loops) : loops_(std::move(loops)), source_(256 * 1024, 'x') {
  loops_->Listen([this](LinkMessage& message) { Handle(message); });
}

BenchSender::~BenchSender() { loops_->Stop(); }

void BenchSender::Handle(LinkMessage& message) {
  switch (message.kind) {
    case LinkKind::kAnswer:
      if (message.index >= connections_.size() || !connections_[message.index]) return;
      loops_->On(loops_->LoopOfPort(message.index),
                 [this, connection = connections_[message.index].get(), answer = std::move(message.body)] {
                   if (auto error = connection->TakeAnswer(answer)) Fail(std::move(*error));
                 });
      return;
    case LinkKind::kReport:
      loops_->Measure([this, receiver = DecodeReport(message.body)](const BenchCounters& sender) {
        reports_ = Reports{sender, receiver};
      });
      return;
    case LinkKind::kFailed:
      return Fail(message.body);
    case LinkKind::kOffer:
    case LinkKind::kClose:
    case LinkKind::kHoldUp:
    case LinkKind::kAskReport:
      return;
  }
}

void BenchSender::HandleOpen(Connection& connection) {
  loops_->On(0, [this, index = connection.index()] { opened_.push_back(index); });
}

void BenchSender::Fail(std::string reason) {
  loops_->On(0, [this, reason = std::move(reason)] {
    if (!failure_) failure_ = reason;
  });
}

// Where one was closed, or behind all.
void BenchSender::Connect(Work work) {
  const auto free = std::ranges::find_if(connections_, [](const auto& c) { return c == nullptr; });
  const auto index = static_cast<uint32_t>(free - connections_.begin());
  if (free == connections_.end()) connections_.emplace_back();
  connections_[index] = std::make_unique<Connection>(*this, index, work);
  loops_->On(loops_->LoopOfPort(index), [this, index, connection = connections_[index].get()] {
    loops_->On(0, [this, index, connection, offer = connection->Offer()] {
      const bool is_closed = index >= connections_.size() || connections_[index].get() != connection;
      if (!is_closed && !loops_->link().Send(LinkKind::kOffer, index, offer)) Fail("the receiver is gone");
    });
  });
}

// The other side closes after this one: its goodbye would look like a failure.
void BenchSender::Close(size_t index) {
  loops_->On(loops_->LoopOfPort(index), [this, index, closed = std::move(connections_[index])]() mutable {
    closed.reset();
    loops_->On(0, [this, index] { loops_->link().Send(LinkKind::kClose, static_cast<uint32_t>(index), {}); });
  });
}

void BenchSender::CloseAll() {
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i]) Close(i);
  }
  connections_.clear();
}

std::optional<std::string> BenchSender::Run(double seconds) {
  loops_->RunUntil([this] { return failure_.has_value(); }, After(seconds));
  return failure_;
}

std::optional<std::string> BenchSender::ConnectAll(size_t count, Work work) {
  size_t begun = 0, open = 0;
  while (open < count) {
    for (; begun < count && begun - open < kConcurrentSetups; ++begun) Connect(work);
    const bool goes_on = loops_->RunUntil([this] { return failure_ || !opened_.empty(); }, After(kPatience));
    if (failure_) return failure_;
    if (!goes_on) return "no connection came about within a minute";
    open += TakeOpened().size();
  }
  return std::nullopt;
}

Expected<BenchSender::Reports, std::string> BenchSender::AskReports(Heap heap) {
  reports_.reset();
  if (!loops_->link().Send(LinkKind::kAskReport, heap == Heap::kTrimmed ? 1 : 0, {})) Fail("the receiver is gone");
  loops_->RunUntil([this] { return failure_ || reports_; }, After(kPatience));
  if (failure_) return Unexpected<std::string>(*failure_);
  if (!reports_) return Unexpected<std::string>("the receiver does not report");
  return std::move(*reports_);
}

// What is measured is the steady state: buffers grow to what the longest of all queues needs. So it begins with a
// second in which each process was held up, for a queue before it, and neither allocated anything, if one comes soon.
Expected<BenchSender::Reports, std::string> BenchSender::WarmUp(double seconds) {
  const auto allocations = [](const Reports& reports) {
    return reports.sender.allocations + reports.receiver.allocations;
  };
  const double part = std::min(kWarmUp, seconds / 2) / (2 * kHoldUps);
  std::optional<uint64_t> before;
  for (int round = 0;; ++round) {
    for (int i = 0; i < kHoldUps; ++i) {
      if (!loops_->link().Send(LinkKind::kHoldUp, 0, {})) Fail("the receiver is gone");
      if (const auto failure = Run(part)) return Unexpected<std::string>(*failure);
      loops_->HoldUp();
      if (const auto failure = Run(part)) return Unexpected<std::string>(*failure);
    }
    auto reports = AskReports();
    const bool is_last = !reports || before == allocations(*reports) || round == kMaxWarmUps || seconds < 2 * kWarmUp;
    if (is_last) return reports;
    before = allocations(*reports);
  }
}

Expected<BulkResult, std::string> BenchSender::MeasureBulk(const BulkOptions& options) {
  bulk_ = options;
  auto failure = ConnectAll(options.connections, Work::kSend);
  if (failure) return Unexpected<std::string>(*failure);
  const auto before = WarmUp(options.seconds);
  if (!before) return Unexpected<std::string>(before.error());
  if (failure = Run(options.seconds); failure) return Unexpected<std::string>(*failure);
  const auto after = AskReports();
  if (!after) return Unexpected<std::string>(after.error());
  CloseAll();
  if (after->receiver.octets.size() != before->receiver.octets.size()) {
    return Unexpected<std::string>("a connection ended meanwhile");
  }
  BulkResult result{Difference(after->sender, before->sender), {Difference(after->receiver, before->receiver), {}}};
  for (size_t i = 0; i < after->receiver.octets.size(); ++i) {
    result.receiver.octets.push_back(after->receiver.octets[i] - before->receiver.octets[i]);
  }
  if (result.receiver.messages == 0) return Unexpected<std::string>("nothing arrived");
  return result;
}

Expected<Spread, std::string> BenchSender::MeasurePing(double seconds) {
  auto failure = ConnectAll(1, Work::kPing);
  if (!failure) failure = Run(std::min(kWarmUp, seconds / 2));
  if (failure) return Unexpected<std::string>(*failure);
  connections_[0]->round_trips().clear();
  if (failure = Run(seconds); failure) return Unexpected<std::string>(*failure);
  auto round_trips = std::move(connections_[0]->round_trips());
  CloseAll();
  if (round_trips.empty()) return Unexpected<std::string>("no echo came");
  return SpreadOf(round_trips);
}

Expected<Spread, std::string> BenchSender::MeasureSetups(size_t count) {
  std::vector<double> times;
  while (times.size() < count) {
    if (const auto failure = ConnectAll(1, Work::kNone)) return Unexpected<std::string>(*failure);
    times.push_back(ToUnits(connections_[0]->setup_time(), std::chrono::milliseconds(1)));
    CloseAll();
  }
  return SpreadOf(times);
}

Expected<double, std::string> BenchSender::MeasureStorm(double seconds) {
  size_t done = 0;
  const auto begin = BenchLoops::Clock::now();
  const auto end = After(seconds);
  for (size_t i = 0; i < kConcurrentSetups; ++i) Connect(Work::kNone);
  while (BenchLoops::Clock::now() < end) {
    loops_->RunUntil([this] { return failure_ || !opened_.empty(); }, end);
    if (failure_) return Unexpected<std::string>(*failure_);
    for (const auto index : TakeOpened()) {
      ++done;
      Close(index);
      Connect(Work::kNone);
    }
  }
  const double spent = std::chrono::duration<double>(BenchLoops::Clock::now() - begin).count();
  CloseAll();
  // Behind it no answer to those that were under way will come.
  if (const auto reports = AskReports(); !reports) return Unexpected<std::string>(reports.error());
  (void)TakeOpened();
  return static_cast<double>(done) / spent;
}

Expected<IdleResult, std::string> BenchSender::MeasureIdle(const IdleOptions& options) {
  // What the first ones need for all is not counted.
  if (const auto failure = ConnectAll(1, Work::kNone)) return Unexpected<std::string>(*failure);
  const auto none = AskReports(Heap::kTrimmed);
  if (!none) return Unexpected<std::string>(none.error());
  auto failure = ConnectAll(options.connections, Work::kNone);
  if (!failure) failure = Run(options.settle);
  if (failure) return Unexpected<std::string>(*failure);
  const auto before = AskReports(Heap::kTrimmed);
  if (!before) return Unexpected<std::string>(before.error());
  if (failure = Run(options.seconds); failure) return Unexpected<std::string>(*failure);
  const auto after = AskReports();
  if (!after) return Unexpected<std::string>(after.error());
  CloseAll();
  const BenchCounters spent = Difference(after->receiver, before->receiver);
  const size_t count = options.connections;
  return IdleResult{Growth(before->receiver.heap_bytes, none->receiver.heap_bytes, count),
                    Growth(before->receiver.rss_bytes, none->receiver.rss_bytes, count),
                    spent.cpu_seconds / spent.seconds};
}

}  // namespace jsp::tool
