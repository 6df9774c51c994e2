#pragma once
#include <cstdint>
namespace jsp::tool {

// How often this process has asked the kernel what is ready. The program that links this has its epoll_wait, by which
// Asio asks, replaced by one that counts.
uint64_t CountedPolls();

}  // namespace jsp::tool
