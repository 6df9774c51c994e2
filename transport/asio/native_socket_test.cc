#include "transport/asio/native_socket.h"

#include <gtest/gtest.h>

#if defined(__linux__)
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
namespace jsp::transport::io {
namespace {

// What the kernel is given of a control buffer that held something else before.
struct Control {
  alignas(cmsghdr) std::array<char, kSegmentControlSize + kEcnControlSize> octets;
  msghdr header{};
  Control() {
    octets.fill(static_cast<char>(0xaa));
    header.msg_control = octets.data();
  }
  // Behind the value of each message: the padding up to the next one.
  bool is_padded_with_zeros() {
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      const char* begin = reinterpret_cast<const char*>(c);
      const std::span padding(begin + c->cmsg_len, begin + CMSG_SPACE(c->cmsg_len - CMSG_LEN(0)));
      if (!std::ranges::all_of(padding, [](char octet) { return octet == 0; })) return false;
    }
    return true;
  }
};

TEST(NativeSocketTest, TheKernelGetsNoOctetsThatNobodyWrote) {
  Control control;
  SetGsoSegmentSize(control.header, 1200);
  EXPECT_EQ(control.header.msg_controllen, CMSG_SPACE(sizeof(uint16_t)));
  EXPECT_TRUE(control.is_padded_with_zeros());
  AddEcn(control.header, {IpAddress::V4(192, 0, 2, 1), 9}, EcnMark::kEct0);
  EXPECT_EQ(control.header.msg_controllen, CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)));
  EXPECT_TRUE(control.is_padded_with_zeros());
}

}  // namespace
}  // namespace jsp::transport::io
#endif
