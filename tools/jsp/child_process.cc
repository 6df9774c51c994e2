#include "tools/jsp/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>

namespace jsp::tool {
namespace {

double Seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

// Appends what there is; false at the end of the pipe.
bool ReadSome(int fd, std::string& text) {
  std::array<char, 4096> part;
  const ssize_t size = ::read(fd, part.data(), part.size());
  if (size <= 0) return false;
  text.append(part.data(), static_cast<size_t>(size));
  return true;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::array<int, 2> out{}, err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) std::abort();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(out_);
  ::close(err_);
}

std::string ChildProcess::ReadLineOf(int descriptor) {
  std::string line;
  char octet = 0;
  while (::read(descriptor, &octet, 1) == 1 && octet != '\n') line += octet;
  return line;
}

void ChildProcess::Signal(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

size_t ChildProcess::MaxRss() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  const std::string name = "VmHWM:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::strtoull(line.c_str() + name.size(), nullptr, 10) * 1024;
  }
  return 0;
}

ChildProcess::Result ChildProcess::Wait() {
  Result result;
  std::array<pollfd, 2> pipes{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    if (::poll(pipes.data(), pipes.size(), -1) < 0) break;
    if (pipes[0].revents != 0 && !ReadSome(out_, result.out)) pipes[0].fd = -1;
    if (pipes[1].revents != 0 && !ReadSome(err_, result.err)) pipes[1].fd = -1;
  }
  int status = 0;
  rusage usage{};
  ::wait4(pid_, &status, 0, &usage);
  pid_ = -1;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  result.max_rss = static_cast<size_t>(usage.ru_maxrss) * 1024;
  result.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  return result;
}

std::vector<std::string> ServeProcess::Arguments(const std::string& jsp, std::vector<std::string> options) {
  std::vector<std::string> arguments{jsp, "serve", "--http", "127.0.0.1:0"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return arguments;
}

ServeProcess::ServeProcess(const std::string& jsp, std::vector<std::string> options)
    : process_(Arguments(jsp, std::move(options))) {
  const std::string line = process_.ReadLine();
  const std::string ready = "listening on ";
  if (line.starts_with(ready)) url_ = line.substr(ready.size());
}

}  // namespace jsp::tool
