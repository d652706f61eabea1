#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <memory>
#include <string>

// OpenSSL's objects as C++ has them.

namespace weir {

struct openssl_free {
  void operator()(BIO* x) const {
    BIO_free_all(x);
  }

  void operator()(EVP_PKEY* x) const {
    EVP_PKEY_free(x);
  }

  void operator()(SSL* x) const {
    SSL_free(x);
  }

  void operator()(SSL_CTX* x) const {
    SSL_CTX_free(x);
  }

  void operator()(X509* x) const {
    X509_free(x);
  }

  void operator()(X509_EXTENSION* x) const {
    X509_EXTENSION_free(x);
  }

  void operator()(X509_STORE* x) const {
    X509_STORE_free(x);
  }

  void operator()(X509_STORE_CTX* x) const {
    X509_STORE_CTX_free(x);
  }
};

template <class T>
using openssl_ptr = std::unique_ptr<T, openssl_free>;

/// What OpenSSL says of its last failure in this thread, in a few words, and
/// forgets it.
std::string openssl_reason();

} // namespace weir
