#include "tools/jsp/tls_trust.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace jsp::tool {

Expected<std::shared_ptr<const dtls::StreamContext>, std::string> ReadTrust(const std::string& ca_file) {
  dtls::StreamTrust trust;
  if (!ca_file.empty()) {
    std::ifstream file(ca_file, std::ios::binary);
    trust.ca_pem.assign(std::istreambuf_iterator<char>(file), {});
    if (!file) return Unexpected<std::string>("--ca-file " + ca_file + ": " + std::strerror(errno));
    if (trust.ca_pem.empty()) return Unexpected<std::string>("--ca-file " + ca_file + ": the file is empty");
  }
  auto context = dtls::StreamContext::ForClient(trust);
  if (!context) {
    return Unexpected<std::string>((ca_file.empty() ? "" : "--ca-file " + ca_file + ": ") + context.error());
  }
  return *context;
}

}  // namespace jsp::tool
