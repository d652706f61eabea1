#include "input/generate.hpp"

#include "input/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <string_view>
#include <system_error>

namespace weir {

namespace {

constexpr uint32_t metrics_max = 256;

/// Written at once; large enough that the system call does not matter.
constexpr size_t flush_bytes = size_t{256} << 10;

/// A repeat is of one of this many lines before it.
constexpr size_t recent_lines = 64;

/// Fraction bits of the time between two events, in ms. At the least rate it
/// has 20 bits before the point, at the greatest 20 significant ones behind it.
constexpr auto period_bits = 40;

constexpr auto rate_min = 0.001;
constexpr auto rate_max = 1e9;
constexpr auto zipf_max = 10.0;

struct line {
  /// In the unit of the stream.
  uint64_t time = 0;
  uint32_t entity = 0;
  /// The values are drawn from this, so that a repeat is equal.
  uint64_t value_seed = 0;
};

/// Chooses what the lines say.
class line_source {
public:
  line_source(const generate_options& options, uint64_t unit_ms)
    : bits_(options.seed),
      entities_(options.entities, options.zipf),
      unit_ms_(unit_ms),
      start_(static_cast<uint64_t>(options.start)),
      disorder_(static_cast<uint64_t>(options.disorder) / unit_ms),
      period_(static_cast<uint64_t>(
        std::llround(std::ldexp(1000 / options.rate, period_bits)))),
      repeat_share_(static_cast<uint64_t>(
        std::llround(std::ldexp(options.duplicates, 32)))) {
    // nop
  }

  line next() {
    if (repeat_share_ > 0 && count_ > 0
        && bits_.below(uint64_t{1} << 32) < repeat_share_)
      return repeat();
    // An event whose delay is drawn from [0, disorder] is at most that much
    // behind one that had none; all are shifted so that none precedes `start`.
    auto elapsed = static_cast<uint64_t>(
      (static_cast<uint128>(count_) * period_) >> period_bits);
    auto res = line{};
    res.time
      = (start_ + elapsed) / unit_ms_ + disorder_ - bits_.below(disorder_ + 1);
    res.entity = entities_.draw(bits_);
    res.value_seed = bits_.next();
    greatest_ = std::max(greatest_, res.time);
    recent_[count_++ % recent_lines] = res;
    return res;
  }

private:
  line repeat() {
    auto known = std::min<uint64_t>(count_, recent_lines);
    const auto& res = recent_[(count_ - 1 - bits_.below(known)) % recent_lines];
    // The last line is within the bound, older ones may not be any more.
    return greatest_ - res.time <= disorder_
             ? res
             : recent_[(count_ - 1) % recent_lines];
  }

  random_bits bits_;
  zipf_law entities_;
  uint64_t unit_ms_;
  uint64_t start_;
  uint64_t disorder_;
  uint64_t period_;
  uint64_t repeat_share_;
  /// Of lines that are no repeats.
  uint64_t count_ = 0;
  uint64_t greatest_ = 0;
  std::array<line, recent_lines> recent_;
};

class line_writer {
public:
  line_writer(const generate_options& options, std::FILE* out)
    : csv_(options.format == "csv"),
      events_(options.kind == "events"),
      metrics_(options.metrics),
      out_(out) {
    buffer_.reserve(2 * flush_bytes);
  }

  void header() {
    if (!csv_)
      return;
    put(events_ ? "timestamp_ms,entity,value" : "timestamp_s,sensor_id");
    for (auto i = uint32_t{1}; i <= metrics_ && !events_; ++i) {
      put(",metric");
      put(i);
    }
    put("\n");
  }

  result<void> write(const line& x) {
    if (events_)
      write_event(x);
    else
      write_sample(x);
    return buffer_.size() < flush_bytes ? result<void>{} : flush();
  }

  result<void> flush() {
    auto written = std::fwrite(buffer_.data(), 1, buffer_.size(), out_);
    bytes_ += written;
    if (written != buffer_.size() || std::fflush(out_) != 0)
      return fail(errno == ENOSPC || errno == EDQUOT ? ec::disk_full
                                                     : ec::io_error,
                  fmt::format("cannot write after byte {}: {}", bytes_,
                              std::generic_category().message(errno)));
    buffer_.clear();
    return {};
  }

private:
  void write_event(const line& x) {
    put(csv_ ? "" : R"({"timestamp":)");
    put(x.time);
    put(csv_ ? "," : R"(,"entity":")");
    put_entity(x.entity);
    put(csv_ ? "," : R"(","value":)");
    // A level of the entity's own and a little noise, in thousandths.
    auto bits = random_bits{x.value_seed};
    auto value = random_bits{x.entity}.below(40'000) + bits.below(1000);
    put(value / 1000);
    put(".");
    put_padded(value % 1000, 3);
    put(csv_ ? "\n" : "}\n");
  }

  void write_sample(const line& x) {
    if (csv_) {
      put(x.time);
      put(",");
      put_entity(x.entity);
    } else {
      put(R"({"sensor_id":")");
      put_entity(x.entity);
      put(R"(","timestamp":)");
      put(x.time);
      put(R"(,"data":{)");
    }
    auto bits = random_bits{x.value_seed};
    for (auto i = uint32_t{1}; i <= metrics_; ++i) {
      if (csv_) {
        put(",");
      } else {
        put(i == 1 ? R"("metric)" : R"(,"metric)");
        put(i);
        put(R"(":)");
      }
      put(bits.below(1000));
    }
    put(csv_ ? "\n" : "}}\n");
  }

  void put(std::string_view text) {
    buffer_.append(text);
  }

  void put(uint64_t x) {
    auto digits = fmt::format_int{x};
    buffer_.append(digits.data(), digits.size());
  }

  void put_entity(uint32_t x) {
    put("sensor-");
    put_padded(x, 7);
  }

  /// @pre `x` has at most `width` digits.
  void put_padded(uint64_t x, size_t width) {
    auto size = buffer_.size() + width;
    buffer_.resize(size);
    for (auto i = size_t{1}; i <= width; ++i, x /= 10)
      buffer_[size - i] = static_cast<char>('0' + x % 10);
  }

  bool csv_;
  bool events_;
  uint32_t metrics_;
  std::FILE* out_;
  std::string buffer_;
  uint64_t bytes_ = 0;
};

bool lies_in(double x, double least, double greatest) {
  return x >= least && x <= greatest; // False for NaN.
}

result<void> check(const generate_options& x) {
  auto refuse = [](std::string text) {
    return fail(ec::invalid_argument, std::move(text));
  };
  if (x.entities < 1 || x.entities > generate_entities_max)
    return refuse(fmt::format("entities must be 1 to {}, not {}",
                              generate_entities_max, x.entities));
  if (!lies_in(x.rate, rate_min, rate_max))
    return refuse(fmt::format("the rate must be {} to {} events a second, "
                              "not {}",
                              rate_min, rate_max, x.rate));
  if (!lies_in(x.zipf, 0, zipf_max))
    return refuse(
      fmt::format("Zipf's exponent must be 0 to {}, not {}", zipf_max, x.zipf));
  if (!lies_in(x.duplicates, 0, 1))
    return refuse(
      fmt::format("duplicates are a fraction, 0 to 1, not {}", x.duplicates));
  if (x.kind != "events" && x.kind != "samples")
    return refuse(
      fmt::format("the kind must be events or samples, not \"{}\"", x.kind));
  if (x.format != "ndjson" && x.format != "csv")
    return refuse(
      fmt::format("the format must be ndjson or csv, not \"{}\"", x.format));
  if (x.metrics < 1 || x.metrics > metrics_max)
    return refuse(
      fmt::format("metrics must be 1 to {}, not {}", metrics_max, x.metrics));
  if (x.start < time_min || x.start > time_max || x.disorder < 0
      || x.disorder > time_max
      || static_cast<double>(x.events) * 1000 / x.rate
             + static_cast<double>(x.start + x.disorder)
           > static_cast<double>(time_max))
    return refuse("the stream would not lie within the years 1970 to 9999; "
                  "take an earlier start, fewer events, a greater rate or less "
                  "disorder");
  return {};
}

} // namespace

result<void> generate(const generate_options& options, std::FILE* out) {
  if (auto fine = check(options); !fine)
    return fine;
  auto unit_ms = uint64_t{options.kind == "events" ? 1u : 1000u};
  auto source = line_source{options, unit_ms};
  auto writer = line_writer{options, out};
  writer.header();
  for (auto i = uint64_t{0}; i < options.events; ++i)
    if (auto done = writer.write(source.next()); !done)
      return done;
  return writer.flush();
}

} // namespace weir
