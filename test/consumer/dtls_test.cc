#include "dtls/certificate.h"

#ifndef JSP_CONSUMER_TLS
#error "the label_flag @jsp//dtls:tls did not reach this target's dependencies"
#endif

int main() { return jsp::dtls::Certificate::Generate().has_value() ? 0 : 1; }
