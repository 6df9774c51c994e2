#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
namespace jsp::natlab {

// A network namespace without a name: it is gone when nothing has it open any more and no process lives in it.
// Move-only.
class NetNamespace {
 public:
  // Makes one, whose kernel forwards between its interfaces and limits no errors. The caller stays where it was.
  static Expected<NetNamespace, std::string> Create();
  NetNamespace(NetNamespace&& other) noexcept;
  NetNamespace& operator=(NetNamespace&& other) noexcept;
  ~NetNamespace();

  int descriptor() const { return descriptor_; }
  // What `ip … netns PATH` takes, in a child of this process.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  // Moves the calling process into it.
  bool Enter() const;
  // Sets what is below /proc/sys/net of it, and moves the calling process into it.
  Expected<void, std::string> Set(const std::string& name, const std::string& value) const;
  // Runs a program in it to its end, with `input` on its standard input. The error is what it said on standard error.
  Expected<void, std::string> Run(const std::vector<std::string>& arguments, std::string_view input) const;

 private:
  explicit NetNamespace(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// In the child of a fork: a program of PATH, /usr/sbin or /sbin. Does not return.
[[noreturn]] void Execute(const std::vector<std::string>& arguments);

// Likewise: gives this process, and whom it becomes, an /etc/hosts of its own, by which names are looked up before a
// server is asked. Ends the process where that cannot be.
void MountHosts(const std::string& text);

// Runs `work` as process 1 of namespaces of its own for users, processes, mounts and networks, and gives what it wrote
// to the descriptor that it got. Rootless where the system allows it. When the caller dies, or `work` returns,
// everything in there ends with it. `kNotPermitted` begins an error that says that this user may not do that.
Expected<std::string, std::string> RunIsolated(void (*work)(void* context, int out), void* context);
inline constexpr std::string_view kNotPermitted = "not permitted: ";

}  // namespace jsp::natlab
