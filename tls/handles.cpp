#include "tls/handles.hpp"

#include <openssl/err.h>

namespace weir {

std::string openssl_reason() {
  auto code = ERR_peek_last_error();
  auto reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "no reason given";
}

} // namespace weir
