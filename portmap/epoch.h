#pragma once
#include <cstdint>
#include <optional>

#include "base/time.h"
namespace jsp::portmap {

// How a gateway's count of seconds tells that it lost its mappings. A value; owned by the client.
class Epoch {
 public:
  // False when the gateway has lost state since the last time. RFC 6887 §8.5: the first one is believed; then neither
  // may time go backwards, but for one second, nor the two clocks drift apart by more than 1/16 and two seconds.
  bool AcceptPcp(Timestamp now, uint32_t seconds);
  // RFC 6886 §3.6: the count must be at least that of before and 7/8 of what passed here since, but for two seconds.
  bool AcceptNatPmp(Timestamp now, uint32_t seconds);

 private:
  struct Sample {
    Timestamp at;
    int64_t seconds;
  };
  std::optional<Sample> last_;
};

}  // namespace jsp::portmap
