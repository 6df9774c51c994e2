#include "transport/srv_lookup.h"

#include <algorithm>
#include <utility>
namespace jsp::transport {
namespace {

constexpr uint8_t kNoError = 0;
constexpr uint8_t kNoSuchName = 3;

// RFC 2782: "select a uniform random number between 0 and the sum computed (inclusive), and select the RR whose running
// sum value is the first in the selected order which is greater than or equal to the random number selected".
size_t SelectByWeight(const std::vector<SrvRecord>& group, Rng& rng) {
  uint64_t sum = 0;
  for (const SrvRecord& record : group) sum += record.weight;
  const uint64_t selected = rng.Below(sum + 1);
  uint64_t running = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    running += group[i].weight;
    if (running >= selected) return i;
  }
  return group.size() - 1;
}

}  // namespace

std::vector<SrvRecord> OrderSrv(std::vector<SrvRecord> records, Rng& rng) {
  // RFC 2782: those of weight 0 stand first in their group.
  std::ranges::stable_sort(records, {}, [](const SrvRecord& r) { return std::pair(r.priority, r.weight != 0); });
  std::vector<SrvRecord> ordered;
  for (auto next = records.begin(); next != records.end();) {
    const auto end = std::find_if(next, records.end(), [&](const auto& r) { return r.priority != next->priority; });
    std::vector<SrvRecord> group(next, end);
    while (!group.empty()) {
      const size_t selected = SelectByWeight(group, rng);
      ordered.push_back(std::move(group[selected]));
      group.erase(group.begin() + static_cast<std::ptrdiff_t>(selected));
    }
    next = end;
  }
  return ordered;
}

SrvLookup::SrvLookup(const SrvLookupOptions& options, Rng& rng) : options_(options), rng_(&rng) {
  std::ranges::transform(options_.name, options_.name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
}

void SrvLookup::Start(Timestamp now) {
  if (phase_ != Phase::kIdle) return;
  phase_ = Phase::kAsking;
  if (options_.name_servers.empty()) return Finish({});
  id_ = rng_->Random<uint16_t>();
  next_at_ = now;
  deadline_ = now + options_.timeout;
}

void SrvLookup::HandleDatagram(Timestamp now, const SocketAddress& remote, std::span<const uint8_t> datagram) {
  if (phase_ != Phase::kAsking) return;
  if (std::ranges::find(options_.name_servers, remote) == options_.name_servers.end()) {
    ++metrics_.dropped_wrong_source;
    return;
  }
  auto response = ParseSrvResponse(datagram);
  if (!response) {
    ++metrics_.dropped_unparsable;
    return;
  }
  if (response->id != id_ || response->question != options_.name) {
    ++metrics_.dropped_wrong_question;
    return;
  }
  const bool is_answer = response->response_code == kNoError || response->response_code == kNoSuchName;
  if (is_answer) return Finish(std::move(response->records));
  // SERVFAIL, REFUSED: another server may know.
  if (++refused_ >= options_.name_servers.size()) return Finish({});
  next_at_ = now;
}

void SrvLookup::HandleTimeout(Timestamp now) {
  if (phase_ == Phase::kAsking && now >= deadline_) Finish({});
}

void SrvLookup::Finish(std::vector<SrvRecord> records) {
  phase_ = Phase::kDone;
  events_.Push(Done{OrderSrv(std::move(records), *rng_)});
}

std::optional<SrvLookup::Transmit> SrvLookup::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  if (phase_ != Phase::kAsking || now < next_at_) return std::nullopt;
  const auto size = WriteSrvQuery(id_, options_.name, out);
  if (!size) {
    Finish({});  // no name that DNS could have
    return std::nullopt;
  }
  const SocketAddress& server = options_.name_servers[asked_ % options_.name_servers.size()];
  ++asked_;
  ++metrics_.queries_sent;
  next_at_ = now + options_.interval;
  return Transmit{*size, server};
}

Timestamp SrvLookup::NextTimeout() const {
  return phase_ == Phase::kAsking ? std::min(next_at_, deadline_) : Timestamp::Never();
}

}  // namespace jsp::transport
