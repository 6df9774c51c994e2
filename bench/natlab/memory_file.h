#pragma once
#include <string>
#include <string_view>

#include "base/expected.h"
namespace jsp::natlab {

// A file without a name, which ends with the processes that have it open: for programs that want secrets in a file.
// Move-only.
class MemoryFile {
 public:
  static Expected<MemoryFile, std::string> Create(std::string_view content);
  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile& operator=(MemoryFile&& other) noexcept;
  ~MemoryFile();

  // How a child of this process opens it.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace jsp::natlab
