#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/expected.h"
#include "bench/natlab/kernel_lab.h"
#include "bench/natlab/memory_file.h"
#include "bench/natlab/netns_runner.h"
#include "bench/natlab/peer_process.h"
namespace jsp::natlab {

// Of the TURN server, name and password.
constexpr const char* kNetnsUser = "natlab";

// An IPv6 address is in brackets.
std::string HostInUrl(const IpAddress& ip);

// The STUN and TURN server in the open of a lab, over UDP and TCP, and over TLS where somebody may relay, with a
// certificate that it makes itself. Ends with this object.
class NetnsServer {
 public:
  // Once it answers.
  static Expected<NetnsServer, std::string> Start(const NetnsOptions& netns, const CellOptions& options,
                                                  const KernelLab& lab);
  // Whom a client over TLS has to trust; empty without TLS.
  const std::string& ca_pem() const { return ca_pem_; }

 private:
  NetnsServer() = default;
  Expected<void, std::string> MakeIdentity(const IpAddress& address);
  Expected<void, std::string> Run(const NetnsOptions& netns, const IpAddress& address, const KernelLab& lab);

  std::unique_ptr<PeerProcess> process_;
  std::optional<MemoryFile> chain_;
  std::optional<MemoryFile> key_;
  std::string ca_pem_;
};

}  // namespace jsp::natlab
