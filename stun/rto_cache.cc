#include "stun/rto_cache.h"

#include <algorithm>
namespace jsp::stun {

Duration RtoCache::RtoFor(Timestamp now, const IpAddress& server, Duration floor) const {
  const auto entry = std::ranges::find(entries_, server, &Entry::server);
  if (entry == entries_.end() || now - entry->used >= kStaleAfter) return floor;
  // RFC 6298 §2.3; the clock granularity G is far below any RTTVAR that matters here.
  return std::max(floor, entry->srtt + 4 * entry->rttvar);
}

void RtoCache::AddSample(Timestamp now, const IpAddress& server, Duration rtt) {
  std::erase_if(entries_, [&](const Entry& e) { return now - e.used >= kStaleAfter; });
  if (const auto entry = std::ranges::find(entries_, server, &Entry::server); entry != entries_.end()) {
    // RFC 6298 §2.3: alpha = 1/8, beta = 1/4, RTTVAR first.
    const Duration deviation = entry->srtt > rtt ? entry->srtt - rtt : rtt - entry->srtt;
    entry->rttvar = (3 * entry->rttvar + deviation) / 4;
    entry->srtt = (7 * entry->srtt + rtt) / 8;
    entry->used = now;
    return;
  }
  if (entries_.size() == kMaxServers) entries_.erase(std::ranges::min_element(entries_, {}, &Entry::used));
  entries_.push_back({server, rtt, rtt / 2, now});  // RFC 6298 §2.2
}

}  // namespace jsp::stun
