#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "tools/jsp/commands.h"
#include "tools/jsp/connect_job.h"
#include "tools/jsp/connect_report.h"
#include "tools/jsp/ice_arguments.h"
#include "tools/jsp/output.h"
#include "transport/signaling/client.h"

namespace jsp::tool {
namespace {

using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using Clock = std::chrono::steady_clock;

constexpr auto kCompletedGrace = std::chrono::milliseconds(500);  // for the nomination, which data does not wait for
constexpr auto kCloseGrace = std::chrono::seconds(2);             // for the goodbye, and the DELETE of the session

struct ChannelArguments {
  std::optional<std::string> label;
  std::string protocol;
  bool unordered = false;
  std::optional<uint16_t> max_retransmits;
  std::optional<uint32_t> max_lifetime_ms;
  std::optional<uint16_t> negotiated;
};

struct ConnectArguments {
  std::string url;
  IceArguments ice;
  ChannelArguments channel;
  Job job;
  unsigned bench_seconds = 0;
  std::string direction = "up";
  double timeout_s = 15;
  std::string json;
};

void ChooseJob(ConnectArguments& arguments) {
  Job& job = arguments.job;
  if (!job.messages.empty()) job.kind = JobKind::kMessages;
  if (!job.send_file.empty()) job.kind = job.receive_file.empty() ? JobKind::kSend : JobKind::kSendAndReceive;
  if (arguments.bench_seconds > 0) {
    job.kind = arguments.direction == "up" ? JobKind::kBenchUp : JobKind::kBenchDown;
    job.bench_time = std::chrono::seconds(arguments.bench_seconds);
  }
}

Expected<ConnectionConfig, std::string> ToConnectionConfig(const ConnectArguments& arguments) {
  ConnectionConfig config;
  config.timeout = std::chrono::milliseconds(static_cast<int64_t>(arguments.timeout_s * 1000));
  const ChannelArguments& channel = arguments.channel;
  WebRtcConfig& webrtc = config.webrtc;
  webrtc.data_channel_label = channel.label.value_or(LabelFor(arguments.job));
  webrtc.data_channel_protocol = channel.protocol;
  webrtc.ordered = !channel.unordered;
  webrtc.max_retransmits = channel.max_retransmits;
  if (channel.max_lifetime_ms) webrtc.max_lifetime = std::chrono::milliseconds(*channel.max_lifetime_ms);
  webrtc.negotiated_id = channel.negotiated;
  webrtc.connect_timeout = config.timeout;
  if (arguments.job.as_one_message) {
    auto& sctp = webrtc.peer_options.sctp;
    sctp.max_message_size = 0;  // its echo is as large
    sctp.max_receive_window = sctp.receive_window;
  }
  if (const auto applied = ApplyIceArguments(arguments.ice, webrtc); !applied) {
    return Unexpected<std::string>(applied.error());
  }
  return config;
}

double MillisecondsBetween(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - start).count();
}

// One attempt, from the offer to the goodbye. The loop of Run() watches `job` and the outcome.
struct Attempt {
  explicit Attempt(const ConnectArguments& from) : arguments(from), progress("connect:") {}

  awaitable<void> Run(ConnectionConfig config);
  awaitable<void> Close();

  const ConnectArguments& arguments;
  ProgressLine progress;
  Clock::time_point start = Clock::now();
  Connection connection;
  JobResult job;
  ConnectReport report;
  bool is_connected = false;
  bool is_interrupted = false;
  bool has_ended = false;  // Run() has; until then it uses the connection
  std::string failure;     // of Run()
};

awaitable<void> Attempt::Run(ConnectionConfig config) {
  const auto executor = co_await boost::asio::this_coro::executor;
  progress.Show("connecting to " + arguments.url);
  boost::system::error_code error;
  connection = co_await Connection::async_connect(executor, arguments.url, std::move(config),
                                                  redirect_error(use_awaitable, error));
  if (error) throw std::runtime_error(connection.error());
  is_connected = true;
  report.channel_open_ms = MillisecondsBetween(start, Clock::now());
  co_await RunJob(connection.transport(), arguments.job, job, progress);
  const auto is_settled = [](ConnectionState state) { return state != ConnectionState::kConnected; };
  boost::asio::steady_timer grace(executor, kCompletedGrace);
  using boost::asio::experimental::awaitable_operators::operator||;
  co_await (connection->async_wait_state(is_settled, redirect_error(use_awaitable, error)) ||
            grace.async_wait(use_awaitable));
}

awaitable<void> Attempt::Close() {
  boost::system::error_code error;
  co_await connection->async_close(redirect_error(use_awaitable, error));
}

// Runs the loop until done(), or until `deadline()` has passed; false then.
template <class Done, class Deadline>
bool RunUntil(boost::asio::io_context& loop, Done done, Deadline deadline) {
  while (!done() && Clock::now() < deadline()) loop.run_one_until(deadline());
  return done();
}

void Spawn(boost::asio::io_context& loop, awaitable<void> work, std::string& failure, bool& done) {
  boost::asio::co_spawn(loop, std::move(work), [&](std::exception_ptr error) {
    done = true;
    try {
      if (error) std::rethrow_exception(error);
    } catch (const std::exception& e) {
      failure = e.what();
    }
  });
}

void FillReport(Attempt& attempt) {
  ConnectReport& report = attempt.report;
  report.state = "failed";
  if (!attempt.is_connected) return;
  report.stats = attempt.connection->stats();
  report.state = ToString(attempt.connection->connection_state());
  report.ice_restarts = attempt.connection.restarts();
  if (attempt.arguments.job.kind != JobKind::kNone) report.job = attempt.job;
  if (attempt.job.first_message) {
    report.first_message_ms = MillisecondsBetween(attempt.start, *attempt.job.first_message);
  }
}

// Connects and does the job; everything that can go wrong ends in report.error.
void RunAttempt(boost::asio::io_context& loop, Attempt& attempt, ConnectionConfig config) {
  const auto timeout = config.timeout;
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&](boost::system::error_code error, int) { attempt.is_interrupted = !error; });
  Spawn(loop, attempt.Run(std::move(config)), attempt.failure, attempt.has_ended);
  // Connection has the same deadline and says more than we could, so ours comes a little later.
  const auto deadline = [&] {
    return attempt.is_connected ? attempt.job.last_progress + attempt.arguments.job.bench_time + timeout
                                : attempt.start + timeout + std::chrono::seconds(1);
  };
  const auto is_done = [&] { return attempt.has_ended || attempt.is_interrupted; };
  std::string failure;
  if (RunUntil(loop, is_done, deadline)) {
    failure = attempt.has_ended ? attempt.failure : "interrupted";
  } else {
    failure = attempt.is_connected
                  ? Format("nothing came from the peer for %.0f s; does it serve the label of this job?",
                           attempt.arguments.timeout_s)
                  : Format("no connection within %.0f s", attempt.arguments.timeout_s);
  }
  signals.cancel();
  FillReport(attempt);
  attempt.report.ok = failure.empty();
  attempt.report.error = failure;
}

// Says goodbye, then lets the loop finish what still runs: the DELETE of the session, the last datagrams.
void CloseAttempt(boost::asio::io_context& loop, Attempt& attempt) {
  if (attempt.is_connected) {
    std::string failure;
    bool is_closed = false;
    Spawn(loop, attempt.Close(), failure, is_closed);
    const auto end = Clock::now() + kCloseGrace;
    RunUntil(
        loop, [&] { return is_closed && attempt.has_ended; }, [&] { return end; });
    if (attempt.has_ended) attempt.connection = {};
  }
  const auto end = Clock::now() + kCloseGrace;
  while (attempt.is_connected && loop.run_one_until(end) > 0) {
  }
}

int RunConnect(ConnectArguments& arguments) {
  ChooseJob(arguments);
  if (const auto url = signaling::ParseHttpUrl(arguments.url); !url) {
    return Fail(arguments.url + ": " + url.error(), kExitUsage);
  }
  auto config = ToConnectionConfig(arguments);
  if (!config) return Fail(config.error(), kExitUsage);
  if (const auto writable = CheckWritable(arguments.json); !writable) return Fail(writable.error());
  Attempt attempt(arguments);  // outlives the loop, whose operations refer to it
  {
    boost::asio::io_context loop(1);
    RunAttempt(loop, attempt, std::move(*config));
    CloseAttempt(loop, attempt);
  }
  attempt.progress.Clear();
  if (!arguments.json.empty()) {
    const auto written = WriteDocument(arguments.json, ToJson(attempt.report));
    if (!written) return Fail(written.error());
  }
  if (!attempt.report.ok) return Fail(attempt.report.error);
  HumanText(arguments.json == "-").Print(ToText(attempt.report));
  return kExitDone;
}

void AddChannelOptions(CLI::App& command, ChannelArguments& channel) {
  command.add_option("--label", channel.label, "the channel's label; by default what the job needs of jsp serve");
  command.add_option("--protocol", channel.protocol, "the channel's subprotocol");
  command.add_flag("--unordered", channel.unordered, "messages may arrive in any order");
  auto* retransmits = command.add_option("--max-retransmits", channel.max_retransmits, "then a message is given up");
  command.add_option("--max-lifetime", channel.max_lifetime_ms, "milliseconds, then a message is given up")
      ->excludes(retransmits);
  command.add_option("--negotiated", channel.negotiated, "channel id that both sides agreed on, without DCEP")
      ->check(CLI::Range(0, 65534));
}

void AddJobOptions(CLI::App& command, ConnectArguments& arguments) {
  Job& job = arguments.job;
  auto* message = command.add_option("--message", job.messages, "text to send; its echo is awaited; repeatable")
                      ->take_all()
                      ->allow_extra_args(false);
  auto* send = command.add_option("--send", job.send_file, "file to send")->check(CLI::ExistingFile)->excludes(message);
  command.add_option("--receive", job.receive_file, "where the echo of the sent file goes")->needs(send);
  command.add_flag("--stream", job.as_one_message, "send the file as one message, of any size, in pieces of --size")
      ->needs(send);
  auto* bench = command.add_option("--bench", arguments.bench_seconds, "measure the throughput for so many seconds")
                    ->check(CLI::Range(1, 86400))
                    ->excludes(message)
                    ->excludes(send);
  command.add_option("--size", job.message_size, "octets of a message of --bench or --send")
      ->check(CLI::Range(1, 262144))
      ->capture_default_str();
  command.add_option("--direction", arguments.direction, "of --bench")
      ->check(CLI::IsMember({"up", "down"}))
      ->needs(bench);
}

}  // namespace

void AddConnectCommand(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<ConnectArguments>();
  auto* command = program.add_subcommand("connect", "offer to a URL, connect, do a job, report");
  command->add_option("URL", arguments->url, "http://HOST:PORT of jsp serve")->required();
  AddIceOptions(*command, arguments->ice);
  AddChannelOptions(*command, arguments->channel);
  AddJobOptions(*command, *arguments);
  command->add_option("--timeout", arguments->timeout_s, "seconds to connect, and without progress of the job")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  command->add_option("--json", arguments->json, "write the report as JSON to FILE, - is standard output");
  command->callback([arguments, &exit_code] { exit_code = RunConnect(*arguments); });
}

}  // namespace jsp::tool
