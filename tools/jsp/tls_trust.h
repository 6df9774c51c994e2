#pragma once
#include <memory>
#include <string>

#include "base/expected.h"
#include "dtls/stream_context.h"
namespace jsp::tool {

// What --ca-file names; the system's roots when it is empty. The error is one line that names the option.
Expected<std::shared_ptr<const dtls::StreamContext>, std::string> ReadTrust(const std::string& ca_file);

}  // namespace jsp::tool
