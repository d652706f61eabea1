#include "test/fuzz/fuzz.hpp"

#include <cstddef>
#include <cstdint>

/// What libFuzzer calls, in a program with one target.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::fuzz::targets().front().run(
    {reinterpret_cast<const char*>(data), size});
  return 0;
}
