// What connected agents cost that nobody uses: processor time of consent and keepalives, and memory.
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "ice/generations.h"
#include "test/support/allocations.h"

namespace jsp {
namespace {

constexpr size_t kPairs = 5000;  // 10,000 agents
constexpr auto kVirtual = std::chrono::seconds(60);

struct Agent {
  Agent(ice::Role role, SocketAddress at, Rng& rng, Timestamp now) : session(Options(role), rng, now), address(at) {
    ice::Candidate host;
    host.address = at;
    (void)session.AddLocalCandidate(now, host);
    session.EndOfLocalCandidates(now);
  }
  static ice::Options Options(ice::Role role) {
    ice::Options options;
    options.role = role;
    return options;
  }
  ice::Generations session;
  SocketAddress address;
};
struct Pair {
  std::unique_ptr<Agent> a;
  std::unique_ptr<Agent> z;
};

// Carries everything between the two at once.
void Exchange(Pair& pair, Timestamp now) {
  std::array<uint8_t, 1500> buffer;
  bool is_busy = true;
  while (is_busy) {
    is_busy = false;
    for (const auto& [from, to] : {std::pair(pair.a.get(), pair.z.get()), std::pair(pair.z.get(), pair.a.get())}) {
      while (const auto sent = from->session.PollTransmit(now, buffer)) {
        to->session.HandleDatagram(now, sent->remote, sent->local, std::span(buffer).first(sent->size));
        is_busy = true;
      }
      while (from->session.PollEvent()) {
      }
    }
  }
}

void Describe(Agent& to, const Agent& from, Timestamp now) {
  (void)to.session.SetRemoteDescription(now, {from.session.local_credentials(), false, true});
  (void)to.session.AddRemoteCandidate(now, from.session.local_candidates().front());
  to.session.EndOfRemoteCandidates(now);
}

}  // namespace
}  // namespace jsp

int main() {
  using namespace jsp;
  Rng rng = Rng::FromNumber(1);
  Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(1));
  std::vector<Pair> pairs(kPairs);
  const size_t before = CountAllocations().octets;
  for (size_t i = 0; i < kPairs; ++i) {
    const auto host = static_cast<uint32_t>(0x0a000000 + 2 * i);
    pairs[i].a = std::make_unique<Agent>(ice::Role::kControlling, SocketAddress{IpAddress::V4(host), 5000}, rng, now);
    pairs[i].z =
        std::make_unique<Agent>(ice::Role::kControlled, SocketAddress{IpAddress::V4(host + 1), 6000}, rng, now);
    Describe(*pairs[i].a, *pairs[i].z, now);
    Describe(*pairs[i].z, *pairs[i].a, now);
  }
  size_t completed = 0;
  for (int step = 0; step < 20; ++step) {
    now = now + std::chrono::milliseconds(50);
    for (Pair& pair : pairs) {
      pair.a->session.HandleTimeout(now);
      pair.z->session.HandleTimeout(now);
      Exchange(pair, now);
    }
  }
  for (Pair& pair : pairs) {
    completed += pair.a->session.state() == ice::State::kCompleted ? 1 : 0;
    pair.a->session.Trim();  // as a peer at rest does
    pair.z->session.Trim();
  }
  const size_t octets = (CountAllocations().octets - before) / (2 * kPairs);
  std::printf("%zu of %zu pairs completed; an idle agent holds %zu octets\n", completed, kPairs, octets);

  // A wheel of the agents' own deadlines, as a driver keeps one; 50 ms apart is as fine as consent needs.
  uint64_t asked = 0;
  for (Pair& pair : pairs) asked -= pair.a->session.metrics().consent_requests_sent;
  const auto start = std::chrono::steady_clock::now();
  for (const Timestamp end = now + kVirtual; now < end;) {
    now = now + std::chrono::milliseconds(50);
    for (Pair& pair : pairs) {
      const bool is_due = pair.a->session.NextTimeout() <= now || pair.z->session.NextTimeout() <= now;
      if (!is_due) continue;
      pair.a->session.HandleTimeout(now);
      pair.z->session.HandleTimeout(now);
      Exchange(pair, now);
    }
  }
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (Pair& pair : pairs) asked += pair.a->session.metrics().consent_requests_sent;
  std::printf("%zu agents, %d s: %.2f s of processor time, %.1f %% of a core; %.1f consent requests a second\n",
              2 * kPairs, static_cast<int>(std::chrono::seconds(kVirtual).count()), wall,
              100 * wall / static_cast<double>(std::chrono::seconds(kVirtual).count()),
              2 * static_cast<double>(asked) / static_cast<double>(std::chrono::seconds(kVirtual).count()));
}
