#include "messages/types.hpp"
#include "test/fuzz/fuzz.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

// Input: the number of a message, in one byte, and what CAF reads it from.

using namespace weir;
using namespace weir::fuzz;

namespace {

template <class T>
bool read(std::string_view bytes, T& x) {
  auto in = caf::binary_deserializer{nullptr, bytes.data(), bytes.size()};
  return !in(x);
}

template <class T>
std::string written(T& x) {
  auto res = std::vector<char>{};
  auto out = caf::binary_serializer{nullptr, res};
  require(!out(x), "what is read can be written");
  return {res.begin(), res.end()};
}

template <class T>
void look_at(std::string_view bytes) {
  auto x = T{};
  if (!read(bytes, x))
    return;
  auto own = written(x);
  auto y = T{};
  require(read(own, y), "what is written can be read");
  require(written(y) == own, "a message keeps what it says");
}

template <caf::type_id_t I = caf::id_block::weir_wire::begin>
void look_at(size_t number, std::string_view bytes) {
  if constexpr (I < caf::id_block::weir_wire::end) {
    if (number == I - caf::id_block::weir_wire::begin)
      look_at<typename caf::type_by_id<I>::type>(bytes);
    else
      look_at<I + 1>(number, bytes);
  }
}

} // namespace

WEIR_FUZZ_TARGET(message) {
  if (!bytes.empty())
    look_at(static_cast<uint8_t>(bytes.front()), bytes.substr(1));
}
