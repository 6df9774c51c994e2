#pragma once
namespace jsp::ice {

// RFC 8839 §5.1: ice-char = ALPHA / DIGIT / "+" / "/"
constexpr bool IsIceChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

}  // namespace jsp::ice
