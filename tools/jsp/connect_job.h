#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/jsp/output.h"
#include "transport/connection.h"
namespace jsp::tool {

enum class JobKind : uint8_t { kNone, kMessages, kSend, kSendAndReceive, kBenchUp, kBenchDown };

// What connect does with its channel, as typed and checked.
struct Job {
  JobKind kind = JobKind::kNone;
  std::vector<std::string> messages;
  std::string send_file;
  std::string receive_file;
  std::chrono::seconds bench_time{0};
  size_t message_size = 64 * 1024;  // of files and benchmarks; of the pieces with as_one_message
  bool as_one_message = false;      // the whole file, in pieces
};

// The label by which jsp serve knows what to do.
std::string LabelFor(const Job& job);

// What the job came to, also while it runs: `last_progress` moves whenever octets do.
struct JobResult {
  uint64_t bytes = 0;
  uint64_t messages = 0;
  double seconds = 0;
  // The longest time of a benchmark in which nothing moved: no message was taken over from it, or none came.
  std::optional<std::chrono::steady_clock::duration> gap;
  std::string sha256;  // empty: not known
  std::optional<std::chrono::steady_clock::time_point> first_message;
  std::chrono::steady_clock::time_point last_progress = std::chrono::steady_clock::now();
};

// Runs the job over the transport's own channel, which is open. Throws std::runtime_error with one line on failure.
boost::asio::awaitable<void> RunJob(WebRtcTransport& transport, const Job& job, JobResult& result,
                                    ProgressLine& progress);

}  // namespace jsp::tool
