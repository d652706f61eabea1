#pragma once

#include "tls/identity.hpp"

#include <ctime>
#include <string>
#include <vector>

namespace weir {

/// What is to be said of a directory of certificates.
struct tls_inspection {
  struct certificate {
    std::string file;
    certificate_facts facts;
  };

  std::vector<certificate> certificates;
  /// Why it can't be used: sentences; empty if it can.
  std::vector<std::string> problems;
  /// What should be mended nevertheless.
  std::vector<std::string> warnings;
};

/// Looks at the directory of a CA, or at one for `--tls-dir`.
/// @param now seconds since the epoch
tls_inspection inspect_certificates(const std::string& directory,
                                    std::time_t now);

} // namespace weir
