#pragma once
#include <openssl/ssl.h>
#include <usrsctp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>
namespace jsp::bench {

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextDeleter>;

// DTLS 1.2 with a certificate of its own; the peer's is taken as it is.
SslContext MakeSslContext();

enum class DtlsRole { kClient, kServer };

// One association of libusrsctp over DTLS of OpenSSL over a connected UDP socket: what the others' stacks are made of,
// without ICE and DCEP. One thread; usrsctp is initialised by the process with `Output`.
class UsrsctpConnection {
 public:
  // Owns `socket`, which is connected and does not block.
  UsrsctpConnection(int socket, SSL_CTX& context, DtlsRole role);
  ~UsrsctpConnection();
  UsrsctpConnection(const UsrsctpConnection&) = delete;
  UsrsctpConnection& operator=(const UsrsctpConnection&) = delete;

  static int Output(void* connection, void* packet, size_t size, uint8_t tos, uint8_t set_df);

  // Sends the first flight, or again what was lost of it.
  void ContinueHandshake();
  // Everything that came: records, then messages.
  void Read();
  // Messages of `payload` until the send buffer is full.
  void Pour(const std::vector<uint8_t>& payload);

  bool is_open() const;
  int socket() const { return socket_; }
  uint64_t octets() const { return octets_; }
  uint64_t messages() const { return messages_; }

 private:
  void OpenAssociation();
  void ReadMessages();

  int socket_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
  struct socket* association_ = nullptr;
  uint64_t octets_ = 0;
  uint64_t messages_ = 0;
};

}  // namespace jsp::bench
