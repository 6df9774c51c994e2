// Two associations in one process and one thread, without DTLS and sockets: what the code costs. Beside them usrsctp in
// the same harness: packets go through a queue in memory, a window of messages is kept under way, and the receiver
// takes messages as they come. `allocations` counts per message, of both ends and the harness, `per_packet` the same
// per packet; `packets` per message.
#include <benchmark/benchmark.h>
#include <usrsctp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/payload.h"
#include "base/rng.h"
#include "base/time.h"
#include "sctp/association.h"

namespace {

uint64_t g_allocations = 0;

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++g_allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace jsp::bench {
namespace {

constexpr size_t kUnderWay = 1024 * 1024;  // octets of messages between Send and receipt
constexpr uint16_t kPort = 5000;

// Ours. The application takes payloads from the sender's pool and drops what it received.
class OwnPair {
 public:
  OwnPair(const sctp::Options& options, const sctp::SendOptions& send_options)
      : rng_a_(Rng::FromNumber(1)),
        rng_z_(Rng::FromNumber(2)),
        a_(options, rng_a_, now_),
        z_(options, rng_z_, now_),
        send_options_(send_options) {
    a_.Connect(now_);
    z_.Connect(now_);
    for (int i = 0; i < 100; ++i) Exchange();
  }
  bool ok() const { return a_.state() == sctp::State::kEstablished && z_.state() == sctp::State::kEstablished; }

  // One message more through the association; what came early counts for the next calls.
  void Transfer(size_t octets) {
    while (under_way_ + octets <= std::max(kUnderWay, octets)) {
      Payload payload(a_.pool());
      payload.resize(octets);
      if (!a_.Send(now_, {sctp::StreamId(1), sctp::Ppid(53), std::move(payload)}, send_options_)) break;
      under_way_ += octets;
    }
    for (++expected_; received_ < expected_;) Exchange();
  }
  uint64_t packets() const { return packets_; }

 private:
  void Exchange() {
    now_ = now_ + std::chrono::microseconds(20);
    Carry(a_, z_);
    Carry(z_, a_);
    if (a_.NextTimeout() <= now_) a_.HandleTimeout(now_);
    if (z_.NextTimeout() <= now_) z_.HandleTimeout(now_);
  }
  void Carry(sctp::Association& from, sctp::Association& to) {
    // A burst at a time, as a driver reads them.
    for (int i = 0; i < 64; ++i) {
      const auto transmit = from.PollTransmit(now_, packet_);
      if (!transmit) break;
      ++packets_;
      to.HandlePacket(now_, std::span(packet_).first(transmit->size));
    }
    while (auto event = to.PollEvent()) {
      auto* received = std::get_if<sctp::event::MessageReceived>(&*event);
      if (received == nullptr) continue;
      const size_t octets = received->message.payload.size();
      ++received_;
      under_way_ -= octets;
      to.HandleConsumed(now_, octets);
    }
  }

  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(1));
  Rng rng_a_;
  Rng rng_z_;
  sctp::Association a_;
  sctp::Association z_;
  const sctp::SendOptions send_options_;
  std::array<uint8_t, 2048> packet_{};
  size_t under_way_ = 0;
  uint64_t received_ = 0;
  uint64_t expected_ = 0;
  uint64_t packets_ = 0;
};

void Report(benchmark::State& state, size_t octets, uint64_t allocations, uint64_t packets) {
  const auto messages = static_cast<double>(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(octets));
  state.counters["allocations"] = static_cast<double>(allocations) / messages;
  state.counters["per_packet"] = static_cast<double>(allocations) / static_cast<double>(std::max<uint64_t>(packets, 1));
  state.counters["packets"] = static_cast<double>(packets) / messages;
}

void BM_Association(benchmark::State& state) {
  const auto octets = static_cast<size_t>(state.range(0));
  sctp::Options options;
  options.zero_checksum = state.range(1) == 0;
  options.interleaving = state.range(3) != 0;
  sctp::SendOptions send_options;
  send_options.unordered = state.range(2) != 0;
  OwnPair pair(options, send_options);
  if (!pair.ok()) return state.SkipWithError("not established");
  // Until what is kept has its largest size.
  const size_t warm_up = std::max<size_t>(2000, (64 << 20) / octets);
  for (size_t i = 0; i < warm_up; ++i) pair.Transfer(octets);
  const uint64_t allocations = g_allocations;
  const uint64_t packets = pair.packets();
  for (auto _ : state) pair.Transfer(octets);
  Report(state, octets, g_allocations - allocations, pair.packets() - packets);
}
BENCHMARK(BM_Association)
    ->ArgNames({"octets", "crc", "unordered", "idata"})
    ->ArgsProduct({{65536, 1024, 100}, {0}, {0, 1}, {0, 1}})
    ->ArgsProduct({{65536, 1024, 100}, {1}, {0}, {1}});

// usrsctp: one stack for the whole process, so one pair lives as long as the process.
class Usrsctp {
 public:
  static Usrsctp& Get() {
    static Usrsctp instance;
    return instance;
  }
  bool ok() const { return connected_; }
  void SetCrc(int64_t with_crc) {
    // The library has no way back from the offload: rows with the CRC come first.
    if (with_crc == 0) usrsctp_enable_crc32c_offload();
  }
  void Transfer(size_t octets) {
    payload_.resize(octets);
    sctp_sendv_spa info{};
    info.sendv_flags = SCTP_SEND_SNDINFO_VALID;
    info.sendv_sndinfo.snd_sid = 1;
    info.sendv_sndinfo.snd_flags = SCTP_EOR;
    while (under_way_ + octets <= std::max(kUnderWay, octets)) {
      const ssize_t sent =
          usrsctp_sendv(sender_, payload_.data(), octets, nullptr, 0, &info, sizeof(info), SCTP_SENDV_SPA, 0);
      if (sent != static_cast<ssize_t>(octets)) break;
      under_way_ += octets;
    }
    for (++expected_; received_ < expected_;) Exchange();
  }
  // Messages of the row before do not count in the next one.
  void Drain() {
    while (under_way_ > 0) Exchange();
    expected_ = received_;
  }
  uint64_t packets() const { return packets_; }

 private:
  struct Packet {
    void* to;
    std::vector<uint8_t> bytes;
  };

  Usrsctp() {
    usrsctp_init_nothreads(0, &Usrsctp::Output, nullptr);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(&ends_[0]);
    usrsctp_register_address(&ends_[1]);
    sender_ = Open(&ends_[0]);
    receiver_ = Open(&ends_[1]);
    // The library knows one address per connection: an end names both its own and its peer's by it.
    for (size_t i = 0; i < ends_.size(); ++i) {
      sockaddr_conn address = Address(&ends_[i]);
      usrsctp_connect(i == 0 ? sender_ : receiver_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
    for (int i = 0; i < 1000; ++i) Exchange();
    connected_ = (usrsctp_get_events(sender_) & SCTP_EVENT_WRITE) != 0;
  }
  static sockaddr_conn Address(void* end) {
    sockaddr_conn address{};
    address.sconn_family = AF_CONN;
    address.sconn_port = htons(kPort);
    address.sconn_addr = end;
    return address;
  }
  struct socket* Open(void* end) {
    struct socket* opened = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
    usrsctp_set_non_blocking(opened, 1);
    const int buffer = 4 * 1024 * 1024;
    usrsctp_setsockopt(opened, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    usrsctp_setsockopt(opened, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    const int on = 1;
    usrsctp_setsockopt(opened, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof(on));
    // The same packet size as ours: 1,191 octets.
    sctp_paddrparams parameters{};
    parameters.spp_address.ss_family = AF_CONN;
    parameters.spp_flags = SPP_PMTUD_DISABLE;
    parameters.spp_pathmtu = 1191;
    usrsctp_setsockopt(opened, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &parameters, sizeof(parameters));
    sockaddr_conn address = Address(end);
    usrsctp_bind(opened, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    return opened;
  }
  static int Output(void* end, void* buffer, size_t length, uint8_t, uint8_t) {
    Usrsctp& self = *current_;
    const auto* bytes = static_cast<const uint8_t*>(buffer);
    std::vector<uint8_t> copy;
    if (!self.spare_.empty()) {
      copy = std::move(self.spare_.back());
      self.spare_.pop_back();
    }
    copy.assign(bytes, bytes + length);
    void* to = end == &self.ends_[0] ? &self.ends_[1] : &self.ends_[0];
    self.wire_.push_back({to, std::move(copy)});
    ++self.packets_;
    return 0;
  }
  void Exchange() {
    while (!wire_.empty()) {
      Packet packet = std::move(wire_.front());
      wire_.pop_front();
      usrsctp_conninput(packet.to, packet.bytes.data(), packet.bytes.size(), 0);
      spare_.push_back(std::move(packet.bytes));
    }
    if (++turns_ % 50 == 0) usrsctp_handle_timers(1);
    while (true) {
      sockaddr_conn from{};
      socklen_t from_length = sizeof(from);
      socklen_t info_length = 0;
      unsigned int info_type = 0;
      int flags = 0;
      const ssize_t got = usrsctp_recvv(receiver_, inbox_.data(), inbox_.size(), reinterpret_cast<sockaddr*>(&from),
                                        &from_length, nullptr, &info_length, &info_type, &flags);
      if (got <= 0) break;
      under_way_ -= std::min(under_way_, static_cast<size_t>(got));
      if ((flags & MSG_EOR) != 0) ++received_;
    }
  }

  inline static Usrsctp* current_ = nullptr;
  struct SetCurrent {
    explicit SetCurrent(Usrsctp* self) { current_ = self; }
  };
  SetCurrent set_current_{this};
  std::array<int, 2> ends_{};
  struct socket* sender_ = nullptr;
  struct socket* receiver_ = nullptr;
  std::deque<Packet> wire_;
  std::vector<std::vector<uint8_t>> spare_;
  std::vector<uint8_t> payload_;
  std::vector<uint8_t> inbox_ = std::vector<uint8_t>(512 * 1024);
  size_t under_way_ = 0;
  uint64_t received_ = 0;
  uint64_t expected_ = 0;
  uint64_t packets_ = 0;
  uint64_t turns_ = 0;
  bool connected_ = false;
};

void BM_Usrsctp(benchmark::State& state) {
  const auto octets = static_cast<size_t>(state.range(0));
  Usrsctp& pair = Usrsctp::Get();
  if (!pair.ok()) return state.SkipWithError("not established");
  pair.Drain();
  pair.SetCrc(state.range(1));
  for (int i = 0; i < 2000; ++i) pair.Transfer(octets);
  const uint64_t packets = pair.packets();
  for (auto _ : state) pair.Transfer(octets);
  // usrsctp allocates with malloc, which is not counted.
  Report(state, octets, 0, pair.packets() - packets);
}
BENCHMARK(BM_Usrsctp)
    ->ArgNames({"octets", "crc"})
    ->Args({65536, 1})
    ->Args({1024, 1})
    ->Args({100, 1})
    ->Args({65536, 0})
    ->Args({1024, 0})
    ->Args({100, 0});

}  // namespace
}  // namespace jsp::bench
