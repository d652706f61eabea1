#include "windows/partial.hpp"

namespace weir {

void partial::encode(byte_writer& out) const {
  auto n = uint64_t{0};
  each([&](auto* f) {
    using F = function_of<decltype(f)>;
    n += detail::has_state<F> && has<F>() ? 1 : 0;
  });
  out.varint(n);
  auto bytes = std::string{};
  each([&](auto* f) {
    using F = function_of<decltype(f)>;
    if constexpr (detail::has_state<F>) {
      if (!has<F>())
        return;
      bytes.clear();
      auto state_out = byte_writer{bytes};
      F::encode(get<F>(), state_out);
      out.fixed(F::id);
      out.string(bytes);
    }
  });
}

bool partial::decode(byte_reader& in) {
  *this = partial{};
  each([&](auto* f) {
    using F = function_of<decltype(f)>;
    if constexpr (detail::has_state<F>)
      lacking_ |= bit<F>;
  });
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    auto id = in.fixed<uint8_t>();
    auto state_in = byte_reader{in.string()};
    if (in.ok() && !decode_state(id, state_in))
      return false;
  }
  return in.ok();
}

/// Skips a state of an unknown function.
bool partial::decode_state(uint8_t id, byte_reader& in) {
  auto good = true;
  each([&](auto* f) {
    using F = function_of<decltype(f)>;
    if constexpr (detail::has_state<F>) {
      if (id != F::id)
        return;
      // Each is there once.
      good = !has<F>() && F::decode(mutable_state<F>(), in) && in.done();
      lacking_ &= ~bit<F>;
    }
  });
  return good;
}

bool operator==(const partial& x, const partial& y) {
  auto bytes_of = [](const partial& z) {
    auto res = std::string{};
    auto out = byte_writer{res};
    z.encode(out);
    return res;
  };
  return bytes_of(x) == bytes_of(y);
}

} // namespace weir
