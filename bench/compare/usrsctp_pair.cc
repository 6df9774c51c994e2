// Two processes of Debian's libusrsctp under OpenSSL's DTLS over loopback, each pinned to a core: what an association
// carries, and what an idle connection holds. Prints one line of JSON, with the names of `jsp bench datachannel`.
//
// usage: usrsctp_pair SIZE SECONDS [IDLE-CONNECTIONS]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "bench/compare/usrsctp_connection.h"

namespace jsp::bench {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kTick = std::chrono::milliseconds(10);
constexpr double kWarmUp = 1;
constexpr double kSettle = 3;
constexpr int kSocketBuffer = 2 * 1024 * 1024;
constexpr int kSenderCore = 0;
constexpr int kReceiverCore = 1;

[[noreturn]] void Die(const char* why) {
  std::fprintf(stderr, "error: %s\n", why);
  std::exit(1);
}

void PinTo(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) Die("needs two cores, one for each process");
}

struct Report {
  double at;
  double cpu_seconds;
  double rss_bytes;
  uint64_t octets;
  uint64_t messages;
};

double ResidentOctets() {
  long total = 0;
  long resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2) Die("cannot read /proc/self/statm");
  std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double ProcessorSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Two UDP sockets of loopback that know each other.
std::array<int, 2> SocketPair() {
  std::array<int, 2> sockets{};
  std::array<sockaddr_in, 2> addresses{};
  for (size_t i = 0; i < sockets.size(); ++i) {
    sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    addresses[i].sin_family = AF_INET;
    addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(addresses[i]);
    auto* address = reinterpret_cast<sockaddr*>(&addresses[i]);
    if (bind(sockets[i], address, size) != 0 || getsockname(sockets[i], address, &size) != 0) Die("cannot bind");
    for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
      setsockopt(sockets[i], SOL_SOCKET, option, &kSocketBuffer, sizeof(kSocketBuffer));
    }
  }
  for (size_t i = 0; i < sockets.size(); ++i) {
    const auto* other = reinterpret_cast<const sockaddr*>(&addresses[1 - i]);
    if (connect(sockets[i], other, sizeof(addresses[i])) != 0) Die("cannot connect a UDP socket");
  }
  return sockets;
}

// One process: its connections and the other process behind `control`.
class Endpoint {
 public:
  Endpoint(DtlsRole role, int control) : role_(role), control_(control), epoll_(epoll_create1(0)) {
    usrsctp_init_nothreads(0, &UsrsctpConnection::Output, nullptr);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    Watch(control, nullptr);
  }

  void Open(int socket) {
    connections_.push_back(std::make_unique<UsrsctpConnection>(socket, *context_, role_));
    Watch(socket, connections_.back().get());
    connections_.back()->ContinueHandshake();
  }
  void PourInto(std::vector<uint8_t> payload) { payload_ = std::move(payload); }
  size_t open() const {
    return static_cast<size_t>(std::ranges::count_if(connections_, [](const auto& c) { return c->is_open(); }));
  }

  // Until `is_done`, which is asked after each turn, or `until`. Returns whether it was done.
  bool Run(Clock::time_point until, const std::function<bool()>& is_done) {
    while (!is_done()) {
      if (Clock::now() >= until) return false;
      Turn();
    }
    return true;
  }
  Report Measure() const {
    Report report{Seconds(Clock::now().time_since_epoch()).count(), ProcessorSeconds(), ResidentOctets(), 0, 0};
    for (const auto& connection : connections_) {
      report.octets += connection->octets();
      report.messages += connection->messages();
    }
    return report;
  }
  Report AskOther() {
    if (write(control_, "?", 1) != 1) Die("the receiver is gone");
    if (!Run(Clock::now() + kPatience, [this] { return answer_ready_; })) Die("the receiver does not report");
    answer_ready_ = false;
    return answer_;
  }

 private:
  void Watch(int descriptor, UsrsctpConnection* connection) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) Die("epoll_ctl failed");
  }
  void Turn() {
    std::array<epoll_event, 64> events{};
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kTick.count());
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<UsrsctpConnection*>(events[static_cast<size_t>(i)].data.ptr);
      if (connection == nullptr) HearOther();
      if (connection != nullptr) connection->Read();
    }
    const auto now = Clock::now();
    if (now - ticked_ >= kTick) Tick(now);
    if (payload_.empty()) return;
    for (const auto& connection : connections_) {
      if (connection->is_open()) connection->Pour(payload_);
    }
  }
  void Tick(Clock::time_point now) {
    usrsctp_handle_timers(
        static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now - ticked_).count()));
    ticked_ = now;
    for (const auto& connection : connections_) connection->ContinueHandshake();
  }
  // The receiver is asked, the sender is told.
  void HearOther() {
    if (role_ == DtlsRole::kClient) {
      if (read(control_, &answer_, sizeof(answer_)) != sizeof(answer_)) Die("the receiver ended");
      answer_ready_ = true;
      return;
    }
    char question = 0;
    if (read(control_, &question, 1) != 1) std::exit(0);
    const Report report = Measure();
    if (write(control_, &report, sizeof(report)) != sizeof(report)) std::exit(0);
  }

  DtlsRole role_;
  int control_;
  int epoll_;
  SslContext context_ = MakeSslContext();
  std::vector<std::unique_ptr<UsrsctpConnection>> connections_;
  std::vector<uint8_t> payload_;
  Clock::time_point ticked_ = Clock::now();
  Report answer_{};
  bool answer_ready_ = false;
};

struct Reports {
  Report ours;
  Report theirs;
};

Reports AskBoth(Endpoint& sender) {
  const Report theirs = sender.AskOther();
  return {sender.Measure(), theirs};
}

json::object MeasureBulk(Endpoint& sender, size_t size, double seconds) {
  const auto after = [](double delay) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(delay));
  };
  const auto never = [] { return false; };
  sender.PourInto(std::vector<uint8_t>(size, 'x'));
  sender.Run(after(kWarmUp), never);
  const Reports before = AskBoth(sender);
  sender.Run(after(seconds), never);
  const Reports then = AskBoth(sender);
  const double octets = static_cast<double>(then.theirs.octets - before.theirs.octets);
  if (octets == 0) Die("nothing arrived");
  const double spent = then.theirs.at - before.theirs.at;
  const double sender_cpu = (then.ours.cpu_seconds - before.ours.cpu_seconds) / (octets / 1e9);
  const double receiver_cpu = (then.theirs.cpu_seconds - before.theirs.cpu_seconds) / (octets / 1e9);
  return {{"mbytes_per_s", octets / 1e6 / spent},
          {"messages_per_s", static_cast<double>(then.theirs.messages - before.theirs.messages) / spent},
          {"cpu_s_per_gb", {{"sender", sender_cpu}, {"receiver", receiver_cpu}, {"both", sender_cpu + receiver_cpu}}}};
}

json::object MeasureIdle(Endpoint& sender, const std::vector<int>& sockets) {
  // The receiver has made all of its ends already: the sender's growth is the whole one.
  const Reports before = AskBoth(sender);
  for (size_t i = 1; i < sockets.size(); ++i) sender.Open(sockets[i]);
  if (!sender.Run(Clock::now() + kPatience, [&] { return sender.open() == sockets.size(); }))
    Die("they do not connect");
  sender.Run(Clock::now() + std::chrono::seconds(static_cast<int>(kSettle)), [] { return false; });
  const Reports after = AskBoth(sender);
  const double growth = after.ours.rss_bytes - before.ours.rss_bytes;
  const size_t connections = sockets.size() - 1;
  return {{"idle",
           {{"connections", connections}, {"rss_bytes_per_connection", growth / static_cast<double>(connections)}}}};
}

[[noreturn]] void Receive(const std::vector<int>& sockets, int control) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  PinTo(kReceiverCore);
  Endpoint receiver(DtlsRole::kServer, control);
  for (const int socket : sockets) receiver.Open(socket);
  for (;;) receiver.Run(Clock::now() + kPatience, [] { return false; });
}

int Main(int count, char** arguments) {
  if (count < 3) Die("usage: usrsctp_pair SIZE SECONDS [IDLE-CONNECTIONS]");
  const size_t size = std::strtoul(arguments[1], nullptr, 10);
  const double seconds = std::strtod(arguments[2], nullptr);
  const size_t idle = count > 3 ? std::strtoul(arguments[3], nullptr, 10) : 0;
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<int> ours;
  std::vector<int> theirs;
  for (size_t i = 0; i <= idle; ++i) {
    const auto pair = SocketPair();
    ours.push_back(pair[0]);
    theirs.push_back(pair[1]);
  }
  std::array<int, 2> control{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, control.data()) != 0) Die("socketpair failed");
  const pid_t child = fork();
  if (child < 0) Die("fork failed");
  if (child == 0) Receive(theirs, control[1]);
  close(control[1]);
  PinTo(kSenderCore);
  Endpoint sender(DtlsRole::kClient, control[0]);
  sender.Open(ours.front());
  if (!sender.Run(Clock::now() + kPatience, [&] { return sender.open() == 1; })) Die("usrsctp did not connect");
  const json::object result = idle > 0 ? MeasureIdle(sender, ours) : MeasureBulk(sender, size, seconds);
  std::printf("%s\n", json::serialize(result).c_str());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  std::fflush(stdout);
  _exit(0);  // usrsctp's associations need not be closed one by one
}

}  // namespace
}  // namespace jsp::bench

int main(int count, char** arguments) { return jsp::bench::Main(count, arguments); }
