#pragma once
#include "dtls/openssl_ptr.h"
#include "dtls/session.h"
#include "dtls/stream_context.h"
namespace jsp::dtls {

// OpenSSL's side of a StreamContext, for dtls/ only.
struct StreamContext::Native {
  Role role;
  SslCtxPtr context;
};

}  // namespace jsp::dtls
