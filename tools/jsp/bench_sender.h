#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "tools/jsp/bench_loops.h"
namespace jsp::tool {

constexpr size_t kConcurrentSetups = 32;  // connections that are set up at a time

struct BulkOptions {
  size_t size = 65536;  // octets of a message
  double seconds = 10;  // measured, after a warm-up
  size_t connections = 1;
};
// Differences of counters over the measured time.
struct BulkResult {
  BenchCounters sender;
  BenchReport receiver;
};

struct IdleOptions {
  size_t connections = 10000;
  double seconds = 10;  // of processor time measured
  double settle = 40;   // before: what is kept only for a while after connecting is gone
};
// Of the process that has them all on one port; the other one stands for as many clients.
struct IdleResult {
  double heap_bytes_per_connection = 0;
  double rss_bytes_per_connection = 0;
  double cpu_share = 0;  // of one processor
};

struct Spread {
  double p50 = 0;
  double p99 = 0;
};

// The process of `jsp bench datachannel` that connects, sends, and asks the receiver what came. An error is one line.
class BenchSender {
 public:
  static Expected<std::unique_ptr<BenchSender>, std::string> Open(BenchLink link, const BenchLoops::Options& options);
  ~BenchSender();

  Expected<BulkResult, std::string> MeasureBulk(const BulkOptions& options);
  // Microseconds from Send to the echo, of messages of 64 octets, one at a time.
  Expected<Spread, std::string> MeasurePing(double seconds);
  // Milliseconds from the remote description to the open channel, one connection at a time.
  Expected<Spread, std::string> MeasureSetups(size_t count);
  // Connections a second that were opened, and closed again.
  Expected<double, std::string> MeasureStorm(double seconds);
  Expected<IdleResult, std::string> MeasureIdle(const IdleOptions& options);

 private:
  class Connection;
  struct Reports {
    BenchCounters sender;
    BenchReport receiver;
  };
  enum class Work : uint8_t { kNone, kSend, kPing };

  explicit BenchSender(std::unique_ptr<BenchLoops> loops);
  void Handle(LinkMessage& message);
  void HandleOpen(Connection& connection);
  void Fail(std::string reason);
  void Connect(Work work);
  void Close(size_t index);
  std::vector<uint32_t> TakeOpened() { return std::exchange(opened_, {}); }
  // All of them; the loop runs meanwhile.
  std::optional<std::string> ConnectAll(size_t count, Work work);
  void CloseAll();
  // nullopt: it came to that, or time is over; else why not.
  std::optional<std::string> Run(double seconds);
  enum class Heap : uint8_t { kAsItIs, kTrimmed };
  Expected<Reports, std::string> AskReports(Heap heap = Heap::kAsItIs);
  Expected<Reports, std::string> WarmUp(double seconds);

  std::unique_ptr<BenchLoops> loops_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by index; each is used and destroyed on its loop
  std::vector<uint32_t> opened_;                          // since TakeOpened()
  std::optional<Reports> reports_;
  std::optional<std::string> failure_;
  BulkOptions bulk_;
  std::vector<uint8_t> source_;  // what messages are made of
};

}  // namespace jsp::tool
