#include "bench/compare/usrsctp_connection.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
namespace jsp::bench {
namespace {

constexpr uint32_t kPacketSize = 1191;  // as sctp::Options::max_packet_size
constexpr long kDtlsMtu = 1280;
constexpr int kBuffer = 2 * 1024 * 1024;
constexpr uint16_t kPort = 5000;
constexpr uint32_t kBinary = 53;  // RFC 8831 §8
constexpr size_t kMaxRecord = 2048;
constexpr long kCertificateSeconds = 86400;

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "error: %s failed\n", what);
  std::exit(1);
}

template <class T>
void Set(struct socket* of, int level, int option, const T& value, const char* name) {
  Check(usrsctp_setsockopt(of, level, option, &value, sizeof(value)) == 0, name);
}

int AcceptAnyCertificate(int, X509_STORE_CTX*) { return 1; }

}  // namespace

SslContext MakeSslContext() {
  SslContext context(SSL_CTX_new(DTLS_method()));
  Check(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context.get(), DTLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, &AcceptAnyCertificate);
  SSL_CTX_set_cipher_list(context.get(), "ECDHE-ECDSA-AES128-GCM-SHA256");
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  Check(key != nullptr && certificate != nullptr, "making a key");
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kCertificateSeconds);
  X509_set_pubkey(certificate, key);
  Check(X509_sign(certificate, key, EVP_sha256()) != 0, "X509_sign");
  Check(SSL_CTX_use_certificate(context.get(), certificate) == 1, "SSL_CTX_use_certificate");
  Check(SSL_CTX_use_PrivateKey(context.get(), key) == 1, "SSL_CTX_use_PrivateKey");
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

UsrsctpConnection::UsrsctpConnection(int socket, SSL_CTX& context, DtlsRole role)
    : socket_(socket), ssl_(SSL_new(&context)) {
  Check(ssl_ != nullptr, "SSL_new");
  BIO* bio = BIO_new_dgram(socket, BIO_NOCLOSE);
  sockaddr_storage remote{};
  socklen_t size = sizeof(remote);
  Check(getpeername(socket, reinterpret_cast<sockaddr*>(&remote), &size) == 0, "getpeername");
  BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &remote);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_options(ssl_.get(), SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION);
  DTLS_set_link_mtu(ssl_.get(), kDtlsMtu);
  if (role == DtlsRole::kClient) SSL_set_connect_state(ssl_.get());
  if (role == DtlsRole::kServer) SSL_set_accept_state(ssl_.get());
  usrsctp_register_address(this);
}

UsrsctpConnection::~UsrsctpConnection() {
  if (association_ != nullptr) usrsctp_close(association_);
  usrsctp_deregister_address(this);
  close(socket_);
}

int UsrsctpConnection::Output(void* connection, void* packet, size_t size, uint8_t, uint8_t) {
  auto* self = static_cast<UsrsctpConnection*>(connection);
  // What the socket does not take is lost, as on a network.
  return SSL_write(self->ssl_.get(), packet, static_cast<int>(size)) > 0 ? 0 : ENOBUFS;
}

void UsrsctpConnection::ContinueHandshake() {
  if (association_ != nullptr) return;
  DTLSv1_handle_timeout(ssl_.get());
  if (SSL_do_handshake(ssl_.get()) == 1) OpenAssociation();
}

void UsrsctpConnection::OpenAssociation() {
  association_ = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
  Check(association_ != nullptr, "usrsctp_socket");
  usrsctp_set_non_blocking(association_, 1);
  Set(association_, SOL_SOCKET, SO_SNDBUF, kBuffer, "SO_SNDBUF");
  Set(association_, SOL_SOCKET, SO_RCVBUF, kBuffer, "SO_RCVBUF");
  Set(association_, IPPROTO_SCTP, SCTP_NODELAY, 1, "SCTP_NODELAY");
  sctp_paddrparams path{};
  path.spp_address.ss_family = AF_CONN;
  path.spp_flags = SPP_PMTUD_DISABLE;
  path.spp_pathmtu = kPacketSize;
  Set(association_, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path, "SCTP_PEER_ADDR_PARAMS");
  sockaddr_conn address{};
  address.sconn_family = AF_CONN;
  address.sconn_port = htons(kPort);
  address.sconn_addr = this;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  Check(usrsctp_bind(association_, generic, sizeof(address)) == 0, "usrsctp_bind");
  // Both ends begin, as RFC 8831 §6.1 has it.
  Check(usrsctp_connect(association_, generic, sizeof(address)) == 0 || errno == EINPROGRESS, "usrsctp_connect");
}

void UsrsctpConnection::Read() {
  std::array<uint8_t, kMaxRecord> record{};
  ContinueHandshake();
  if (association_ == nullptr) return;
  for (;;) {
    const int size = SSL_read(ssl_.get(), record.data(), static_cast<int>(record.size()));
    if (size <= 0) break;
    usrsctp_conninput(this, record.data(), static_cast<size_t>(size), 0);
  }
  ReadMessages();
}

void UsrsctpConnection::ReadMessages() {
  static std::vector<uint8_t> inbox(kBuffer);
  for (;;) {
    sockaddr_conn from{};
    socklen_t from_size = sizeof(from);
    sctp_rcvinfo info{};
    socklen_t info_size = sizeof(info);
    unsigned info_type = 0;
    int flags = 0;
    const ssize_t size = usrsctp_recvv(association_, inbox.data(), inbox.size(), reinterpret_cast<sockaddr*>(&from),
                                       &from_size, &info, &info_size, &info_type, &flags);
    if (size <= 0) return;
    octets_ += static_cast<uint64_t>(size);
    if ((flags & MSG_EOR) != 0) ++messages_;
  }
}

void UsrsctpConnection::Pour(const std::vector<uint8_t>& payload) {
  sctp_sendv_spa info{};
  info.sendv_flags = SCTP_SEND_SNDINFO_VALID;
  info.sendv_sndinfo.snd_ppid = htonl(kBinary);
  info.sendv_sndinfo.snd_flags = SCTP_EOR;
  while (usrsctp_sendv(association_, payload.data(), payload.size(), nullptr, 0, &info, sizeof(info), SCTP_SENDV_SPA,
                       0) > 0) {
  }
}

bool UsrsctpConnection::is_open() const {
  return association_ != nullptr && (usrsctp_get_events(association_) & SCTP_EVENT_WRITE) != 0;
}

}  // namespace jsp::bench
