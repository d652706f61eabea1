#pragma once

#include "test/support/results.hpp"
#include "tls/context.hpp"
#include "tls/issue.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

namespace weir::test {

constexpr std::time_t a_day = 86'400;

/// Files in memory, and a CA to make certificates with.
class certificates {
public:
  certificates() {
    // As the program does: a peer that has gone is an error of the write.
    std::signal(SIGPIPE, SIG_IGN);
    auto pattern = std::string{"/dev/shm/weir-tls-XXXXXX"};
    if (mkdtemp(pattern.data()) == nullptr) {
      pattern = "/tmp/weir-tls-XXXXXX";
      REQUIRE(mkdtemp(pattern.data()) != nullptr);
    }
    path = pattern;
  }

  certificates(const certificates&) = delete;

  ~certificates() {
    auto ignored = std::error_code{};
    std::filesystem::remove_all(path, ignored);
  }

  std::string file(const std::string& name) const {
    return path + "/" + name;
  }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream{file(name)} << content;
    chmod(file(name).c_str(), 0600);
  }

  std::string read(const std::string& name) const {
    auto in = std::ifstream{file(name)};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  /// A CA in the directory `name`.
  void init(const std::string& name, std::time_t at, int days = 3650) const {
    auto x = must(make_authority(name, days, at));
    std::filesystem::create_directories(file(name));
    write(name + "/ca.pem", x.certificate);
    write(name + "/ca-key.pem", x.key);
  }

  /// A directory for --tls-dir, of the CA in `ca`.
  std::string add(const std::string& name, const std::string& ca,
                  std::time_t at, int days = 100) const {
    auto x = must(issue_certificate(file(ca), name, days, at));
    std::filesystem::create_directories(file(name));
    write(name + "/ca.pem", x.authority);
    write(name + "/cert.pem", x.certificate);
    write(name + "/key.pem", x.key);
    return file(name);
  }

  /// Without the checks of `load_identity`, as somebody else's program may.
  static tls_context_ptr unchecked(const std::string& directory) {
    auto x = tls_identity{};
    x.authorities = must(read_certificates(directory + "/ca.pem"));
    x.certificate
      = std::move(must(read_certificates(directory + "/cert.pem")).front());
    x.key = must(read_private_key(directory + "/key.pem"));
    return must(tls_context::make(x));
  }

  std::string path;
  std::time_t now = std::time(nullptr);
};

} // namespace weir::test
