#include "tools/jsp/connect_job.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/crypto.h"

namespace jsp::tool {
namespace {

using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
namespace operators = boost::asio::experimental::awaitable_operators;

constexpr auto kAskAgain = std::chrono::milliseconds(500);
constexpr uint64_t kEndless = 1'000'000'000'000'000;  // of a source; the benchmark ends by time

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

File Open(const std::string& path, const char* mode) {
  File file(std::fopen(path.c_str(), mode));
  if (!file) {
    const char* what = mode[0] == 'r' ? "cannot read " : "cannot write ";
    throw std::runtime_error(what + path + ": " + std::strerror(errno));
  }
  return file;
}

double Seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

// One job at work: the transport, the result that others watch, and the line on the terminal.
class Worker {
 public:
  Worker(WebRtcTransport& transport, const Job& job, JobResult& result, ProgressLine& progress)
      : transport_(transport), job_(job), result_(result), progress_(progress) {}

  awaitable<void> Messages();
  awaitable<void> SendFile();
  awaitable<void> BenchUp();
  awaitable<void> BenchDown();

 private:
  awaitable<void> Send(Message message);
  awaitable<Message> Receive();
  std::vector<uint8_t> ReadSome(std::FILE* file) const;
  awaitable<void> SendWholeFile();
  awaitable<void> ReceiveEcho();
  bool IsReliable() const;
  bool IsAskedBefore(const Message& echo) const;
  awaitable<Message> Ask(std::string_view question);
  awaitable<void> FinishSink(uint64_t sent, std::string own_hash);
  void NoteMove(Clock::time_point& last);
  void NoteProgress(const char* verb, uint64_t bytes);

  WebRtcTransport& transport_;
  const Job& job_;
  JobResult& result_;
  ProgressLine& progress_;
  std::string sent_hash_;
  uint64_t sent_bytes_ = 0;
  bool all_sent_ = false;
};

void Worker::NoteProgress(const char* verb, uint64_t bytes) {
  const auto now = Clock::now();
  // A terminal needs no more than ten lines a second.
  if (now - result_.last_progress < std::chrono::milliseconds(100)) return;
  result_.last_progress = now;
  progress_.Show(Format("%s %.1f MB", verb, static_cast<double>(bytes) / 1e6));
}

void Worker::NoteMove(Clock::time_point& last) {
  const auto now = Clock::now();
  result_.gap = std::max(result_.gap.value_or(Clock::duration::zero()), now - std::exchange(last, now));
}

awaitable<void> Worker::Send(Message message) {
  error_code error;
  co_await transport_.async_send(std::move(message), redirect_error(use_awaitable, error));
  if (error == TransportErrc::kMessageTooLarge && job_.as_one_message) {
    throw std::runtime_error("the peer takes no message as large as the file; jsp serve --max-message-size 0 does");
  }
  if (error) throw std::runtime_error("sending failed: " + error.message());
}

awaitable<Message> Worker::Receive() {
  error_code error;
  Message message = co_await transport_.async_receive(redirect_error(use_awaitable, error));
  if (error) throw std::runtime_error("receiving failed: " + error.message());
  if (!result_.first_message) result_.first_message = Clock::now();
  co_return message;
}

bool Worker::IsReliable() const {
  const auto options = transport_.channel().options();
  return !options.max_retransmits && !options.max_lifetime;
}

// An unreliable channel may lose the question and the answer, so there it is asked again; sinks and echoes repeat
// themselves.
awaitable<Message> Worker::Ask(std::string_view question) {
  for (;;) {
    Message message{MessageKind::kString, {question.begin(), question.end()}};
    co_await Send(std::move(message));
    if (IsReliable()) co_return co_await Receive();
    using operators::operator||;
    boost::asio::steady_timer again(co_await boost::asio::this_coro::executor, kAskAgain);
    auto outcome = co_await (Receive() || again.async_wait(use_awaitable));
    if (auto* answer = std::get_if<Message>(&outcome)) co_return std::move(*answer);
  }
}

// Whether it may be the second echo of a message that was sent twice.
bool Worker::IsAskedBefore(const Message& echo) const {
  const std::span<const std::string> asked(job_.messages.data(), result_.messages);
  return !IsReliable() && echo.kind == MessageKind::kString && std::ranges::find(asked, echo.text()) != asked.end();
}

awaitable<void> Worker::Messages() {
  for (const auto& text : job_.messages) {
    Message echo = co_await Ask(text);
    while (echo.text() != text && IsAskedBefore(echo)) echo = co_await Ask(text);
    if (echo.kind != MessageKind::kString || echo.text() != text) {
      throw std::runtime_error("the peer answered something else than the echo of \"" + text + "\"");
    }
    result_.last_progress = Clock::now();
    result_.bytes += text.size();
    ++result_.messages;
  }
}

std::vector<uint8_t> Worker::ReadSome(std::FILE* file) const {
  std::vector<uint8_t> octets(job_.message_size);
  octets.resize(std::fread(octets.data(), 1, octets.size(), file));
  if (std::ferror(file) != 0) throw std::runtime_error("cannot read " + job_.send_file);
  return octets;
}

awaitable<void> Worker::SendWholeFile() {
  const File file = Open(job_.send_file, "rb");
  crypto::Sha256Hasher hasher;
  std::vector<uint8_t> next = ReadSome(file.get());
  while (!next.empty()) {
    Message message(MessageKind::kBinary, std::exchange(next, ReadSome(file.get())));
    const bool is_first = sent_bytes_ == 0;
    if (job_.as_one_message) {
      // The end of the file is known one piece ahead: the last one has to say that it is the last.
      message.part = next.empty() ? (is_first ? Part::kWhole : Part::kEnd) : is_first ? Part::kBegin : Part::kMiddle;
    }
    hasher.Update(message.payload);
    sent_bytes_ += message.payload.size();
    if (sctp::Ends(message.part)) ++result_.messages;
    co_await Send(std::move(message));
    NoteProgress("sent", sent_bytes_);
  }
  sent_hash_ = crypto::Hex(hasher.Finish());
  all_sent_ = true;
}

// Runs beside SendWholeFile; what comes back is at most what was sent.
awaitable<void> Worker::ReceiveEcho() {
  const File file = Open(job_.receive_file, "wb");
  crypto::Sha256Hasher hasher;
  uint64_t received = 0;
  while (!all_sent_ || received < sent_bytes_) {
    const Message part = co_await Receive();
    received += part.payload.size();
    if (received > sent_bytes_) throw std::runtime_error("the peer sent more than it got");
    hasher.Update(part.payload);
    if (std::fwrite(part.payload.data(), 1, part.payload.size(), file.get()) != part.payload.size()) {
      throw std::runtime_error("cannot write " + job_.receive_file + ": " + std::strerror(errno));
    }
    NoteProgress("received", received);
  }
  const std::string hash = crypto::Hex(hasher.Finish());
  if (hash != sent_hash_) throw std::runtime_error("what came back differs from " + job_.send_file);
}

awaitable<void> Worker::SendFile() {
  using operators::operator&&;
  if (job_.as_one_message) transport_.set_delivery(Delivery::kPieces);
  if (job_.kind == JobKind::kSend) {
    co_await SendWholeFile();
    co_await FinishSink(sent_bytes_, sent_hash_);
  } else {
    // An empty file brings no message back, so the receiver may not wait before it is known to be empty.
    const File probe = Open(job_.send_file, "rb");
    if (std::fgetc(probe.get()) == EOF) {
      co_await SendWholeFile();
      co_await ReceiveEcho();
    } else {
      co_await (SendWholeFile() && ReceiveEcho());
    }
  }
  result_.bytes = sent_bytes_;
  result_.sha256 = sent_hash_;
}

awaitable<void> Worker::FinishSink(uint64_t sent, std::string own_hash) {
  const Message answer = co_await Ask("done");
  error_code error;
  const auto report = boost::json::parse(answer.text(), error);
  if (error || !report.is_object() || !report.as_object().contains("bytes")) {
    throw std::runtime_error("the peer did not answer as a sink; is it jsp serve, and the label sink?");
  }
  const auto& object = report.as_object();
  const auto bytes = object.at("bytes").to_number<uint64_t>();
  const auto* hash = object.if_contains("sha256");
  // Only a reliable channel promises that all arrived.
  // On an unordered channel the question overtakes messages that are sent again: what the sink had by then counts.
  const bool has_all = IsReliable() && transport_.channel().options().ordered;
  if (has_all && bytes != sent) {
    throw std::runtime_error(Format("the sink counted %llu of %llu octets", static_cast<unsigned long long>(bytes),
                                    static_cast<unsigned long long>(sent)));
  }
  result_.bytes = bytes;
  if (hash != nullptr && hash->is_string()) result_.sha256 = std::string(hash->as_string());
  if (has_all && result_.sha256 != own_hash) {
    throw std::runtime_error("the sink's SHA-256 differs from ours");
  }
}

awaitable<void> Worker::BenchUp() {
  auto moved_at = Clock::now();
  const auto end = moved_at + job_.bench_time;
  crypto::Sha256Hasher hasher;
  uint64_t sent = 0;
  const std::vector<uint8_t> payload(job_.message_size, 0x5a);
  while (Clock::now() < end) {
    hasher.Update(payload);
    Message message{MessageKind::kBinary, payload};
    co_await Send(std::move(message));
    NoteMove(moved_at);
    sent += payload.size();
    ++result_.messages;
    NoteProgress("sent", sent);
  }
  co_await FinishSink(sent, crypto::Hex(hasher.Finish()));
}

awaitable<void> Worker::BenchDown() {
  Message first = co_await Receive();
  const auto start = Clock::now();
  auto moved_at = start;
  while (Clock::now() - start < job_.bench_time) {
    const Message message = co_await Receive();
    NoteMove(moved_at);
    if (message.kind == MessageKind::kString) throw std::runtime_error("the source ended before the time was over");
    result_.bytes += message.payload.size();
    ++result_.messages;
    NoteProgress("received", result_.bytes);
  }
  result_.seconds = Seconds(Clock::now() - start);
}

}  // namespace

std::string LabelFor(const Job& job) {
  switch (job.kind) {
    case JobKind::kNone:
      return "jetstream_proto";
    case JobKind::kMessages:
    case JobKind::kSendAndReceive:
      return "echo";
    case JobKind::kSend:
    case JobKind::kBenchUp:
      return "sink";
    case JobKind::kBenchDown:
      return "source:" + std::to_string(kEndless) + ":" + std::to_string(job.message_size);
  }
  return "echo";
}

awaitable<void> RunJob(WebRtcTransport& transport, const Job& job, JobResult& result, ProgressLine& progress) {
  Worker worker(transport, job, result, progress);
  const auto start = Clock::now();
  result.last_progress = start;
  switch (job.kind) {
    case JobKind::kNone:
      co_return;
    case JobKind::kMessages:
      co_await worker.Messages();
      break;
    case JobKind::kSend:
    case JobKind::kSendAndReceive:
      co_await worker.SendFile();
      break;
    case JobKind::kBenchUp:
      co_await worker.BenchUp();
      break;
    case JobKind::kBenchDown:
      co_await worker.BenchDown();
      co_return;
  }
  result.seconds = Seconds(Clock::now() - start);
}

}  // namespace jsp::tool
