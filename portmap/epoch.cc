#include "portmap/epoch.h"
namespace jsp::portmap {
namespace {

int64_t SecondsBetween(Timestamp earlier, Timestamp later) {
  return std::chrono::duration_cast<std::chrono::seconds>(later - earlier).count();
}

}  // namespace

bool Epoch::AcceptPcp(Timestamp now, uint32_t seconds) {
  const auto before = last_;
  last_ = {now, seconds};
  if (!before) return true;
  if (seconds + int64_t{1} < before->seconds) return false;
  const int64_t client_delta = SecondsBetween(before->at, now);
  const int64_t server_delta = seconds - before->seconds;
  return client_delta + 2 >= server_delta - server_delta / 16 && server_delta + 2 >= client_delta - client_delta / 16;
}

bool Epoch::AcceptNatPmp(Timestamp now, uint32_t seconds) {
  const auto before = last_;
  last_ = {now, seconds};
  if (!before) return true;
  const int64_t expected = before->seconds + SecondsBetween(before->at, now) * 7 / 8;
  return seconds + int64_t{2} >= expected;
}

}  // namespace jsp::portmap
