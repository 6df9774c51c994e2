#include "ice/candidate_sdp.h"

int main() {
  return jsp::ice::ParseCandidate("candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host").has_value() ? 0 : 1;
}
