#pragma once

#include "tls/handles.hpp"
#include "windows/failure.hpp"

#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// The files of a `--tls-dir`: whom to trust, who the process is, and the proof
/// of that. The first may hold several authorities, one PEM block after the
/// other: while one succeeds another, both are trusted.
constexpr std::string_view tls_ca_file = "ca.pem";
constexpr std::string_view tls_certificate_file = "cert.pem";
constexpr std::string_view tls_key_file = "key.pem";

/// Beside `tls_ca_file` in the directory of a CA.
constexpr std::string_view tls_ca_key_file = "ca-key.pem";

/// A certificate that ends sooner than this is warned of.
constexpr int expiry_warning_days = 30;

/// What a certificate says.
struct certificate_facts {
  std::string subject;
  std::string issuer;
  /// Seconds since the epoch.
  std::time_t valid_from = 0;
  std::time_t valid_until = 0;
  bool authority = false;
};

certificate_facts facts_of(const X509& x);

/// Seconds since the epoch as "2026-11-22T02:09:00Z".
std::string utc_text(std::time_t x);

/// All certificates of a PEM file, at least one. `ec::invalid_argument` names
/// the file and says what to do.
result<std::vector<openssl_ptr<X509>>> read_certificates(
  const std::string& path);

/// The private key of a PEM file, without a passphrase.
result<openssl_ptr<EVP_PKEY>> read_private_key(const std::string& path);

/// What a process shows to its peers, and whom it trusts.
struct tls_identity {
  std::vector<openssl_ptr<X509>> authorities;
  openssl_ptr<X509> certificate;
  openssl_ptr<EVP_PKEY> key;
  /// Sentences about what works, but should be mended.
  std::vector<std::string> warnings;
};

/// Reads `directory` and checks all that a peer would check, and that the key
/// is the certificate's: whoever has an identity can use it.
/// @param now seconds since the epoch
/// @returns `ec::invalid_argument` for anything that is wrong: a sentence with
/// the file's name and what to do
result<tls_identity> load_identity(const std::string& directory,
                                   std::time_t now);

/// A CA that can issue certificates.
struct tls_authority {
  openssl_ptr<X509> certificate;
  openssl_ptr<EVP_PKEY> key;
  std::vector<std::string> warnings;
};

/// Reads the directory of a CA, and checks what `load_identity` checks.
result<tls_authority> load_authority(const std::string& directory,
                                     std::time_t now);

} // namespace weir
