#pragma once
#include <chrono>

#include "base/time.h"
namespace jsp::transport::io {

// The monotonic clock of the drivers; clock jumps do not reach it (ATTACKS X2).
Timestamp Now();
// The same instant for Asio's steady_timer; Never() is the clock's maximum.
std::chrono::steady_clock::time_point ToTimePoint(Timestamp at);

}  // namespace jsp::transport::io
