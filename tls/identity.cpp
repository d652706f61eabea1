#include "tls/identity.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cassert>
#include <cerrno>
#include <cstring>

#include <sys/stat.h>

namespace weir {

namespace {

constexpr std::time_t seconds_a_day = 86'400;

std::string file_in(const std::string& directory, std::string_view name) {
  return fmt::format("{}/{}", directory, name);
}

std::string name_text(const X509_NAME* x) {
  auto out = openssl_ptr<BIO>{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(out.get(), x, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

std::time_t time_of(const ASN1_TIME* x) {
  auto parts = std::tm{};
  return ASN1_TIME_to_tm(x, &parts) == 1 ? timegm(&parts) : 0;
}

result<openssl_ptr<BIO>> open_file(const std::string& path) {
  ERR_clear_error();
  auto file = openssl_ptr<BIO>{BIO_new_file(path.c_str(), "r")};
  if (file)
    return file;
  auto error = errno;
  ERR_clear_error();
  if (error == ENOENT)
    return fail(ec::invalid_argument,
                fmt::format("{} is missing; `weir certs add` makes a directory "
                            "with {}, {} and {} for --tls-dir",
                            path, tls_ca_file, tls_certificate_file,
                            tls_key_file));
  return fail(ec::invalid_argument,
              fmt::format("{} can't be read: {}; check its owner and mode",
                          path, std::strerror(error)));
}

/// No passphrase is ever asked for: servers start without anybody there.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

/// What is wrong with the chain, in words for the one who has to mend it.
std::string chain_trouble(const std::string& directory, int error, int depth,
                          const X509& certificate, const X509& current) {
  auto leaf = file_in(directory, tls_certificate_file);
  auto ca = file_in(directory, tls_ca_file);
  auto& culprit = depth == 0 ? leaf : ca;
  auto facts = facts_of(current);
  auto renew = depth == 0 ? "make a new certificate with `weir certs add`"
                          : "make a new CA with `weir certs init`, and new "
                            "certificates";
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} expired at {}; {}", culprit,
                         utc_text(facts.valid_until), renew);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is valid only from {} on; check this machine's "
                         "clock, or {}",
                         culprit, utc_text(facts.valid_from), renew);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return fmt::format("{} was not issued by the CA in {} but by another one "
                         "({}); take both from the same CA",
                         leaf, ca, facts_of(certificate).issuer);
    default:
      return fmt::format("{} can't be used: {}; make it with `weir certs`",
                         culprit, X509_verify_cert_error_string(error));
  }
}

/// A process is server and client in turn, and peers check for both.
result<void> check_chain(const std::string& directory, const tls_identity& x,
                         std::time_t now) {
  auto store = openssl_ptr<X509_STORE>{X509_STORE_new()};
  for (auto& ca : x.authorities)
    X509_STORE_add_cert(store.get(), ca.get());
  for (auto purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
    auto context = openssl_ptr<X509_STORE_CTX>{X509_STORE_CTX_new()};
    if (!context
        || X509_STORE_CTX_init(context.get(), store.get(), x.certificate.get(),
                               nullptr)
             != 1)
      return fail(ec::io_error, fmt::format("{}: OpenSSL can't check it: {}",
                                            directory, openssl_reason()));
    X509_STORE_CTX_set_purpose(context.get(), purpose);
    X509_STORE_CTX_set_time(context.get(), 0, now);
    if (X509_verify_cert(context.get()) == 1)
      continue;
    ERR_clear_error();
    auto current = X509_STORE_CTX_get_current_cert(context.get());
    return fail(
      ec::invalid_argument,
      chain_trouble(directory, X509_STORE_CTX_get_error(context.get()),
                    X509_STORE_CTX_get_error_depth(context.get()),
                    *x.certificate, current ? *current : *x.certificate));
  }
  return {};
}

/// Others who can read a key can join the cluster.
std::string key_mode_warning(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0
      || (info.st_mode & (S_IRWXG | S_IRWXO)) == 0)
    return {};
  return fmt::format("{} may be read or changed by others (mode {:03o}), who "
                     "can then join the cluster; chmod 600 it",
                     path, info.st_mode & 0777);
}

std::vector<std::string> warnings_about(const std::string& certificate_path,
                                        const X509& certificate,
                                        const std::string& key_path,
                                        std::string_view renew,
                                        std::time_t now) {
  auto res = std::vector<std::string>{};
  if (auto text = key_mode_warning(key_path); !text.empty())
    res.push_back(std::move(text));
  auto until = facts_of(certificate).valid_until;
  if (until < now + expiry_warning_days * seconds_a_day)
    res.push_back(fmt::format("{} expires at {}; {}", certificate_path,
                              utc_text(until), renew));
  return res;
}

} // namespace

certificate_facts facts_of(const X509& x) {
  auto res = certificate_facts{};
  res.subject = name_text(X509_get_subject_name(&x));
  res.issuer = name_text(X509_get_issuer_name(&x));
  res.valid_from = time_of(X509_get0_notBefore(&x));
  res.valid_until = time_of(X509_get0_notAfter(&x));
  // It caches what it has parsed, hence the cast.
  res.authority = X509_check_ca(const_cast<X509*>(&x)) > 0;
  return res;
}

std::string utc_text(std::time_t x) {
  auto parts = std::tm{};
  gmtime_r(&x, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

result<std::vector<openssl_ptr<X509>>> read_certificates(
  const std::string& path) {
  auto file = open_file(path);
  if (!file)
    return tl::unexpected(std::move(file.error()));
  auto res = std::vector<openssl_ptr<X509>>{};
  while (auto x
         = PEM_read_bio_X509(file->get(), nullptr, no_passphrase, nullptr))
    res.emplace_back(x);
  auto at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  auto why = openssl_reason();
  if (!at_end || res.empty())
    return fail(ec::invalid_argument,
                fmt::format("{} is no certificate in PEM form ({}); copy it "
                            "anew, or make one with `weir certs`",
                            path, why));
  return res;
}

result<openssl_ptr<EVP_PKEY>> read_private_key(const std::string& path) {
  auto file = open_file(path);
  if (!file)
    return tl::unexpected(std::move(file.error()));
  auto res = openssl_ptr<EVP_PKEY>{
    PEM_read_bio_PrivateKey(file->get(), nullptr, no_passphrase, nullptr)};
  if (!res)
    return fail(ec::invalid_argument,
                fmt::format("{} is no private key in PEM form without a "
                            "passphrase ({}); copy it anew, or make one with "
                            "`weir certs`",
                            path, openssl_reason()));
  return res;
}

result<tls_identity> load_identity(const std::string& directory,
                                   std::time_t now) {
  auto certificate_path = file_in(directory, tls_certificate_file);
  auto key_path = file_in(directory, tls_key_file);
  auto res = tls_identity{};
  auto authorities = read_certificates(file_in(directory, tls_ca_file));
  if (!authorities)
    return tl::unexpected(std::move(authorities.error()));
  auto certificates = read_certificates(certificate_path);
  if (!certificates)
    return tl::unexpected(std::move(certificates.error()));
  auto key = read_private_key(key_path);
  if (!key)
    return tl::unexpected(std::move(key.error()));
  res.authorities = std::move(*authorities);
  res.certificate = std::move(certificates->front());
  res.key = std::move(*key);
  if (X509_check_private_key(res.certificate.get(), res.key.get()) != 1) {
    ERR_clear_error();
    return fail(ec::invalid_argument,
                fmt::format("{} is not the key of {}; copy both anew from "
                            "where `weir certs add` wrote them",
                            key_path, certificate_path));
  }
  if (auto checked = check_chain(directory, res, now); !checked)
    return tl::unexpected(std::move(checked.error()));
  res.warnings
    = warnings_about(certificate_path, *res.certificate, key_path,
                     "make a new one with `weir certs add`, and restart with "
                     "it",
                     now);
  return res;
}

result<tls_authority> load_authority(const std::string& directory,
                                     std::time_t now) {
  auto certificate_path = file_in(directory, tls_ca_file);
  auto key_path = file_in(directory, tls_ca_key_file);
  auto authorities = read_certificates(certificate_path);
  if (!authorities)
    return tl::unexpected(std::move(authorities.error()));
  auto key = read_private_key(key_path);
  if (!key)
    return tl::unexpected(std::move(key.error()));
  auto res = tls_authority{};
  res.certificate = std::move(authorities->front());
  res.key = std::move(*key);
  auto facts = facts_of(*res.certificate);
  auto matches
    = X509_check_private_key(res.certificate.get(), res.key.get()) == 1;
  ERR_clear_error();
  if (!facts.authority || !matches)
    return fail(ec::invalid_argument,
                fmt::format("{} is not the key of the CA in {}; name the "
                            "directory that `weir certs init` made",
                            key_path, certificate_path));
  if (facts.valid_until <= now)
    return fail(ec::invalid_argument,
                fmt::format("{} expired at {}; make a new CA with `weir certs "
                            "init`",
                            certificate_path, utc_text(facts.valid_until)));
  res.warnings = warnings_about(certificate_path, *res.certificate, key_path,
                                "make a new CA with `weir certs init`", now);
  return res;
}

} // namespace weir
