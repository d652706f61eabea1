#include "tls/inspect.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace weir {

namespace {

void add_file(tls_inspection& to, const std::string& path) {
  // What can't be read is told by the check of the whole.
  if (auto all = read_certificates(path))
    for (auto& x : *all)
      to.certificates.push_back({path, facts_of(*x)});
}

void add_warnings(tls_inspection& to, std::vector<std::string> texts) {
  for (auto& x : texts)
    to.warnings.push_back(std::move(x));
}

} // namespace

tls_inspection inspect_certificates(const std::string& directory,
                                    std::time_t now) {
  auto res = tls_inspection{};
  add_file(res, fmt::format("{}/{}", directory, tls_ca_file));
  auto ca_key = fmt::format("{}/{}", directory, tls_ca_key_file);
  if (access(ca_key.c_str(), F_OK) == 0) {
    if (auto checked = load_authority(directory, now); !checked)
      res.problems.push_back(checked.error().text);
    else
      add_warnings(res, std::move(checked->warnings));
    return res;
  }
  add_file(res, fmt::format("{}/{}", directory, tls_certificate_file));
  if (auto checked = load_identity(directory, now); !checked)
    res.problems.push_back(checked.error().text);
  else
    add_warnings(res, std::move(checked->warnings));
  return res;
}

} // namespace weir
