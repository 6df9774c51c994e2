#include "transport/asio/reuseport_steering.h"

#include <vector>
#if defined(__linux__)
#include <linux/filter.h>
#include <sys/socket.h>
#endif

namespace jsp::transport::io {
namespace {

// Odd numbers that mix well: those of MurmurHash3's finalizer.
constexpr uint32_t kFirstFactor = 0x85ebca6b;
constexpr uint32_t kSecondFactor = 0xc2b2ae35;

uint32_t WordAt(std::span<const uint8_t> octets, size_t at) {
  return uint32_t{octets[at]} << 24 | uint32_t{octets[at + 1]} << 16 | uint32_t{octets[at + 2]} << 8 | octets[at + 3];
}

}  // namespace

uint32_t SteeringHash(uint32_t seed, const SocketAddress& source) {
  uint32_t hash = seed;
  const auto mix = [&](uint32_t word, uint32_t factor) {
    hash = (hash ^ word) * factor;
    hash ^= hash >> 16;
  };
  const auto octets = source.ip.octets();
  for (size_t at = 0; at < octets.size(); at += 4) mix(WordAt(octets, at), kFirstFactor);
  mix(source.port, kSecondFactor);
  return hash;
}

#if defined(SO_ATTACH_REUSEPORT_CBPF)

namespace {

// The same as SteeringHash, in the kernel's terms: A is the accumulator, X the index register, M[0] holds the hash.
class Program {
 public:
  Program(IpAddress::Family family, uint32_t seed) {
    // RFC 791 §3.1, RFC 8200 §3: where the source address stands.
    const bool is_v4 = family == IpAddress::Family::kV4;
    const uint32_t first = is_v4 ? 12 : 8;
    const uint32_t last = is_v4 ? 12 : 20;
    Add(BPF_LD | BPF_IMM, seed);
    Add(BPF_ST, 0);
    for (uint32_t at = first; at <= last; at += 4) {
      Add(BPF_LD | BPF_W | BPF_ABS, kNetwork + at);
      Mix(kFirstFactor);
    }
    // RFC 768: the source port comes first; behind IPv4's header, whose length is its own, or IPv6's.
    if (is_v4) {
      Add(BPF_LDX | BPF_B | BPF_MSH, kNetwork);
      Add(BPF_LD | BPF_H | BPF_IND, kNetwork);
    } else {
      Add(BPF_LD | BPF_H | BPF_ABS, kNetwork + 40);
    }
    Mix(kSecondFactor);
  }
  void Choose(std::span<const uint16_t> indices) {
    Add(BPF_ALU | BPF_MOD | BPF_K, static_cast<uint32_t>(indices.size()));
    for (uint32_t i = 0; i < indices.size(); ++i) {
      code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, i});  // not equal: the next but one
      Add(BPF_RET | BPF_K, indices[i]);
    }
    Add(BPF_RET | BPF_K, 0);
  }
  bool Attach(int descriptor) {
    const sock_fprog program{static_cast<uint16_t>(code_.size()), code_.data()};
    return ::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0;
  }

 private:
  static constexpr uint32_t kNetwork = static_cast<uint32_t>(SKF_NET_OFF);  // from the IP header on

  void Add(uint16_t code, uint32_t k) { code_.push_back({code, 0, 0, k}); }
  // M[0] = (M[0] ^ A) * factor, then ^= itself >> 16.
  void Mix(uint32_t factor) {
    Add(BPF_LDX | BPF_MEM, 0);
    Add(BPF_ALU | BPF_XOR | BPF_X, 0);
    Add(BPF_ALU | BPF_MUL | BPF_K, factor);
    Add(BPF_ST, 0);
    Add(BPF_ALU | BPF_RSH | BPF_K, 16);
    Add(BPF_LDX | BPF_MEM, 0);
    Add(BPF_ALU | BPF_XOR | BPF_X, 0);
    Add(BPF_ST, 0);
  }

  std::vector<sock_filter> code_;
};

}  // namespace

bool AttachSteering(int descriptor, IpAddress::Family family, uint32_t seed, std::span<const uint16_t> indices) {
  if (indices.empty()) return false;
  Program program(family, seed);
  program.Choose(indices);
  return program.Attach(descriptor);
}

#else

bool AttachSteering(int, IpAddress::Family, uint32_t, std::span<const uint16_t>) { return false; }

#endif

}  // namespace jsp::transport::io
