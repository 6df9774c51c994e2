#include "base/socket_address.h"

int main() { return jsp::SocketAddress::Parse("192.0.2.1:3478").has_value() ? 0 : 1; }
