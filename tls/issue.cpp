#include "tls/issue.hpp"

#include "tls/handles.hpp"
#include "tls/identity.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace weir {

namespace {

constexpr const char* curve = "P-256";

/// Machines' clocks differ: a certificate is good a little before it is made.
constexpr std::time_t clocks_differ_by = 3600;

constexpr std::time_t seconds_a_day = 86'400;

/// Large enough that no two certificates ever have the same (RFC 5280 wants at
/// most 20 bytes).
constexpr int serial_bits = 127;

constexpr long x509_version_3 = 2;

tl::unexpected<failure> refused(std::string_view what) {
  return fail(ec::io_error,
              fmt::format("OpenSSL can't {}: {}", what, openssl_reason()));
}

result<void> check_request(const std::string& name, int days) {
  auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  if (name.empty() || name.size() > certificate_name_max || name.front() == '.'
      || !std::all_of(name.begin(), name.end(), good))
    return fail(ec::invalid_argument,
                fmt::format("`{}` can't be the name of a certificate: take 1 "
                            "to {} letters, digits, `-`, `_` and `.`, not "
                            "beginning with `.`",
                            name, certificate_name_max));
  if (days < 1 || days > certificate_days_max)
    return fail(ec::invalid_argument,
                fmt::format("a certificate can't be valid for {} days; take 1 "
                            "to {}",
                            days, certificate_days_max));
  return {};
}

bool add_extension(X509& to, X509& issuer, int what, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &to, nullptr, nullptr, 0);
  auto x = openssl_ptr<X509_EXTENSION>{
    X509V3_EXT_conf_nid(nullptr, &context, what, value)};
  return x && X509_add_ext(&to, x.get(), -1) == 1;
}

bool set_serial(X509& x) {
  auto number = BN_new();
  auto done
    = number != nullptr
      && BN_rand(number, serial_bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1
      && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(&x));
  BN_free(number);
  return done;
}

/// A certificate of everything but extensions, issuer and signature.
openssl_ptr<X509> draft(const std::string& name, EVP_PKEY& key,
                        std::time_t from, std::time_t until) {
  auto res = openssl_ptr<X509>{X509_new()};
  if (!res)
    return nullptr;
  auto subject = X509_get_subject_name(res.get());
  auto text = [](const char* x) {
    return reinterpret_cast<const unsigned char*>(x);
  };
  auto done = X509_set_version(res.get(), x509_version_3) == 1
              && set_serial(*res)
              && X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                            text("weir"), -1, -1, 0)
                   == 1
              && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                            text(name.c_str()), -1, -1, 0)
                   == 1
              && ASN1_TIME_set(X509_getm_notBefore(res.get()), from) != nullptr
              && ASN1_TIME_set(X509_getm_notAfter(res.get()), until) != nullptr
              && X509_set_pubkey(res.get(), &key) == 1;
  return done ? std::move(res) : nullptr;
}

std::string text_of(BIO& x) {
  char* text = nullptr;
  auto size = BIO_get_mem_data(&x, &text);
  return {text, static_cast<size_t>(size)};
}

result<certificate_and_key> to_pem(X509& certificate, EVP_PKEY& key,
                                   X509& authority) {
  auto out = openssl_ptr<BIO>{BIO_new(BIO_s_mem())};
  auto secret = openssl_ptr<BIO>{BIO_new(BIO_s_secmem())};
  auto issuer = openssl_ptr<BIO>{BIO_new(BIO_s_mem())};
  if (!out || !secret || !issuer
      || PEM_write_bio_X509(out.get(), &certificate) != 1
      || PEM_write_bio_X509(issuer.get(), &authority) != 1
      || PEM_write_bio_PrivateKey(secret.get(), &key, nullptr, nullptr, 0,
                                  nullptr, nullptr)
           != 1)
    return refused("write a certificate");
  return certificate_and_key{text_of(*out), text_of(*secret), text_of(*issuer)};
}

} // namespace

result<certificate_and_key> make_authority(const std::string& name, int days,
                                           std::time_t now) {
  if (auto checked = check_request(name, days); !checked)
    return tl::unexpected(std::move(checked.error()));
  auto key = openssl_ptr<EVP_PKEY>{EVP_EC_gen(curve)};
  if (!key)
    return refused("make a key");
  auto x
    = draft(name, *key, now - clocks_differ_by, now + days * seconds_a_day);
  auto done
    = x && X509_set_issuer_name(x.get(), X509_get_subject_name(x.get())) == 1
      && add_extension(*x, *x, NID_basic_constraints,
                       "critical,CA:TRUE,pathlen:0")
      && add_extension(*x, *x, NID_key_usage, "critical,keyCertSign,cRLSign")
      && add_extension(*x, *x, NID_subject_key_identifier, "hash")
      && X509_sign(x.get(), key.get(), EVP_sha256()) > 0;
  if (!done)
    return refused("make a CA");
  return to_pem(*x, *key, *x);
}

result<certificate_and_key> issue_certificate(const std::string& ca_directory,
                                              const std::string& name, int days,
                                              std::time_t now) {
  if (auto checked = check_request(name, days); !checked)
    return tl::unexpected(std::move(checked.error()));
  auto authority = load_authority(ca_directory, now);
  if (!authority)
    return tl::unexpected(std::move(authority.error()));
  auto& ca = *authority->certificate;
  auto key = openssl_ptr<EVP_PKEY>{EVP_EC_gen(curve)};
  if (!key)
    return refused("make a key");
  auto until = std::min<std::time_t>(now + days * seconds_a_day,
                                     facts_of(ca).valid_until);
  auto x = draft(name, *key, now - clocks_differ_by, until);
  auto other_name = "DNS:" + name;
  auto done
    = x && X509_set_issuer_name(x.get(), X509_get_subject_name(&ca)) == 1
      && add_extension(*x, ca, NID_basic_constraints, "critical,CA:FALSE")
      && add_extension(*x, ca, NID_key_usage, "critical,digitalSignature")
      && add_extension(*x, ca, NID_ext_key_usage, "serverAuth,clientAuth")
      && add_extension(*x, ca, NID_subject_key_identifier, "hash")
      && add_extension(*x, ca, NID_authority_key_identifier, "keyid")
      && add_extension(*x, ca, NID_subject_alt_name, other_name.c_str())
      && X509_sign(x.get(), authority->key.get(), EVP_sha256()) > 0;
  if (!done)
    return refused("make a certificate");
  return to_pem(*x, *key, ca);
}

} // namespace weir
