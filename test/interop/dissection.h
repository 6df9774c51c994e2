#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/packet_tap.h"
#include "base/time.h"
namespace jsp::interop {

// Numbers of one packet by the name that tshark gives their field, in the order of the packet.
using Fields = std::map<std::string, std::vector<uint64_t>>;

// SCTP packets of one run, for a pcapng file and for comparison.
class Capture {
 public:
  enum class Direction : uint8_t { kAToZ, kZToA };

  void Record(Timestamp now, Direction direction, std::span<const uint8_t> sctp_packet);
  const std::vector<std::vector<uint8_t>>& packets() const { return packets_; }
  // Writes the file; empties the tap.
  void Write(const std::string& path);

 private:
  PacketTap tap_;
  std::vector<std::vector<uint8_t>> packets_;
};

// What tshark says about one packet.
struct DissectedPacket {
  Fields numbers;
  std::map<std::string, std::string> texts;  // of the data channel protocol
  uint64_t worst_severity = 0;               // of expert information
  std::string expert;                        // its words
  bool malformed = false;
};
// Of _ws.expert.severity: retransmissions are notes, anything from here on is a complaint.
inline constexpr uint64_t kWarning = 0x600000;

// Whether tshark is there. Without it a test has nothing to ask.
bool HasTshark();
// tshark's reading of the file, with the CRC-32C verified. nullopt when it failed, with the reason on stderr.
std::optional<std::vector<DissectedPacket>> Dissect(const std::string& path);

// The same fields by our own parsers.
Fields OwnReading(std::span<const uint8_t> sctp_packet);

}  // namespace jsp::interop
