#include "test/support/allocations.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

jsp::Allocations allocations;

void* Take(size_t size, size_t alignment) {
  const size_t octets = size == 0 ? 1 : size;
  void* memory = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    memory = std::malloc(octets);
  } else if (::posix_memalign(&memory, alignment, octets) != 0) {
    memory = nullptr;
  }
  if (memory == nullptr) std::abort();
  ++allocations.count;
  ++allocations.live;
  allocations.octets += ::malloc_usable_size(memory);
  return memory;
}

void Give(void* memory) {
  if (memory == nullptr) return;
  --allocations.live;
  allocations.octets -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

// All forms, as a sanitizer takes one that is missing for another allocator. Not inlined, as GCC would take new and
// free for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) { return Take(size, 0); }
[[gnu::noinline]] void* operator new[](size_t size) { return Take(size, 0); }
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept { return Take(size, 0); }
[[gnu::noinline]] void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Take(size, 0); }
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  return Take(size, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void* operator new[](size_t size, std::align_val_t alignment) {
  return Take(size, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { Give(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t, std::align_val_t) noexcept { Give(memory); }

namespace jsp {

Allocations CountAllocations() { return allocations; }

}  // namespace jsp
