#pragma once

#include "tls/identity.hpp"

#include <memory>

namespace weir {

/// TLS 1.3 in which both ends show a certificate of the same authorities, for
/// accepting and for connecting. Made once: no file is read for a connection,
/// so that one that vanishes or is half replaced harms nobody.
class tls_context {
public:
  static result<std::shared_ptr<const tls_context>> make(const tls_identity& x);

  /// For `SSL_new`, which counts references, hence not const.
  SSL_CTX* get() const {
    return context_.get();
  }

private:
  explicit tls_context(openssl_ptr<SSL_CTX> x) : context_(std::move(x)) {
    // nop
  }

  openssl_ptr<SSL_CTX> context_;
};

using tls_context_ptr = std::shared_ptr<const tls_context>;

} // namespace weir
