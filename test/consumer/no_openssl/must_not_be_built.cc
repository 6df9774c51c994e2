#error "jsp reached @openssl although the TLS library was swapped"
