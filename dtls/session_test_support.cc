#include "dtls/session_test_support.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/byte_writer.h"
#include "base/check.h"
#include "base/sans_io.h"
#include "dtls/clock_shim.h"
#include "dtls/record.h"
namespace jsp::dtls::testing {

std::shared_ptr<const Certificate> CertificateA() {
  static const auto certificate = *Certificate::Generate({.common_name = "a"});
  return certificate;
}

std::shared_ptr<const Certificate> CertificateZ() {
  static const auto certificate = *Certificate::Generate({.common_name = "z"});
  return certificate;
}

Options OptionsA() {
  Options options;
  options.role = Role::kClient;
  options.own_record_layer = true;
  options.certificate = CertificateA();
  options.remote_fingerprints = {CertificateZ()->fingerprint()};
  return options;
}

Options OptionsZ() {
  Options options;
  options.role = Role::kServer;
  options.own_record_layer = true;
  options.certificate = CertificateZ();
  options.remote_fingerprints = {CertificateA()->fingerprint()};
  return options;
}

SessionPair::SessionPair(const Options& a, const Options& z) : a_(a, now_), z_(z, now_) {}

void SessionPair::Start() {
  z_.Start(now_);
  a_.Start(now_);
}

void SessionPair::DrainOne(Session& session, Role role, std::vector<Session::Event>& events) {
  std::vector<uint8_t> scratch(20000);
  const Role receiver = role == Role::kClient ? Role::kServer : Role::kClient;
  const auto send = [&](const Session::Transmit& transmit, std::span<uint8_t> buffer) {
    const auto bytes = buffer.first(transmit.size);
    sent_.push_back({++counts_[role], role, now_, Bytes(bytes.begin(), bytes.end())});
    for (auto& arrival : network_(sent_.back())) {
      in_flight_.emplace(now_ + arrival.delay, std::pair(receiver, std::move(arrival.bytes)));
    }
  };
  Drain(session, now_, scratch, send, [&](Session::Event event) { events.push_back(std::move(event)); });
}

void SessionPair::DrainBoth() {
  DrainOne(a_, Role::kClient, events_a_);
  DrainOne(z_, Role::kServer, events_z_);
}

bool SessionPair::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = now_ + limit;
  DrainBoth();
  while (!done()) {
    Timestamp next = std::min(a_.NextTimeout(), z_.NextTimeout());
    if (!in_flight_.empty()) next = std::min(next, in_flight_.begin()->first);
    if (next > end) {
      now_ = end;
      return done();
    }
    now_ = std::max(now_, next);
    if (!in_flight_.empty() && in_flight_.begin()->first <= now_) {
      const auto [receiver, bytes] = std::move(in_flight_.extract(in_flight_.begin()).mapped());
      (receiver == Role::kClient ? a_ : z_).HandleDatagram(now_, bytes);
    }
    if (now_ >= a_.NextTimeout()) a_.HandleTimeout(now_);
    if (now_ >= z_.NextTimeout()) z_.HandleTimeout(now_);
    DrainBoth();
  }
  return true;
}

bool SessionPair::Connect(Duration limit) {
  Start();
  return RunUntil([&] { return a_.is_connected() && z_.is_connected(); }, limit);
}

void SessionPair::MustConnect() { ASSERT_TRUE(Connect()) << DetailOf(events_a_) << " / " << DetailOf(events_z_); }

void SessionPair::RunFor(Duration duration) {
  RunUntil([] { return false; }, duration);
}

namespace {

Bytes Seal(Session& session, Timestamp now, std::span<const uint8_t> plaintext) {
  Bytes out(plaintext.size() + Session::kMaxRecordOverhead);
  const auto size = session.Seal(now, plaintext, out);
  out.resize(size.value_or(0));
  return out;
}

std::optional<Bytes> ReadFrom(Session& session, Timestamp now) {
  Bytes out(kMaxPlaintext);
  const auto size = session.PollPlaintext(now, out);
  if (!size) return std::nullopt;
  out.resize(*size);
  return out;
}

}  // namespace

Bytes SessionPair::SealA(std::span<const uint8_t> plaintext) { return Seal(a_, now_, plaintext); }
Bytes SessionPair::SealZ(std::span<const uint8_t> plaintext) { return Seal(z_, now_, plaintext); }
std::optional<Bytes> SessionPair::ReadA() { return ReadFrom(a_, now_); }
std::optional<Bytes> SessionPair::ReadZ() { return ReadFrom(z_, now_); }

std::optional<FailureReason> FailureOf(const std::vector<Session::Event>& events) {
  if (events.empty()) return std::nullopt;
  const auto* failed = std::get_if<event::Failed>(&events.back());
  return failed == nullptr ? std::nullopt : std::optional(failed->reason);
}

std::string DetailOf(const std::vector<Session::Event>& events) {
  if (events.empty()) return "no event";
  const auto* failed = std::get_if<event::Failed>(&events.back());
  return failed == nullptr ? "no failure" : ToString(failed->reason) + (": " + failed->detail);
}

bool HasConnected(const std::vector<Session::Event>& events) {
  return std::ranges::any_of(events, [](const auto& e) { return std::holds_alternative<event::Connected>(e); });
}

bool HasClosed(const std::vector<Session::Event>& events) {
  return std::ranges::any_of(events, [](const auto& e) { return std::holds_alternative<event::Closed>(e); });
}

RawPeer::RawPeer(Role role, const std::function<void(SSL_CTX*)>& configure) : context_(SSL_CTX_new(DTLS_method())) {
  SSL_CTX_set_options(context_.get(), SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  SSL_CTX_set_info_callback(context_.get(), &NoteAlert);
  if (configure) configure(context_.get());
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_app_data(ssl_.get(), this);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(ssl_.get(), in, out);
  SSL_set_mtu(ssl_.get(), 1100);
  role == Role::kClient ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
}

void RawPeer::UseCertificate(SSL_CTX* context, EVP_PKEY* key, X509* certificate) {
  ASSERT_EQ(SSL_CTX_use_certificate(context, certificate), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key), 1);
}

void RawPeer::NoteAlert(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
    static_cast<RawPeer*>(SSL_get_app_data(ssl))->alert_ = value & 255;
}

void RawPeer::Step(Timestamp now) {
  const ScopedOpenSslClock clock(now);
  ERR_clear_error();
  if (!is_connected()) {
    DTLSv1_handle_timeout(ssl_.get());
    SSL_do_handshake(ssl_.get());
    ERR_clear_error();
  }
  if (!is_connected()) return;
  Bytes buffer(kMaxPlaintext);
  int size = 0;
  while ((size = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()))) > 0) {
    data_.insert(data_.end(), buffer.begin(), buffer.begin() + size);
  }
  ERR_clear_error();
}

std::vector<Bytes> RawPeer::TakeRecords() {
  char* data = nullptr;
  BIO* out = SSL_get_wbio(ssl_.get());
  const long size = BIO_get_mem_data(out, &data);
  std::vector<Bytes> records;
  std::span rest(reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size));
  while (const auto record = ParseRecord(rest)) {
    records.emplace_back(record->bytes.begin(), record->bytes.end());
    rest = rest.subspan(record->bytes.size());
  }
  EXPECT_EQ(BIO_reset(out), 1);
  return records;
}

void RawPeer::Give(std::span<const uint8_t> datagram) {
  BIO_write(SSL_get_rbio(ssl_.get()), datagram.data(), static_cast<int>(datagram.size()));
}

void Exchange(Session& session, RawPeer& peer, Timestamp& now, Duration limit) {
  const Timestamp end = now + limit;
  Bytes buffer(20000);
  while (true) {
    bool is_quiet = true;
    peer.Step(now);
    for (const auto& record : peer.TakeRecords()) {
      session.HandleDatagram(now, record);
      is_quiet = false;
    }
    while (const auto transmit = session.PollTransmit(now, buffer)) {
      peer.Give(std::span(buffer).first(transmit->size));
      peer.Step(now);
      is_quiet = false;
    }
    if (!is_quiet) continue;
    if (session.NextTimeout() > end) return;
    now = std::max(now, session.NextTimeout());
    session.HandleTimeout(now);
  }
}

namespace {

template <class F>
std::string WritePem(F&& write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  JSP_CHECK(write(bio.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

std::string KeyAndCertificate::KeyPem() const {
  return WritePem(
      [&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string KeyAndCertificate::CertificatePem() const {
  return WritePem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}

namespace {

// Two primes; to search for some costs seconds.
constexpr const char* kRsaPrimeP =
    "F7D203D7029D3208DAACE4811BEEE9C5FDDD8169B9E704ADA4899EA515E39BFBB0A92A8DB3FD058DC15DE581B6159E58C3B026770523"
    "AFFE6B45DEC28EA7C3CB63C50E37562B0E1686CB57491CDEC520CB7C4AF9B4E6DA0914F2C4566BFA458F596A5CB9DC7CB3F030AD1539"
    "68AF3920F2282526023B0FB9C676BF028F12968F074822B4343E48FF13AA8E38F6CD4434ECDF405147848CA18F85656021BC6D471D06"
    "7D2EA33A9AC4747EAF4C1B7D08FBCC50DFD591216E45C5A96430649E05673497398840889AA9708C2E3B0F0621AF2DF22E6B8768C46D"
    "6A4C458539E597A07E4F6CE92A6CD75ADBB53DA3448A9291DBBC0F7D989437695E8482881C910F8F";
constexpr const char* kRsaPrimeQ =
    "D6F710EE44BE17D350206C318414634524D59106ABD39CC6A35A29B223A94F78CC5C6DA52D23B0179E5400A61D4ABBE85DCA2F5552AA"
    "B8E10822BD48BCE4BEA139AEC85D5C831AEE99651D6415A80DADF486074FD686DEA9A2AA40C844875F4D05D23B6F12D86E72A1172110"
    "C4BFFF9086B92A9AE94FA660E4678A8B543E5593C5F463B66E4E9D8A62CC95A43468397CF965D20F97E411815A4EF61E77525DA2D5E3"
    "4AFBB8E60AEBF15A7DCB3AD0F77BAB136594E81F7FAEC0F0F1E88B1756D26815FB07D7B33EBE1C4785DED04B23A4F834ED888718810D"
    "B185421745DB172ABD4D985C5C0BC1E813585623C77C7F98CA3C4CF3AB1057E1B77F10DD6130DE13";

using BignumPtr = std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>>;

BignumPtr FromHex(const char* hex) {
  BIGNUM* number = nullptr;
  JSP_CHECK(BN_hex2bn(&number, hex) > 0);
  return BignumPtr(number);
}

}  // namespace

PkeyPtr Rsa4096Key() {
  const BignumPtr p = FromHex(kRsaPrimeP);
  const BignumPtr q = FromHex(kRsaPrimeQ);
  const BignumPtr e = FromHex("010001");
  const BignumPtr p1(BN_dup(p.get())), q1(BN_dup(q.get()));
  const BignumPtr n(BN_new()), d(BN_new()), phi(BN_new()), dp(BN_new()), dq(BN_new()), inverse(BN_new());
  BN_CTX* context = BN_CTX_new();
  BN_sub_word(p1.get(), 1);
  BN_sub_word(q1.get(), 1);
  BN_mul(n.get(), p.get(), q.get(), context);
  BN_mul(phi.get(), p1.get(), q1.get(), context);
  JSP_CHECK(BN_mod_inverse(d.get(), e.get(), phi.get(), context) != nullptr);
  JSP_CHECK(BN_mod_inverse(inverse.get(), q.get(), p.get(), context) != nullptr);
  BN_mod(dp.get(), d.get(), p1.get(), context);
  BN_mod(dq.get(), d.get(), q1.get(), context);
  BN_CTX_free(context);

  OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
  const std::pair<const char*, const BignumPtr&> numbers[] = {{"n", n},
                                                              {"e", e},
                                                              {"d", d},
                                                              {"rsa-factor1", p},
                                                              {"rsa-factor2", q},
                                                              {"rsa-exponent1", dp},
                                                              {"rsa-exponent2", dq},
                                                              {"rsa-coefficient1", inverse}};
  for (const auto& [name, number] : numbers) OSSL_PARAM_BLD_push_BN(builder, name, number.get());
  OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX* key_context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
  EVP_PKEY* key = nullptr;
  JSP_CHECK(EVP_PKEY_fromdata_init(key_context) == 1);
  JSP_CHECK(EVP_PKEY_fromdata(key_context, &key, EVP_PKEY_KEYPAIR, parameters) == 1);
  EVP_PKEY_CTX_free(key_context);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(builder);
  return PkeyPtr(key);
}

KeyAndCertificate MakeCertificate(PkeyPtr key, int extensions) {
  KeyAndCertificate made{std::move(key), X509Ptr(X509_new())};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
  ASN1_TIME_set(X509_getm_notBefore(certificate), 0);
  ASN1_TIME_set(X509_getm_notAfter(certificate), 1);  // expired: nobody minds
  X509_set_pubkey(certificate, made.key.get());
  for (int i = 0; i < extensions; ++i) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_netscape_comment, "nothing");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  JSP_CHECK(X509_sign(certificate, made.key.get(), EVP_sha256()) != 0);
  return made;
}

Bytes MakeRecord(uint8_t type, uint16_t epoch, uint64_t sequence, std::span<const uint8_t> content) {
  const RecordHeader header{static_cast<ContentType>(type),
                            0xFEFD,
                            epoch,
                            static_cast<uint16_t>(sequence >> 32),
                            static_cast<uint32_t>(sequence),
                            static_cast<uint16_t>(content.size())};
  Bytes record(kRecordHeaderSize);
  wire::Write<RecordHeader>(std::span<uint8_t, kRecordHeaderSize>(record), header);
  record.insert(record.end(), content.begin(), content.end());
  return record;
}

Bytes MakeFragment(const FragmentFields& fields, std::span<const uint8_t> body) {
  Bytes fragment{fields.type};
  const auto append = [&](uint32_t value, int octets) {
    while (octets-- > 0) fragment.push_back(static_cast<uint8_t>(value >> (8 * octets)));
  };
  append(fields.length, 3);
  append(fields.message_seq, 2);
  append(fields.offset, 3);
  append(fields.fragment_length, 3);
  fragment.insert(fragment.end(), body.begin(), body.end());
  return fragment;
}

}  // namespace jsp::dtls::testing
