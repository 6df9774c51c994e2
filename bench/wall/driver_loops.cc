// What several loops at one port cost and carry: a driver alone, a group whose peers are where the kernel delivers, and
// one whose peers are all elsewhere, so that every datagram is handed over. Server and clients are loops of this
// process, the i-th of each on the i-th core. Prints the median of three runs.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dtls/certificate.h"
#include "transport/asio/driver_group.h"
namespace jsp::bench {
namespace {

using transport::Peer;
using transport::PeerEvent;
using transport::PeerOptions;
using transport::SdpType;
using transport::io::Driver;
using transport::io::DriverGroup;
using transport::io::DriverOptions;
using Clock = std::chrono::steady_clock;

constexpr size_t kMessage = 64 * 1024;
constexpr std::chrono::seconds kWarmUp(1);
constexpr std::chrono::seconds kPatience(30);

// An io_context, the thread that runs it, and that thread's processor time.
class Loop {
 public:
  explicit Loop(size_t core) : thread_([this] { io_.run(); }) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core % std::max(1u, std::thread::hardware_concurrency()), &cores);
    (void)::pthread_setaffinity_np(thread_.native_handle(), sizeof(cores), &cores);
  }
  ~Loop() {
    guard_.reset();
    thread_.join();
  }
  boost::asio::any_io_executor executor() { return io_.get_executor(); }
  template <class Call>
  auto Run(Call call) -> decltype(call()) {
    std::packaged_task<decltype(call())()> task(std::move(call));
    auto done = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    return done.get();
  }
  double CpuSeconds() {
    return Run([] {
      timespec used{};
      (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
      return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
    });
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_ = boost::asio::make_work_guard(io_);
  std::thread thread_;
};

PeerOptions Options() {
  static const auto certificate = *dtls::Certificate::Generate();
  PeerOptions options;
  options.certificate = certificate;
  return options;
}
DriverOptions Loopback() {
  DriverOptions options;
  options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
  return options;
}

class Receiver : public transport::io::PeerObserver {
 public:
  explicit Receiver(Driver& driver) { handle_ = driver.AddPeer(Options(), *this); }
  std::string Answer(const std::string& offer) {
    return handle_.Call([&](Peer& p, Timestamp now) {
      if (!p.SetRemoteDescription(now, SdpType::kOffer, offer)) std::abort();
      return *p.CreateAnswer(now);
    });
  }
  void HandlePeerEvent(PeerEvent& event) override {
    if (!std::holds_alternative<datachannel::event::MessagesWaiting>(event)) return;
    handle_.Call([&](Peer& p, Timestamp now) {
      while (const auto message = p.PollAnyMessage(now)) octets_ += message->payload.size();
    });
  }
  uint64_t octets() const { return octets_; }

 private:
  std::atomic<uint64_t> octets_{0};
  transport::io::PeerHandle handle_;
};

class Sender : public transport::io::PeerObserver {
 public:
  explicit Sender(const boost::asio::any_io_executor& executor)
      : driver_(*Driver::Open(executor, Loopback())), source_(kMessage, 'x') {
    handle_ = driver_->AddPeer(Options(), *this);
  }
  SocketAddress address() const { return driver_->local_addresses()[0].address; }
  std::string Offer() {
    return handle_.Call([this](Peer& p, Timestamp now) {
      channel_ = *p.OpenChannel(now, {.label = "sink"});
      return *p.CreateOffer(now);
    });
  }
  void Connect(const std::string& answer) {
    handle_.Call([&](Peer& p, Timestamp now) {
      if (!p.SetRemoteDescription(now, SdpType::kAnswer, answer)) std::abort();
    });
  }
  void HandlePeerEvent(PeerEvent& event) override {
    if (std::holds_alternative<datachannel::event::ChannelOpen>(event)) Fill();
  }
  void HandleRoom() override { Fill(); }

 private:
  void Fill() {
    constexpr size_t kUnderWay = 4 * kMessage;
    const size_t capacity = Options().sctp.max_send_buffer;
    handle_.Call([&](Peer& p, Timestamp now) {
      while (p.send_buffer_room() >= capacity - kUnderWay + kMessage) {
        Payload payload(p.pool(), std::span<const uint8_t>(source_));
        if (!p.Send(now, channel_, datachannel::MessageKind::kBinary, std::move(payload))) return;
      }
    });
    handle_.WaitForRoom(capacity - kUnderWay / 2);
  }

  std::shared_ptr<Driver> driver_;
  std::vector<uint8_t> source_;
  datachannel::ChannelId channel_{};
  transport::io::PeerHandle handle_;
};

enum class Placement { kAlone, kInPlace, kElsewhere };

struct Result {
  double mbytes_per_s = 0;
  double server_cpu = 0;   // seconds a gigabyte
  double handed_over = 0;  // datagrams for each that was received
};

class Measurement {
 public:
  Measurement(Placement placement, size_t loops, size_t connections) : placement_(placement) {
    std::vector<boost::asio::any_io_executor> executors;
    for (size_t i = 0; i < loops; ++i) {
      servers_.push_back(std::make_unique<Loop>(i));
      clients_.push_back(std::make_unique<Loop>(placement == Placement::kAlone ? i + 1 : i));
      executors.push_back(servers_.back()->executor());
    }
    if (placement == Placement::kAlone) {
      alone_ = servers_[0]->Run([&] { return *Driver::Open(executors[0], Loopback()); });
    } else {
      group_ = *DriverGroup::Open(executors, Loopback());
    }
    for (size_t i = 0; i < connections; ++i) Connect(*clients_[i % loops]);
  }
  ~Measurement() {
    for (size_t i = 0; i < senders_.size(); ++i) clients_[i % clients_.size()]->Run([&] { senders_[i].reset(); });
    for (auto& [loop, receiver] : receivers_) {
      servers_[loop]->Run([&receiver = receiver] { receiver.reset(); });
    }
    servers_[0]->Run([this] { alone_.reset(); });
    group_.reset();
  }
  Result Run(std::chrono::seconds length) {
    const auto limit = Clock::now() + kPatience;
    while (Slowest() == 0 && Clock::now() < limit) std::this_thread::yield();
    std::this_thread::sleep_for(kWarmUp);
    const auto start = Clock::now();
    const uint64_t octets = Octets();
    const double cpu = Cpu();
    const auto [received, sent] = Datagrams();
    std::this_thread::sleep_for(length);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const auto moved = static_cast<double>(Octets() - octets);
    const auto [received_then, sent_then] = Datagrams();
    const auto datagrams = static_cast<double>(std::max<uint64_t>(1, received_then - received));
    return {moved / 1e6 / seconds, (Cpu() - cpu) / (moved / 1e9), static_cast<double>(sent_then - sent) / datagrams};
  }

 private:
  Driver& DriverOf(size_t loop) { return placement_ == Placement::kAlone ? *alone_ : *group_->driver(loop); }
  void Connect(Loop& client) {
    auto& sender = senders_.emplace_back();
    size_t loop = 0;
    const std::string offer = client.Run([&] {
      sender = std::make_unique<Sender>(client.executor());
      if (group_) loop = group_->LoopOf(sender->address());
      return sender->Offer();
    });
    if (placement_ == Placement::kElsewhere) loop = (loop + 1) % servers_.size();
    auto& receiver = receivers_.emplace_back(loop, nullptr).second;
    const std::string answer = servers_[loop]->Run([&] {
      receiver = std::make_unique<Receiver>(DriverOf(loop));
      return receiver->Answer(offer);
    });
    client.Run([&] { sender->Connect(answer); });
  }
  uint64_t Octets() const {
    uint64_t sum = 0;
    for (const auto& [loop, receiver] : receivers_) sum += receiver->octets();
    return sum;
  }
  uint64_t Slowest() const {
    uint64_t least = ~uint64_t{0};
    for (const auto& [loop, receiver] : receivers_) least = std::min(least, receiver->octets());
    return least;
  }
  double Cpu() {
    double sum = 0;
    for (auto& loop : servers_) sum += loop->CpuSeconds();
    return sum;
  }
  std::pair<uint64_t, uint64_t> Datagrams() {
    std::pair<uint64_t, uint64_t> sum{0, 0};
    for (size_t loop = 0; loop < servers_.size(); ++loop) {
      const auto stats = servers_[loop]->Run([&] { return DriverOf(loop).stats(); });
      sum.first += stats.sockets.datagrams_received;
      sum.second += stats.handover.sent;
    }
    return sum;
  }

  Placement placement_;
  std::vector<std::unique_ptr<Loop>> servers_;
  std::vector<std::unique_ptr<Loop>> clients_;
  std::shared_ptr<Driver> alone_;
  std::shared_ptr<DriverGroup> group_;
  std::vector<std::unique_ptr<Sender>> senders_;                         // the i-th on the i-th client loop
  std::vector<std::pair<size_t, std::unique_ptr<Receiver>>> receivers_;  // and their loops
};

int Main(int argc, char** argv) {
  const auto argument = [&](int index, size_t otherwise) {
    return argc > index ? static_cast<size_t>(std::max(1, std::atoi(argv[index]))) : otherwise;
  };
  const std::chrono::seconds length(argument(1, 3));
  const size_t connections = argument(2, 16);
  const size_t loops = argument(3, 2);
  struct Row {
    const char* name;
    Placement placement;
    size_t loops;
    std::vector<Result> results;
  };
  std::array<Row, 3> rows{Row{"a driver alone", Placement::kAlone, 1, {}},
                          Row{"a group, peers in their place", Placement::kInPlace, loops, {}},
                          Row{"a group, all peers elsewhere", Placement::kElsewhere, loops, {}}};
  for (int round = 0; round < 3; ++round) {  // interleaved
    for (Row& row : rows) row.results.push_back(Measurement(row.placement, row.loops, connections).Run(length));
  }
  for (Row& row : rows) {
    std::ranges::sort(row.results, {}, &Result::mbytes_per_s);
    const Result& median = row.results[1];
    std::printf(
        "%-30s %zu loops  %7.1f MB/s  %5.2f CPU seconds of the server a GB  %4.2f handed over for each received\n",
        row.name, row.loops, median.mbytes_per_s, median.server_cpu, median.handed_over);
  }
  return 0;
}

}  // namespace
}  // namespace jsp::bench

int main(int argc, char** argv) { return jsp::bench::Main(argc, argv); }
