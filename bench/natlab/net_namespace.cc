#include "bench/natlab/net_namespace.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace jsp::natlab {
namespace {

constexpr int kCannotRun = 127;  // as shells say it

// The limit on namespaces is told as if a disk were full.
std::string Reason(const std::string& what) {
  return what + ": " + (errno == ENOSPC ? "this user may have none (user.max_user_namespaces)" : std::strerror(errno));
}

bool WriteFile(const char* path, std::string_view text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool done = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  return done;
}

// To the end of the pipe.
std::string ReadAll(int descriptor) {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t size = ::read(descriptor, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(part.data(), static_cast<size_t>(size));
  }
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// What a rootless user needs besides: to be root in there, and nobody else.
bool MapUser(uid_t user, gid_t group) {
  (void)WriteFile("/proc/self/setgroups", "deny");
  return WriteFile("/proc/self/uid_map", "0 " + std::to_string(user) + " 1") &&
         WriteFile("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
}

// True: this process's children are in namespaces of their own.
bool Unshare() {
  constexpr int kFlags = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (user == 0 && ::unshare(kFlags) == 0) return true;
  return ::unshare(kFlags | CLONE_NEWUSER) == 0 && MapUser(user, group);
}

void DieWith(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it was quicker
}

// Says why and ends.
[[noreturn]] void Give(int out, const std::string& text) {
  if (::write(out, text.data(), text.size()) < 0) ::_exit(2);
  ::_exit(1);
}

[[noreturn]] void Isolate(void (*work)(void* context, int out), void* context, int out) {
  if (!Unshare()) Give(out, std::string(kNotPermitted) + Reason("namespaces"));
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // again: becoming another user has cleared it
  const pid_t init = ::fork();
  if (init == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // the parent is in another process namespace, so that its id is no help
    ::signal(SIGPIPE, SIG_IGN);
    const bool is_mounted = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                            ::mount("proc", "/proc", "proc", 0, nullptr) == 0;
    if (!is_mounted) Give(out, std::string(kNotPermitted) + Reason("mounting /proc"));
    work(context, out);
    ::_exit(0);
  }
  ::close(out);
  if (init > 0) (void)WaitFor(init);
  ::_exit(0);
}

}  // namespace

Expected<NetNamespace, std::string> NetNamespace::Create() {
  const int before = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (before < 0 || ::unshare(CLONE_NEWNET) != 0) return Unexpected(Reason("a network namespace"));
  // Inherited by `ip`, which finds it by its number.
  NetNamespace made(::open("/proc/self/ns/net", O_RDONLY));
  for (const auto& [name, value] : {std::pair{"ipv4/ip_forward", "1"},
                                    {"ipv4/icmp_ratelimit", "0"},
                                    {"ipv4/conf/all/rp_filter", "0"},
                                    {"ipv4/conf/default/rp_filter", "0"},
                                    {"ipv6/conf/all/forwarding", "1"},
                                    {"ipv6/conf/default/accept_dad", "0"}}) {
    (void)WriteFile((std::string("/proc/sys/net/") + name).c_str(), value);
  }
  const bool is_back = ::setns(before, CLONE_NEWNET) == 0;
  ::close(before);
  if (made.descriptor_ < 0 || !is_back) return Unexpected(Reason("a network namespace"));
  return made;
}

NetNamespace::NetNamespace(NetNamespace&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

NetNamespace& NetNamespace::operator=(NetNamespace&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

NetNamespace::~NetNamespace() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool NetNamespace::Enter() const { return ::setns(descriptor_, CLONE_NEWNET) == 0; }

Expected<void, std::string> NetNamespace::Set(const std::string& name, const std::string& value) const {
  if (Enter() && WriteFile(("/proc/sys/net/" + name).c_str(), value)) return {};
  return Unexpected(Reason(name));
}

void Execute(const std::vector<std::string>& arguments) {
  const char* path = std::getenv("PATH");
  ::setenv("PATH", (std::string(path == nullptr ? "/usr/bin:/bin" : path) + ":/usr/sbin:/sbin").c_str(), 1);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  const std::string text = Reason("cannot run " + arguments[0]) + "\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(kCannotRun);
}

// A file of a file system that has no other name, so that it is gone with the process.
void MountHosts(const std::string& text) {
  constexpr const char* kPlace = "/tmp";
  constexpr const char* kFile = "/tmp/hosts";
  const bool is_apart = ::unshare(CLONE_NEWNS) == 0 &&
                        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                        ::mount("tmpfs", kPlace, "tmpfs", 0, nullptr) == 0;
  const int made = is_apart ? ::open(kFile, O_CREAT | O_WRONLY | O_CLOEXEC, 0644) : -1;
  if (made >= 0) ::close(made);
  const bool is_there = made >= 0 && WriteFile(kFile, text) &&
                        ::mount(kFile, "/etc/hosts", nullptr, MS_BIND, nullptr) == 0 &&
                        ::umount2(kPlace, MNT_DETACH) == 0;
  if (is_there) return;
  const std::string why = Reason("mounting /etc/hosts") + "\n";
  (void)!::write(STDERR_FILENO, why.data(), why.size());
  ::_exit(kCannotRun);
}

Expected<void, std::string> NetNamespace::Run(const std::vector<std::string>& arguments, std::string_view input) const {
  std::array<int, 2> in{}, err{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) return Unexpected(Reason("a pipe"));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    if (!Enter()) ::_exit(126);
    Execute(arguments);
  }
  ::close(in[0]);
  ::close(err[1]);
  // None of our programs says much before it has read all.
  while (!input.empty()) {
    const ssize_t size = ::write(in[1], input.data(), input.size());
    if (size <= 0) break;
    input.remove_prefix(static_cast<size_t>(size));
  }
  ::close(in[1]);
  std::string error = ReadAll(err[0]);
  std::ranges::replace(error, '\n', ' ');
  ::close(err[0]);
  while (error.ends_with(' ')) error.pop_back();
  const int status = pid > 0 ? WaitFor(pid) : 1;
  if (status == 0) return {};
  const bool has_run = !WIFEXITED(status) || WEXITSTATUS(status) != kCannotRun;
  return Unexpected((has_run ? arguments[0] + ": " : std::string()) + error.substr(0, 300));
}

Expected<std::string, std::string> RunIsolated(void (*work)(void* context, int out), void* context) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return Unexpected(Reason("a pipe"));
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(pipe[0]);
    DieWith(self);
    Isolate(work, context, pipe[1]);
  }
  ::close(pipe[1]);
  if (pid < 0) {
    ::close(pipe[0]);
    return Unexpected(Reason("a process"));
  }
  std::string text = ReadAll(pipe[0]);
  ::close(pipe[0]);
  (void)WaitFor(pid);
  if (text.starts_with(kNotPermitted)) return Unexpected(std::move(text));
  return text;
}

}  // namespace jsp::natlab
