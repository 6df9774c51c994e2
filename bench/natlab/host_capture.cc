#include "bench/natlab/host_capture.h"

#include <fcntl.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <span>
#include <sstream>
#include <vector>

#include "base/packet_tap.h"
#include "bench/natlab/wire.h"

namespace jsp::natlab {
namespace {

constexpr size_t kMaxFrame = 65536 + 14;
constexpr size_t kEthernetHeader = 14;

std::string Reason(const std::string& what) { return what + ": " + std::strerror(errno); }

bool WriteAll(int file, std::span<const uint8_t> octets) {
  while (!octets.empty()) {
    const ssize_t size = ::write(file, octets.data(), octets.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    octets = octets.subspan(static_cast<size_t>(size));
  }
  return true;
}

Timestamp WallTime() {
  return Timestamp::FromEpoch(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

// The capturing process. It says "ok" or what is wrong, and ends when nobody has the other end of `control` any more.
class Recorder {
 public:
  Recorder(const NetNamespace& host, const std::string& interface, const std::string& file) {
    file_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) {
      problem_ = "cannot write " + file;
      return;
    }
    if (host.Enter()) socket_ = OpenPacketSocket(interface);
    if (socket_ < 0) {
      problem_ = Reason("a raw socket");
    } else if (!WriteAll(file_, tap_.Take())) {  // a file without packets is one, too
      problem_ = "cannot write " + file;
    }
  }
  const std::string& problem() const { return problem_; }

  void Run(int control) {
    for (bool is_over = false; !is_over;) {
      std::array<pollfd, 2> descriptors{pollfd{socket_, POLLIN, 0}, pollfd{control, POLLIN, 0}};
      (void)::poll(descriptors.data(), descriptors.size(), -1);
      is_over = descriptors[1].revents != 0;
      while (Take()) {
      }
    }
  }

 private:
  // The next frame; false: there is none, or no room for it.
  bool Take() {
    const ssize_t size = ::recv(socket_, frame_.data(), frame_.size(), 0);
    if (size < 0) return false;
    const auto frame = std::span(frame_).first(static_cast<size_t>(size));
    if (frame.size() <= kEthernetHeader) return true;
    const int type = frame[12] << 8 | frame[13];
    if (type != ETHERTYPE_IP && type != ETHERTYPE_IPV6) return true;
    tap_.RecordPacket(WallTime(), frame.subspan(kEthernetHeader));
    return WriteAll(file_, tap_.Take());
  }

  int file_ = -1;
  int socket_ = -1;
  std::string problem_;
  PacketTap tap_;
  std::vector<uint8_t> frame_ = std::vector<uint8_t>(kMaxFrame);
};

}  // namespace

Expected<std::unique_ptr<HostCapture>, std::string> HostCapture::Start(const NetNamespace& host,
                                                                       const std::string& interface,
                                                                       const std::string& file) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return Unexpected(Reason("a capture"));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Recorder recorder(host, interface, file);
    const std::string said = recorder.problem().empty() ? "ok" : recorder.problem();
    (void)!::write(ends[1], said.data(), said.size());
    if (recorder.problem().empty()) recorder.Run(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::unique_ptr<HostCapture> capture(new HostCapture(pid, ends[0]));
  if (pid < 0) return Unexpected(Reason("a capture"));
  std::array<char, 512> said{};
  const ssize_t size = ::read(ends[0], said.data(), said.size());
  const std::string text(said.data(), size > 0 ? static_cast<size_t>(size) : 0);
  if (text != "ok") return Unexpected(text.empty() ? std::string("its process ended early") : text);
  return capture;
}

Expected<void, std::string> HostCapture::AddKeys(const std::string& file, std::string_view lines) {
  std::ostringstream packets;
  PacketTap tap;
  const size_t header = tap.Take().size();  // what every capture begins with
  packets << std::ifstream(file, std::ios::binary).rdbuf();
  const std::string all = packets.str();
  if (all.size() < header) return Unexpected("cannot read " + file);
  std::ofstream out(file, std::ios::binary);
  out << all.substr(0, header);
  tap.RecordKeyLog(lines);
  const auto keys = tap.Take();
  out.write(reinterpret_cast<const char*>(keys.data()), static_cast<std::streamsize>(keys.size()));
  out << all.substr(header);
  if (!out.flush()) return Unexpected("cannot write " + file);
  return {};
}

HostCapture::~HostCapture() {
  // Other children have it open as well.
  ::shutdown(control_, SHUT_RDWR);
  ::close(control_);
  if (pid_ < 0) return;
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace jsp::natlab
