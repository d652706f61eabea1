#include "input/ndjson_scan.hpp"

#include "input/line_parser.hpp"
#include "input/ndjson_keys.hpp"
#include "input/numbers.hpp"

#include <simdjson.h>

#include <cstring>

namespace weir {

namespace {

/// Marks bytes of `x` that are zero with their highest bit; above the lowest
/// mark there may be wrong ones. After "Bit Twiddling Hacks" (Anderson).
uint64_t zero_bytes(uint64_t x) {
  return (x - 0x0101010101010101) & ~x & 0x8080808080808080;
}

class scanner {
public:
  explicit scanner(std::string_view line)
    : pos_(line.data()), end_(line.data() + line.size()) {
    // nop
  }

  /// All bytes were ASCII so far.
  bool is_ascii() const {
    return is_ascii_;
  }

  bool done() {
    skip_space();
    return pos_ == end_;
  }

  bool take(char c) {
    skip_space();
    if (*pos_ != c)
      return false;
    ++pos_;
    return true;
  }

  /// A string without escapes, up to and with its closing quote.
  bool string(std::string_view& out) {
    if (!take('"'))
      return false;
    auto start = pos_;
    for (;;) {
      auto word = uint64_t{0};
      std::memcpy(&word, pos_, sizeof(word));
      auto quotes = zero_bytes(word ^ 0x2222222222222222);
      auto escapes = zero_bytes(word ^ 0x5c5c5c5c5c5c5c5c);
      auto controls = (word - 0x2020202020202020) & ~word & 0x8080808080808080;
      auto odd = word & 0x8080808080808080;
      auto hits = quotes | escapes | controls | odd;
      if (hits == 0) {
        pos_ += sizeof(word);
        continue;
      }
      // The end of the line stops this too: its newline is a control.
      pos_ += __builtin_ctzll(hits) / 8;
      if (static_cast<unsigned char>(*pos_) >= 0x80) {
        is_ascii_ = false;
        ++pos_;
        continue;
      }
      if (*pos_ != '"')
        return false;
      out = {start, static_cast<size_t>(pos_ - start)};
      ++pos_;
      return true;
    }
  }

  bool number(weir::number& out, std::string_view& text) {
    skip_space();
    auto start = pos_;
    auto next = scan_number(pos_, out);
    if (!next)
      return false;
    pos_ = next;
    text = {start, static_cast<size_t>(pos_ - start)};
    return true;
  }

  bool next_is_string() {
    skip_space();
    return *pos_ == '"';
  }

  /// Passes over a string, a number, true, false or null.
  bool skip_scalar() {
    auto text = std::string_view{};
    auto ignored = weir::number{};
    if (next_is_string())
      return string(text);
    for (auto word : {"true", "false", "null"}) {
      auto n = std::strlen(word);
      if (std::memcmp(pos_, word, n) == 0) {
        pos_ += n;
        return true;
      }
    }
    return number(ignored, text);
  }

private:
  void skip_space() {
    while (*pos_ == ' ' || *pos_ == '\t')
      ++pos_;
  }

  const char* pos_;
  const char* end_;
  bool is_ascii_ = true;
};

bool scan_data(scanner& in, size_t metrics_max, std::vector<field>& out) {
  if (!in.take('{'))
    return false;
  do {
    if (out.size() == metrics_max)
      return false;
    auto text = std::string_view{};
    auto& x = out.emplace_back();
    if (!in.string(x.metric) || !in.take(':') || !in.number(x.value, text))
      return false;
  } while (in.take(','));
  return in.take('}');
}

bool scan_time(scanner& in, draft& out) {
  out.has_time = true;
  if (!in.next_is_string())
    return in.number(out.time_number, out.time);
  out.time_is_string = true;
  return in.string(out.time);
}

} // namespace

ndjson_kind scan_ndjson(std::string_view line, size_t metrics_max, draft& out) {
  out.clear();
  auto in = scanner{line};
  auto kind = ndjson_kind::none;
  if (!in.take('{'))
    return ndjson_kind::none;
  do {
    auto key = std::string_view{};
    if (!in.string(key) || !in.take(':'))
      return ndjson_kind::none;
    auto fine = false;
    switch (ndjson_key_of(key)) {
      case ndjson_key::entity:
        fine = !out.has_entity && in.string(out.entity);
        out.has_entity = true;
        break;
      case ndjson_key::time:
        fine = !out.has_time && scan_time(in, out);
        break;
      case ndjson_key::value: {
        auto text = std::string_view{};
        auto& x = out.fields.emplace_back();
        x.metric = default_metric;
        fine = kind == ndjson_kind::none && in.number(x.value, text);
        kind = ndjson_kind::event;
        break;
      }
      case ndjson_key::data:
        fine
          = kind == ndjson_kind::none && scan_data(in, metrics_max, out.fields);
        kind = ndjson_kind::sample;
        break;
      case ndjson_key::other:
        fine = in.skip_scalar();
        break;
    }
    if (!fine)
      return ndjson_kind::none;
  } while (in.take(','));
  if (!in.take('}') || !in.done() || !out.has_time || !out.has_entity)
    return ndjson_kind::none;
  if (!in.is_ascii() && !simdjson::validate_utf8(line.data(), line.size()))
    return ndjson_kind::none;
  return kind;
}

} // namespace weir
