#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "tools/jsp/bench_commands.h"
#include "tools/jsp/bench_receiver.h"
#include "tools/jsp/bench_sender.h"
#include "tools/jsp/output.h"

namespace jsp::tool {
namespace {

struct BenchDatachannelArguments {
  BulkOptions bulk;
  IdleOptions idle;
  bool is_idle = false;
  size_t loops = 1;
  size_t setups = 200;
  double storm = 2;
  double ping = 2;
  uint32_t busy_poll = 0;  // microseconds
  std::string json;

  // Many senders to one port.
  BenchLoops::Options sender() const {
    return {.loops = loops,
            .processor = 0,
            .ports = std::max(bulk.connections + 1, kConcurrentSetups),
            .busy_poll = std::chrono::microseconds(busy_poll)};
  }
  BenchLoops::Options receiver() const {
    return {.loops = loops, .processor = loops, .ports = 0, .busy_poll = std::chrono::microseconds(busy_poll)};
  }
};

struct BenchDatachannelResult {
  std::optional<BulkResult> bulk;
  std::optional<IdleResult> idle;
  std::optional<Spread> connect_ms;
  std::optional<double> setups_per_s;
  std::optional<Spread> ping_us;
};

// The fork that receives; ends with us, at the latest.
class ReceiverProcess {
 public:
  // nullopt: no process, or no socket pair, is left.
  static std::optional<ReceiverProcess> Start(std::optional<BenchLink>& link, const BenchLoops::Options& options) {
    auto ends = BenchLink::Open();
    if (!ends) return std::nullopt;
    const pid_t child = ::fork();
    if (child < 0) return std::nullopt;
    if (child == 0) {
      { const BenchLink not_ours = std::move(ends->first); }
      RunBenchReceiver(std::move(ends->second), options);
      ::_exit(0);
    }
    link.emplace(std::move(ends->first));
    return ReceiverProcess(child);
  }
  ReceiverProcess(ReceiverProcess&& other) noexcept : child_(std::exchange(other.child_, -1)) {}
  ReceiverProcess& operator=(ReceiverProcess&&) = delete;
  ~ReceiverProcess() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

 private:
  explicit ReceiverProcess(pid_t child) : child_(child) {}
  pid_t child_;
};

struct Summary {
  double octets = 0;
  double mbytes_per_s = 0;
  double messages_per_s = 0;
  double sender_cpu = 0;  // seconds a gigabyte
  double receiver_cpu = 0;
  double allocations_per_message = 0;
  double syscalls_per_mb = 0;
  double jain = 0;
};

Summary Summarize(const BulkResult& result) {
  const auto& [sender, receiver] = result;
  Summary summary;
  summary.octets = static_cast<double>(std::accumulate(receiver.octets.begin(), receiver.octets.end(), uint64_t{0}));
  const auto messages = static_cast<double>(receiver.messages);
  summary.mbytes_per_s = summary.octets / 1e6 / receiver.seconds;
  summary.messages_per_s = messages / receiver.seconds;
  summary.sender_cpu = sender.cpu_seconds / (summary.octets / 1e9);
  summary.receiver_cpu = receiver.cpu_seconds / (summary.octets / 1e9);
  summary.allocations_per_message = static_cast<double>(sender.allocations + receiver.allocations) / messages;
  summary.syscalls_per_mb = static_cast<double>(sender.system_calls + receiver.system_calls) / (summary.octets / 1e6);
  summary.jain = JainIndex(receiver.octets);
  return summary;
}

boost::json::value ToJson(const std::optional<Spread>& spread) {
  if (!spread) return nullptr;
  return boost::json::object{{"p50", spread->p50}, {"p99", spread->p99}};
}

std::string ToJson(const BenchDatachannelArguments& arguments, const BenchDatachannelResult& result) {
  boost::json::object document;
  if (result.bulk) {
    const Summary summary = Summarize(*result.bulk);
    document = {{"mbytes_per_s", summary.mbytes_per_s},
                {"messages_per_s", summary.messages_per_s},
                {"seconds", result.bulk->receiver.seconds},
                {"size", arguments.bulk.size},
                {"connections", arguments.bulk.connections},
                {"busy_poll_us", arguments.busy_poll},
                {"cpu_s_per_gb",
                 {{"sender", summary.sender_cpu},
                  {"receiver", summary.receiver_cpu},
                  {"both", summary.sender_cpu + summary.receiver_cpu}}},
                {"allocations_per_message", summary.allocations_per_message},
                {"syscalls_per_mb", summary.syscalls_per_mb},
                {"jain", summary.jain},
                {"handed_over", result.bulk->receiver.handed_over}};
  }
  document["loops"] = arguments.loops;
  document["idle"] = nullptr;
  if (result.idle) {
    document["idle"] = {{"connections", arguments.idle.connections},
                        {"heap_bytes_per_connection", result.idle->heap_bytes_per_connection},
                        {"rss_bytes_per_connection", result.idle->rss_bytes_per_connection},
                        {"cpu_share", result.idle->cpu_share}};
  }
  document["connect_ms"] = ToJson(result.connect_ms);
  document["setups_per_s"] = result.setups_per_s ? boost::json::value(*result.setups_per_s) : nullptr;
  document["ping_us"] = ToJson(result.ping_us);
  return boost::json::serialize(document) + "\n";
}

std::string ToText(const BenchDatachannelArguments& arguments, const BenchDatachannelResult& result) {
  std::string text;
  if (result.bulk) {
    const Summary s = Summarize(*result.bulk);
    text += Format(
        "%.1f MB/s, %.0f messages/s of %zu octets, over %zu connections, Jain's index %.3f\n"
        "%.2f CPU seconds per GB: sender %.2f, receiver %.2f\n"
        "%.4f allocations per message, %.1f system calls per MB\n",
        s.mbytes_per_s, s.messages_per_s, arguments.bulk.size, arguments.bulk.connections, s.jain,
        s.sender_cpu + s.receiver_cpu, s.sender_cpu, s.receiver_cpu, s.allocations_per_message, s.syscalls_per_mb);
  }
  if (result.idle) {
    text += Format("%zu idle connections: %.0f octets of heap and %.0f of memory each, %.2f %% of a processor\n",
                   arguments.idle.connections, result.idle->heap_bytes_per_connection,
                   result.idle->rss_bytes_per_connection, result.idle->cpu_share * 100);
  }
  if (result.connect_ms) {
    text += Format("remote description to open channel: %.2f ms in the median, %.2f ms in the slowest hundredth\n",
                   result.connect_ms->p50, result.connect_ms->p99);
  }
  if (result.setups_per_s) text += Format("%.0f connections/s\n", *result.setups_per_s);
  if (result.ping_us) {
    text += Format("round trip of 64 octets: %.0f us in the median, %.0f us in the slowest hundredth\n",
                   result.ping_us->p50, result.ping_us->p99);
  }
  return text;
}

template <class T>
bool Store(Expected<T, std::string> measured, std::optional<T>& result, std::string& error) {
  if (!measured) error = std::move(measured.error());
  if (measured) result = std::move(*measured);
  return error.empty();
}

// Returns what went wrong; empty: nothing.
std::string Measure(const BenchDatachannelArguments& arguments, BenchDatachannelResult& result) {
  std::optional<BenchLink> link;
  const auto receiver = ReceiverProcess::Start(link, arguments.receiver());
  if (!receiver) return "a second process cannot be started";
  const auto sender = BenchSender::Open(std::move(*link), arguments.sender());
  if (!sender) return sender.error();
  ProgressLine progress("bench");
  std::string error;
  if (arguments.is_idle) {
    progress.Show("idle connections");
    Store((*sender)->MeasureIdle(arguments.idle), result.idle, error);
    return error;
  }
  if (arguments.setups > 0) {
    progress.Show("set-up latency");
    if (!Store((*sender)->MeasureSetups(arguments.setups), result.connect_ms, error)) return error;
  }
  if (arguments.storm > 0) {
    progress.Show("set-ups");
    if (!Store((*sender)->MeasureStorm(arguments.storm), result.setups_per_s, error)) return error;
  }
  if (arguments.ping > 0) {
    progress.Show("round trips");
    if (!Store((*sender)->MeasurePing(arguments.ping), result.ping_us, error)) return error;
  }
  progress.Show("messages");
  Store((*sender)->MeasureBulk(arguments.bulk), result.bulk, error);
  return error;
}

int RunBenchDatachannel(BenchDatachannelArguments arguments) {
  if (const auto writable = CheckWritable(arguments.json); !writable) return Fail(writable.error());
  arguments.idle.connections = arguments.bulk.connections;
  arguments.idle.seconds = arguments.bulk.seconds;
  BenchDatachannelResult result;
  if (const std::string error = Measure(arguments, result); !error.empty()) return Fail(error);
  if (!arguments.json.empty()) {
    const auto written = WriteDocument(arguments.json, ToJson(arguments, result));
    if (!written) return Fail(written.error());
  }
  HumanText(arguments.json == "-").Print(ToText(arguments, result));
  return kExitDone;
}

}  // namespace

void AddBenchDatachannelCommand(CLI::App& bench, int& exit_code) {
  auto arguments = std::make_shared<BenchDatachannelArguments>();
  auto* command = bench.add_subcommand(
      "datachannel", "throughput, processor time, latency, set-ups and memory of data channels between two processes");
  command->add_option("--size", arguments->bulk.size, "octets of a message")
      ->check(CLI::Range(1, 256 * 1024))
      ->capture_default_str();
  command->add_option("--seconds", arguments->bulk.seconds, "that are measured")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_option("--connections", arguments->bulk.connections, "over one port, with one channel each")
      ->check(CLI::Range(1, 15000))
      ->capture_default_str();
  command
      ->add_option("--loops", arguments->loops,
                   "of each of the two processes, each on a thread and a processor of its own, as far as there are any")
      ->check(CLI::Range(size_t{1}, transport::io::DriverGroup::kMaxLoops))
      ->capture_default_str();
  command->add_flag("--idle", arguments->is_idle, "only memory and processor time of connections that do nothing");
  command
      ->add_option("--settle", arguments->idle.settle, "seconds from the last connection to the measurement of --idle")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--setups", arguments->setups, "connections whose set-up is timed, one by one; 0: none")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command->add_option("--storm", arguments->storm, "seconds of set-ups as fast as they go; 0: none")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--ping", arguments->ping, "seconds of round trips of 64 octets; 0: none")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--busy-poll", arguments->busy_poll, "microseconds that loops poll before they sleep; 0: none")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command->add_option("--json", arguments->json, "write the result as JSON to FILE, - is standard output");
  command->callback([arguments, &exit_code] { exit_code = RunBenchDatachannel(*arguments); });
}

}  // namespace jsp::tool
