#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/expected.h"
#include "transport/session_description.h"
namespace jsp::transport {

// More lines than any browser writes for sixty m= sections; what exceeds it is not a description (ATTACKS I19).
inline constexpr size_t kMaxSdpLines = 4096;

// One line of a description, without its line ending.
struct SdpLine {
  size_t number = 0;  // from 1
  std::string_view text;

  char type() const { return text.front(); }
  std::string_view value() const { return text.substr(2); }
  // The error that refuses this line.
  SdpError Refuse(std::string_view reason) const;
};

// Splits a description into lines and checks what holds for every line (RFC 8866 §5, §9): a lower-case letter, "=", and
// no control characters. Accepts CRLF and LF, passes over empty lines. A view: the text must outlive it. Linear.
class SdpLineReader {
 public:
  explicit SdpLineReader(std::string_view sdp) : rest_(sdp) {}

  // nullopt at the end. After an error there is nothing more to read.
  Expected<std::optional<SdpLine>, SdpError> Next();

 private:
  std::string_view rest_;
  size_t number_ = 0;
};

}  // namespace jsp::transport
