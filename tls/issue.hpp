#pragma once

#include "windows/failure.hpp"

#include <ctime>
#include <string>

namespace weir {

/// Days that a CA is good for, unless told otherwise: all certificates of a
/// cluster have to be replaced before.
constexpr int ca_days_default = 3650;

/// Days that a certificate is good for: few enough that replacing it stays
/// something people know how to do.
constexpr int certificate_days_default = 730;

/// Dates beyond are of no use, and need not be representable.
constexpr int certificate_days_max = 36'500;

/// The common name of a certificate has no more characters (RFC 5280).
constexpr size_t certificate_name_max = 64;

/// A certificate and its key, and the certificate of the CA that has issued it;
/// all PEM.
struct certificate_and_key {
  std::string certificate;
  std::string key;
  std::string authority;
};

/// Makes a private CA: a self-signed certificate that may issue others, and
/// nothing else (P-256, SHA-256).
/// @param now seconds since the epoch
result<certificate_and_key> make_authority(const std::string& name, int days,
                                           std::time_t now);

/// Makes a certificate, signed by a CA, with which a process can be server and
/// client. It ends with the CA at the latest.
/// @param ca_directory has `tls_ca_file` and `tls_ca_key_file`
result<certificate_and_key> issue_certificate(const std::string& ca_directory,
                                              const std::string& name, int days,
                                              std::time_t now);

} // namespace weir
