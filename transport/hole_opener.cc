#include "transport/hole_opener.h"

#include <algorithm>
#include <utility>

#include "stun/message_builder.h"
namespace jsp::transport {
namespace {

constexpr Duration kAgainAfter = std::chrono::milliseconds(30);
constexpr size_t kMaxDescribed = 64;  // sockets of a peer that are remembered

bool Contains(std::span<const SocketAddress> list, const SocketAddress& address) {
  return std::ranges::find(list, address) != list.end();
}

}  // namespace

void HoleOpener::HandleRemoteCandidate(const ice::Candidate& candidate) {
  const SocketAddress& address = candidate.address;
  const bool is_of_nat = candidate.type == ice::CandidateType::kServerReflexive &&
                         candidate.protocol == ice::TransportProtocol::kUdp && ice::IsUsableAddress(address) &&
                         !address.ip.IsPrivate() && !address.ip.IsLoopback() && !address.ip.IsLinkLocal();
  if (!limits_.is_enabled || !is_of_nat || Contains(remotes_, address) || limits_.max_remotes == 0) return;
  if (remotes_.size() >= limits_.max_remotes) remotes_.erase(remotes_.begin());
  remotes_.push_back(address);
}

void HoleOpener::HandleDescription(Timestamp now, SdpType type, const std::vector<LocalAddress>& locals) {
  std::vector<Path> paths;
  size_t fresh = 0;
  for (const LocalAddress& local : locals) {
    if (Contains(described_, local.address) || described_.size() >= kMaxDescribed) continue;
    described_.push_back(local.address);
    if (type != SdpType::kOffer || fresh >= limits_.max_bases) continue;
    ++fresh;
    for (const SocketAddress& remote : remotes_) {
      if (remote.ip.family() == local.address.ip.family()) paths.emplace_back(local.address, remote);
    }
  }
  if (paths.empty()) return;
  paths_ = paths;
  to_send_ = std::move(paths);
  again_at_ = now + kAgainAfter;
}

void HoleOpener::HandleRemoteDescription(Timestamp now, SdpType type) {
  if (limits_.is_enabled && type == SdpType::kAnswer && !has_recovered_) recover_at_ = now + limits_.patience;
}

bool HoleOpener::PollRecovery(Timestamp now) {
  if (now < recover_at_) return false;
  recover_at_ = Timestamp::Never();
  const auto varies = [&](const SocketAddress& a) {
    return std::ranges::any_of(remotes_, [&](const SocketAddress& b) { return a.ip == b.ip && a.port != b.port; });
  };
  has_recovered_ = !remotes_.empty() && std::ranges::none_of(remotes_, varies);
  return has_recovered_;
}

void HoleOpener::Clear() {
  recover_at_ = Timestamp::Never();
  paths_.clear();
  to_send_.clear();
  again_at_ = Timestamp::Never();
}

void HoleOpener::HandleTimeout(Timestamp now) {
  if (now < again_at_) return;
  again_at_ = Timestamp::Never();
  to_send_ = paths_;
}

std::optional<HoleOpener::Transmit> HoleOpener::PollTransmit(std::span<uint8_t> out) {
  if (to_send_.empty()) return std::nullopt;
  stun::MessageBuilder builder(out, {stun::Method::kBinding, stun::MessageClass::kIndication},
                               stun::TransactionId::Random(*rng_));
  builder.AddFingerprint();
  const auto message = builder.Finish();
  if (message.empty()) return std::nullopt;
  const Path path = to_send_.back();
  to_send_.pop_back();
  return Transmit{message.size(), path.first, path.second};
}

}  // namespace jsp::transport
