#include "tls/context.hpp"

namespace weir {

namespace {

/// Bytes of a stranger's certificates. Ours have about 1 KiB with their CA;
/// OpenSSL itself would collect 100 KiB from each.
constexpr long peer_certificates_bytes_max = 16 << 10;

bool configure(SSL_CTX& to, const tls_identity& x) {
  auto store = SSL_CTX_get_cert_store(&to);
  for (auto& ca : x.authorities)
    if (X509_STORE_add_cert(store, ca.get()) != 1)
      return false;
  SSL_CTX_set_verify(&to, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  SSL_CTX_set_max_cert_list(&to, peer_certificates_bytes_max);
  // A resumed session would outlive the check of its certificate.
  SSL_CTX_set_session_cache_mode(&to, SSL_SESS_CACHE_OFF);
  // Every peer has the authorities' own certificates already. And the
  // socket's buffer takes what it takes, and the rest may lie elsewhere by
  // the next call: CAF's buffers are swapped.
  SSL_CTX_set_mode(&to, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE
                          | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          | SSL_MODE_RELEASE_BUFFERS);
  return SSL_CTX_set_min_proto_version(&to, TLS1_3_VERSION) == 1
         && SSL_CTX_set_num_tickets(&to, 0) == 1
         && SSL_CTX_use_certificate(&to, x.certificate.get()) == 1
         && SSL_CTX_use_PrivateKey(&to, x.key.get()) == 1;
}

} // namespace

result<tls_context_ptr> tls_context::make(const tls_identity& x) {
  auto res = openssl_ptr<SSL_CTX>{SSL_CTX_new(TLS_method())};
  if (!res || !configure(*res, x))
    return fail(ec::invalid_argument,
                "OpenSSL does not take the certificate of --tls-dir: "
                  + openssl_reason() + "; make one with `weir certs add`");
  return tls_context_ptr{new tls_context{std::move(res)}};
}

} // namespace weir
