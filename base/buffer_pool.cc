#include "base/buffer_pool.h"

#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(block, size) ((void)(block), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(block, size) ((void)(block), (void)(size))
#endif

namespace jsp {

void* BufferPool::Control::Take(size_t size) {
  if (size > kLargest) return ::operator new(size);
  const size_t index = ClassOf(size);
  Waiting* block = waiting[index];
  if (block == nullptr) return ::operator new(SizeOf(index));
  ASAN_UNPOISON_MEMORY_REGION(block, SizeOf(index));
  waiting[index] = block->next;
  kept -= SizeOf(index);
  return block;
}

void BufferPool::Control::Give(void* block, size_t size) {
  if (size > kLargest || handles == 0 || !MakeRoom(ClassOf(size))) return ::operator delete(block);
  const size_t index = ClassOf(size);
  waiting[index] = new (block) Waiting{waiting[index]};
  kept += SizeOf(index);
  // So that a use after the return is found although the heap still has the block as taken.
  ASAN_POISON_MEMORY_REGION(block, SizeOf(index));
}

void BufferPool::Control::Trim() {
  for (size_t index = 0; index < kClasses; ++index) {
    while (waiting[index] != nullptr) DropFirst(index);
  }
}

void BufferPool::Control::Close() {
  Trim();
  if (payloads == 0) delete this;
}

// Drives out other classes, the largest blocks first: what is given back now is what the owner uses now.
bool BufferPool::Control::MakeRoom(size_t index) {
  for (size_t other = kClasses; kept + SizeOf(index) > kMaxKept && other > 0;) {
    if (other - 1 == index || waiting[other - 1] == nullptr) {
      --other;
    } else {
      DropFirst(other - 1);
    }
  }
  return kept + SizeOf(index) <= kMaxKept;
}

void BufferPool::Control::DropFirst(size_t index) {
  Waiting* block = waiting[index];
  ASAN_UNPOISON_MEMORY_REGION(block, SizeOf(index));
  waiting[index] = block->next;
  kept -= SizeOf(index);
  ::operator delete(block);
}

}  // namespace jsp
