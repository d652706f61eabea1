#include "cluster/peer_codec.hpp"

#include "windows/bytes.hpp"

#include <fmt/format.h>

#include <type_traits>

namespace weir {

namespace {

/// A number that is as likely great as small.
template <class T>
struct word {
  T& value;
};

template <class T>
word(T&) -> word<T>;

/// The fields of a type in their order, for writing (`T` is const) and for
/// reading alike.
template <class Archive, class T>
void fields(Archive& f, T& x) {
  using type = std::remove_const_t<T>;
  if constexpr (std::is_same_v<type, member>)
    f(x.node, x.disk, x.incarnation);
  else if constexpr (std::is_same_v<type, log_position>)
    f(x.index, x.epoch, word{x.chain});
  else if constexpr (std::is_same_v<type, log_entry>)
    f(x.index, x.epoch, x.kind, word{x.producer.high}, word{x.producer.low},
      x.session, x.after, x.position, x.envelope, x.block, word{x.crc},
      word{x.chain});
  else if constexpr (std::is_same_v<type, replicate>)
    f(x.shard, x.epoch, x.from, x.previous, x.committed, x.entries);
  else if constexpr (std::is_same_v<type, replicated>)
    f(x.shard, x.epoch, x.from, x.held, x.taken, x.again);
  else if constexpr (std::is_same_v<type, log_claim>)
    f(x.shard, x.epoch, x.from, x.applied, x.ends);
  else if constexpr (std::is_same_v<type, not_followed>)
    f(x.shard, x.epoch, x.from, x.promised, x.failed);
  else if constexpr (std::is_same_v<type, copy_begin>)
    f(x.shard, x.epoch, x.from, x.transfer, x.from_index, x.end, x.meta,
      x.chunks);
  else if constexpr (std::is_same_v<type, copy_chunk>)
    f(x.shard, x.epoch, x.from, x.transfer, x.number, x.bytes, x.covers);
  else
    f(x.shard, x.epoch, x.from, x.transfer, x.chunks);
}

class encoder {
public:
  explicit encoder(std::string& out) : out_(out) {
    // nop
  }

  template <class... Ts>
  void operator()(const Ts&... xs) {
    (put(xs), ...);
  }

private:
  template <class T>
  void put(const T& x) {
    if constexpr (std::is_integral_v<T>)
      out_.varint(static_cast<uint64_t>(x));
    else if constexpr (std::is_enum_v<T>)
      out_.varint(static_cast<uint64_t>(x));
    else
      fields(*this, x);
  }

  template <class T>
  void put(const word<T>& x) {
    out_.fixed(x.value);
  }

  void put(const std::string& x) {
    out_.string(x);
  }

  void put(const std::string_view& x) {
    out_.string(x);
  }

  template <class T>
  void put(const std::vector<T>& xs) {
    out_.varint(xs.size());
    for (auto& x : xs)
      put(x);
  }

  void put(const entry_ptr& x) {
    put(*x);
  }

  byte_writer out_;
};

class decoder {
public:
  decoder(const std::shared_ptr<const std::string>& bytes, uint32_t shard)
    : in_(*bytes), keep_(bytes), shard_(shard) {
    // nop
  }

  template <class... Ts>
  void operator()(Ts&&... xs) {
    (get(xs), ...);
  }

  bool done() const {
    return in_.done();
  }

  uint64_t number() {
    return in_.varint();
  }

private:
  template <class T>
  void get(T& x) {
    if constexpr (std::is_same_v<T, bool> || std::is_enum_v<T>) {
      auto value = in_.varint();
      if (value > UINT8_MAX || (std::is_same_v<T, bool> && value > 1))
        return in_.fail();
      x = static_cast<T>(value);
    } else if constexpr (std::is_integral_v<T>) {
      auto value = in_.varint();
      x = static_cast<T>(value);
      if (static_cast<uint64_t>(x) != value)
        in_.fail();
    } else {
      fields(*this, x);
    }
  }

  template <class T>
  void get(word<T>& x) {
    x.value = in_.fixed<T>();
  }

  void get(std::string& x) {
    x = std::string{in_.string()};
  }

  void get(std::string_view& x) {
    x = in_.string();
  }

  template <class T>
  void get(std::vector<T>& xs) {
    // No more than there can be, whatever the number says.
    auto n = in_.varint();
    if (n > in_.remaining())
      return in_.fail();
    for (; n > 0 && in_.ok(); --n) {
      xs.emplace_back();
      get(xs.back());
    }
  }

  void get(entry_ptr& x) {
    auto entry = std::make_shared<log_entry>();
    entry->shard = shard_;
    entry->keep = keep_;
    fields(*this, *entry);
    x = std::move(entry);
  }

  byte_reader in_;
  std::shared_ptr<const void> keep_;
  uint32_t shard_;
};

template <size_t I = 0>
bool decode_as(size_t kind, decoder& in, peer_message& out) {
  if constexpr (I < std::variant_size_v<peer_message>) {
    if (kind != I)
      return decode_as<I + 1>(kind, in, out);
    fields(in, out.emplace<I>());
    return in.done();
  } else {
    return false;
  }
}

} // namespace

std::string encode_peer_message(const peer_message& x) {
  auto res = std::string{};
  auto out = encoder{res};
  out(x.index());
  std::visit(
    [&](auto& message) {
      fields(out, message);
    },
    x);
  return res;
}

result<peer_message> decode_peer_message(
  const std::shared_ptr<const std::string>& bytes) {
  auto res = peer_message{};
  auto shard = shard_of_peer_message(*bytes);
  auto in = decoder{bytes, shard.value_or(0)};
  if (!shard || !decode_as(in.number(), in, res))
    return fail(ec::malformed,
                fmt::format("a message of {} bytes between replicas does not "
                            "decode",
                            bytes->size()));
  return res;
}

std::optional<uint32_t> shard_of_peer_message(std::string_view bytes) {
  auto in = byte_reader{bytes};
  in.varint();
  auto shard = in.varint();
  if (!in.ok() || shard > UINT32_MAX)
    return {};
  return static_cast<uint32_t>(shard);
}

} // namespace weir
