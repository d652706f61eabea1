#pragma once

#include "windows/bytes.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

// What the targets share. A target takes any bytes, and ends the process if
// something breaks. It is linked with libFuzzer (libfuzzer.cpp), and with a
// program that runs what was found before (replay.cpp).

namespace weir::fuzz {

struct target {
  const char* name;
  void (*run)(std::string_view bytes);
};

/// All targets of this program.
inline std::vector<target>& targets() {
  static auto res = std::vector<target>{};
  return res;
}

struct registration {
  registration(const char* name, void (*run)(std::string_view)) {
    targets().push_back({name, run});
  }
};

/// Ends the process, with a sentence, unless `fine`.
inline void require(bool fine, const char* sentence) {
  if (fine)
    return;
  std::fprintf(stderr, "does not hold: %s\n", sentence);
  std::abort();
}

/// The bytes that `x.encode` writes.
template <class T>
std::string bytes_of(const T& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  x.encode(out);
  return res;
}

/// What was decoded from any bytes is, encoded and decoded again, the same.
template <class T>
void require_round_trip(const T& x) {
  auto bytes = bytes_of(x);
  auto in = byte_reader{bytes};
  auto y = T{};
  require(y.decode(in) && in.done(), "what is encoded decodes");
  require(bytes_of(y) == bytes, "what is decoded encodes to the same bytes");
}

} // namespace weir::fuzz

/// Defines the target `name`: to be followed by a body that looks at `bytes`.
#define WEIR_FUZZ_TARGET(name)                                                 \
  static void run_##name(std::string_view bytes);                              \
  static const auto registered_##name                                          \
    = ::weir::fuzz::registration{#name, run_##name};                           \
  static void run_##name(std::string_view bytes)
