#include "tls/channel.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <cassert>

namespace weir {

namespace {

/// Whether an alert of the peer is about our certificate.
bool is_about_certificates(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

/// Why a certificate was not accepted here.
std::string text_of_verdict(long code) {
  switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "another CA has issued it";
    default:
      return X509_verify_cert_error_string(code);
  }
}

std::string text_of(unsigned long error) {
  auto res = ERR_reason_error_string(error);
  return res != nullptr ? res : "no reason given";
}

} // namespace

tls_channel::tls_channel(const tls_context& context, tcp_socket socket,
                         side which)
  : socket_(std::move(socket)), ssl_(SSL_new(context.get())), side_(which) {
  ERR_clear_error();
  if (!ssl_ || SSL_set_fd(ssl_.get(), socket_.get()) != 1) {
    error_ = ERR_peek_last_error();
    ssl_ = nullptr;
    return;
  }
  if (side_ == side::accepting)
    SSL_set_accept_state(ssl_.get());
  else
    SSL_set_connect_state(ssl_.get());
}

tls_channel::progress tls_channel::finish(int code) {
  switch (SSL_get_error(ssl_.get(), code)) {
    case SSL_ERROR_NONE:
      return progress::done;
    case SSL_ERROR_WANT_READ:
      return progress::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return progress::wants_write;
    default:
      error_ = ERR_peek_last_error();
      return progress::failed;
  }
}

tls_channel::progress tls_channel::shake_hands() {
  if (!ssl_)
    return progress::failed;
  if (stage_ == stage::handshake) {
    ERR_clear_error();
    auto state = finish(SSL_do_handshake(ssl_.get()));
    if (state != progress::done)
      return state;
    stage_ = stage::greeting;
  }
  return stage_ == stage::greeting ? greet() : progress::done;
}

tls_channel::progress tls_channel::greet() {
  while (greeted_ < tls_greeting.size()) {
    auto left = tls_greeting.size() - greeted_;
    auto moved = side_ == side::accepting
                   ? write(tls_greeting.data() + greeted_, left)
                   : read(greeting_.data() + greeted_, left);
    if (moved.state != progress::done)
      return moved.state;
    greeted_ += moved.bytes;
  }
  if (side_ == side::connecting
      && std::string_view{greeting_.data(), greeting_.size()} != tls_greeting)
    return progress::failed;
  stage_ = stage::open;
  return progress::done;
}

failure tls_channel::why(const std::string& whom) const {
  if (!ssl_)
    return {ec::io_error,
            "OpenSSL can't begin a connection: " + text_of(error_)};
  constexpr auto advice
    = "check both with `weir certs show`: one CA has to have issued them, and "
      "they must not have expired";
  if (auto code = SSL_get_verify_result(ssl_.get()); code != X509_V_OK)
    return {ec::untrusted,
            fmt::format("the certificate of {} is not accepted here ({}); {}",
                        whom, text_of_verdict(code), advice)};
  auto of_tls = ERR_GET_LIB(error_) == ERR_LIB_SSL;
  auto reason = ERR_GET_REASON(error_);
  if (of_tls && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return {ec::untrusted,
            whom + " has shown no certificate; give it one with --tls-dir"};
  // What the other end says has numbers of its own.
  if (of_tls && reason > SSL_AD_REASON_OFFSET) {
    auto alert = reason - SSL_AD_REASON_OFFSET;
    auto text = SSL_alert_desc_string_long(alert);
    if (is_about_certificates(alert))
      return {ec::untrusted,
              fmt::format("{} did not accept our certificate ({}); {}", whom,
                          text, advice)};
    return {ec::unreachable,
            fmt::format("{} ended the handshake of TLS ({}); it may run "
                        "another program, or version",
                        whom, text)};
  }
  if (greeted_ == tls_greeting.size())
    return {ec::unreachable,
            whom + " has a certificate of our CA, but is no weir"};
  if (!of_tls || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return {ec::unreachable,
            whom
              + " closed the connection during the handshake of TLS; it "
                "does not speak TLS, or is overloaded"};
  return {ec::unreachable,
          fmt::format("{} does not speak TLS ({}); start it with --tls-dir, or "
                      "leave that out here",
                      whom, text_of(error_))};
}

tls_channel::transfer tls_channel::read(void* to, size_t size) {
  assert(ssl_ != nullptr);
  auto res = transfer{};
  ERR_clear_error();
  res.state = finish(SSL_read_ex(ssl_.get(), to, size, &res.bytes));
  return res;
}

tls_channel::transfer tls_channel::write(const void* from, size_t size) {
  assert(ssl_ != nullptr);
  auto res = transfer{};
  ERR_clear_error();
  res.state = finish(SSL_write_ex(ssl_.get(), from, size, &res.bytes));
  return res;
}

size_t tls_channel::buffered() const {
  return static_cast<size_t>(SSL_pending(ssl_.get()));
}

void tls_channel::move_to(tcp_socket other) {
  assert(stage_ == stage::open);
  BIO_set_fd(SSL_get_rbio(ssl_.get()), other.get(), BIO_NOCLOSE);
  socket_ = std::move(other);
}

} // namespace weir
