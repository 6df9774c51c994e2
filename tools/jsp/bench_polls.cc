#include "tools/jsp/bench_polls.h"

#include <sys/epoll.h>

#include <atomic>

namespace {

constinit std::atomic<uint64_t> counted = 0;

}  // namespace

extern "C" int epoll_wait(int descriptor, epoll_event* events, int most, int timeout) {
  counted.fetch_add(1, std::memory_order_relaxed);
  return ::epoll_pwait(descriptor, events, most, timeout, nullptr);
}

namespace jsp::tool {

uint64_t CountedPolls() { return counted.load(std::memory_order_relaxed); }

}  // namespace jsp::tool
