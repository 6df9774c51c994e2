#include "bench/natlab/peer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <utility>

#include "datachannel/utf8.h"

namespace jsp::natlab {
namespace {

constexpr size_t kKeptOfStderr = 2000;
constexpr size_t kMaxLine = 1 << 20;
constexpr size_t kMostAtOnce = 1 << 20;  // of what a process writes, so that none keeps its reader
constexpr size_t kQuoted = 200;

void Close(int& descriptor) {
  if (descriptor >= 0) ::close(std::exchange(descriptor, -1));
}

// What may stand in a report and on a terminal, on one line: of text that is no UTF-8 its ASCII.
std::string Printable(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const bool is_utf8 = datachannel::IsValidUtf8(text);
  std::string printable;
  for (const char octet : text) {
    const auto value = static_cast<unsigned char>(octet);
    const bool is_shown = octet == '\t' || (value >= 0x20 && value != 0x7f && (is_utf8 || value < 0x80));
    if (octet == '\n') {
      printable += " | ";
    } else {
      printable += is_shown ? octet : '?';
    }
  }
  return printable;
}

}  // namespace

PeerProcess::PeerProcess(const NetNamespace& where, const std::vector<std::string>& arguments,
                         const std::string& hosts) {
  std::array<int, 2> in{-1, -1}, out{-1, -1}, err{-1, -1};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0 ||
      ::pipe2(err.data(), O_CLOEXEC) != 0) {
    nonsense_ = "there is no pipe for it";
    return;
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_DFL);
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    if (!where.Enter()) ::_exit(126);
    if (!hosts.empty()) MountHosts(hosts);
    Execute(arguments);
  }
  for (int* mine : {&in[0], &out[1], &err[1]}) Close(*mine);
  in_ = in[1];
  out_ = out[0];
  err_ = err[0];
  ::fcntl(out_, F_SETFL, O_NONBLOCK);
  ::fcntl(err_, F_SETFL, O_NONBLOCK);
}

PeerProcess::~PeerProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  for (int* descriptor : {&in_, &out_, &err_}) Close(*descriptor);
}

void PeerProcess::Send(const boost::json::object& line) {
  const std::string text = boost::json::serialize(line) + "\n";
  std::string_view rest = text;
  while (!rest.empty() && in_ >= 0) {
    const ssize_t size = ::write(in_, rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Close(in_);
    rest.remove_prefix(static_cast<size_t>(size));
  }
}

void PeerProcess::Read(int& descriptor, std::string& text) {
  std::array<char, 16384> part;
  for (size_t read = 0; descriptor >= 0 && read < kMostAtOnce; read += part.size()) {
    const ssize_t size = ::read(descriptor, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return Close(descriptor);
    text.append(part.data(), static_cast<size_t>(size));
  }
}

void PeerProcess::TakeLines() {
  size_t begin = 0;
  for (size_t end; (end = out_text_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = out_text_.substr(begin, end - begin);
    boost::system::error_code error;
    auto value = boost::json::parse(line, error);
    if (!error && value.is_object()) {
      lines_.insert(lines_.begin(), {Clock::now(), std::move(value.as_object())});
    } else if (!line.empty() && nonsense_.empty()) {
      nonsense_ = "it wrote what is no JSON object: " + Printable(line.substr(0, kQuoted));
    }
  }
  out_text_.erase(0, begin);
  if (out_text_.size() > kMaxLine && nonsense_.empty()) nonsense_ = "it wrote a line that does not end";
}

std::optional<PeerProcess::Line> PeerProcess::Next() {
  if (lines_.empty()) return std::nullopt;
  Line line = std::move(lines_.back());
  lines_.pop_back();
  return line;
}

std::string PeerProcess::Ended() {
  if (!nonsense_.empty()) return nonsense_;
  if (pid_ < 0) return "there is no process for it";
  if (out_ >= 0 || !lines_.empty()) return {};
  Read(err_, err_text_);
  // A process that dies closes its output a moment before it can be waited for.
  const auto process = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (process >= 0) {
    constexpr int kDyingMs = 1000;
    pollfd ended{process, POLLIN, 0};
    (void)::poll(&ended, 1, kDyingMs);
    ::close(process);
  }
  int status = 0;
  const pid_t done = ::waitpid(pid_, &status, WNOHANG);
  std::string why = "it closed its standard output";
  if (done == pid_) {
    pid_ = -1;
    why = WIFSIGNALED(status) ? "it died of signal " + std::to_string(WTERMSIG(status))
                              : "it ended with exit code " + std::to_string(WEXITSTATUS(status));
  }
  nonsense_ = why;
  if (err_text_.size() > kKeptOfStderr) err_text_.erase(0, err_text_.size() - kKeptOfStderr);
  if (!err_text_.empty()) nonsense_ += "; it said: " + Printable(err_text_);
  return nonsense_;
}

void PeerProcess::WaitForSome(std::span<PeerProcess* const> peers, Clock::time_point deadline) {
  std::vector<pollfd> descriptors;
  for (PeerProcess* peer : peers) {
    descriptors.push_back({peer->out_, POLLIN, 0});
    descriptors.push_back({peer->err_, POLLIN, 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (::poll(descriptors.data(), descriptors.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 60'000))) <= 0)
    return;
  for (PeerProcess* peer : peers) {
    peer->Read(peer->out_, peer->out_text_);
    peer->Read(peer->err_, peer->err_text_);
    if (peer->err_text_.size() > 2 * kKeptOfStderr) {
      peer->err_text_.erase(0, peer->err_text_.size() - kKeptOfStderr);
    }
    if (!peer->is_text_) peer->TakeLines();
  }
}

}  // namespace jsp::natlab
