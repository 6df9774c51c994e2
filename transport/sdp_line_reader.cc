#include "transport/sdp_line_reader.h"

#include <algorithm>
#include <string>
namespace jsp::transport {
namespace {

constexpr size_t kShownOctets = 80;

// At most kShownOctets of the line, in ASCII.
std::string Printable(std::string_view text) {
  std::string shown;
  for (char c : text.substr(0, kShownOctets)) shown += c >= 0x20 && c < 0x7F ? c : '?';
  if (text.size() > kShownOctets) shown += "...";
  return shown;
}

// RFC 8866 §9, byte-string: NUL, CR and LF are excluded. The other control characters have no use here.
bool IsControl(char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7F; }

}  // namespace

std::string SdpError::ToString() const {
  std::string out;
  if (line != 0) out += "line " + std::to_string(line) + ": ";
  if (!text.empty()) out += "\"" + text + "\": ";
  return out + reason;
}

SdpError SdpLine::Refuse(std::string_view reason) const { return {number, Printable(text), std::string(reason)}; }

Expected<std::optional<SdpLine>, SdpError> SdpLineReader::Next() {
  if (number_ == 0 && rest_.size() > kMaxSdpSize) {
    return Unexpected(SdpError{0, {}, "longer than " + std::to_string(kMaxSdpSize) + " octets"});
  }
  while (!rest_.empty()) {
    const size_t end = rest_.find('\n');
    SdpLine line{++number_, rest_.substr(0, end)};
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.text.ends_with('\r')) line.text.remove_suffix(1);
    if (number_ > kMaxSdpLines) {
      return Unexpected(line.Refuse("more than " + std::to_string(kMaxSdpLines) + " lines"));
    }
    if (line.text.empty()) continue;
    if (std::ranges::any_of(line.text, IsControl)) return Unexpected(line.Refuse("control character"));
    const bool has_form = line.text.size() >= 2 && line.type() >= 'a' && line.type() <= 'z' && line.text[1] == '=';
    if (!has_form) return Unexpected(line.Refuse("not of the form <letter>=<value>"));
    return line;
  }
  return std::nullopt;
}

}  // namespace jsp::transport
