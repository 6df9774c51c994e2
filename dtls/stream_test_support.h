#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
namespace jsp::dtls::testing {

// A certificate chain with its key, in PEM.
struct Issued {
  std::string chain_pem;
  std::string key_pem;
};

// What a certificate of a TestAuthority says.
struct IssueOptions {
  std::vector<std::string> names{};  // "DNS:turn.example", "IP:192.0.2.1"
  int64_t not_before_unix = 0;
  int64_t not_after_unix = 4102444800;  // 2100-01-01
  int filler_extensions = 0;            // meaningless ones of 1 KiB each
};

// A certificate authority that lives as long as a test. Its certificate is valid from 1970 to 2100.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "Test CA");
  ~TestAuthority();
  const std::string& pem() const;
  Issued Issue(const IssueOptions& options) const;
  // The same by an intermediate authority, whose certificate is in the chain.
  Issued IssueIndirectly(const IssueOptions& options) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace jsp::dtls::testing
