#pragma once
#include "base/rng.h"
namespace jsp::transport::io {

// A generator seeded by the operating system; aborts when that gives no randomness.
Rng SystemRng();

}  // namespace jsp::transport::io
