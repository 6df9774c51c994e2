#pragma once
#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/expected.h"
#include "bench/natlab/net_namespace.h"
namespace jsp::natlab {

// Writes what crosses an interface of a network namespace into a pcapng file: IP packets, in both directions, from a
// process of its own until this object goes.
class HostCapture {
 public:
  static Expected<std::unique_ptr<HostCapture>, std::string> Start(const NetNamespace& host,
                                                                   const std::string& interface,
                                                                   const std::string& file);
  // What arrived before is written.
  ~HostCapture();
  HostCapture(const HostCapture&) = delete;
  HostCapture& operator=(const HostCapture&) = delete;

  // Puts the lines of an NSS key log before the packets of a capture that has ended, where readers look for them.
  static Expected<void, std::string> AddKeys(const std::string& file, std::string_view lines);

 private:
  HostCapture(pid_t pid, int control) : pid_(pid), control_(control) {}

  pid_t pid_;
  int control_;  // its other end closes when the process is to end
};

}  // namespace jsp::natlab
