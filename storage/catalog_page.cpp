#include "storage/catalog_page.hpp"

#include "windows/bytes.hpp"

namespace weir {

namespace {

constexpr uint8_t wish_version = 1;
constexpr uint8_t page_version = 1;

void write(byte_writer& out, const catalog_mark& x) {
  out.varint(x.generation);
  out.varint(x.start);
  out.varint(x.count);
}

catalog_mark read_mark(byte_reader& in) {
  auto res = catalog_mark{};
  res.generation = in.varint();
  res.start = in.varint();
  res.count = in.varint();
  return res;
}

void write(byte_writer& out, const catalog_key& x) {
  out.fixed(static_cast<uint8_t>(x.table));
  out.varint(x.number);
  out.string(x.text);
}

catalog_key read_key(byte_reader& in) {
  auto res = catalog_key{};
  auto table = in.fixed<uint8_t>();
  if (table < static_cast<uint8_t>(catalog_table::cluster)
      || table > static_cast<uint8_t>(catalog_table::producer))
    in.fail();
  res.table = static_cast<catalog_table>(table);
  res.number = in.varint();
  res.text = in.string();
  return res;
}

void write(byte_writer& out, bool x) {
  out.fixed(static_cast<uint8_t>(x));
}

bool read_bool(byte_reader& in) {
  return in.fixed<uint8_t>() != 0;
}

tl::unexpected<failure> malformed(const char* what) {
  return fail(ec::malformed,
              std::string{what}
                + " of a copy of the coordinator's directory does not decode; "
                  "run the same version of weir everywhere");
}

} // namespace

std::string catalog_wish::encode() const {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.fixed(wish_version);
  write(out, held);
  write(out, listing.has_value());
  if (listing) {
    write(out, *listing);
    write(out, after);
  }
  out.varint(last_sequence);
  out.zigzag(final_through);
  return res;
}

result<catalog_wish> catalog_wish::decode(std::string_view bytes) {
  auto in = byte_reader{bytes};
  auto res = catalog_wish{};
  if (in.fixed<uint8_t>() != wish_version)
    return malformed("a request");
  res.held = read_mark(in);
  if (read_bool(in)) {
    res.listing = read_mark(in);
    res.after = read_key(in);
  }
  res.last_sequence = in.varint();
  res.final_through = in.zigzag();
  if (!in.done())
    return malformed("a request");
  return res;
}

std::string catalog_page::encode() const {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.fixed(page_version);
  out.string(cluster);
  write(out, mark);
  write(out, listing);
  write(out, after.has_value());
  if (after)
    write(out, *after);
  write(out, listing_ends);
  out.varint(rows.size());
  for (auto& x : rows) {
    write(out, x.key);
    write(out, x.value.has_value());
    if (x.value)
      out.string(*x.value);
  }
  write(out, current);
  write(out, finals_anew);
  out.varint(first_sequence);
  out.varint(finals.size());
  for (auto& x : finals) {
    out.varint(x.sequence);
    out.zigzag(x.start);
    out.zigzag(x.end);
    out.varint(x.readings);
    out.zigzag(x.stored);
    out.string(x.totals);
  }
  write(out, complete);
  out.zigzag(final_through);
  return res;
}

result<catalog_page> catalog_page::decode(std::string_view bytes) {
  auto in = byte_reader{bytes};
  auto res = catalog_page{};
  if (in.fixed<uint8_t>() != page_version)
    return malformed("a part");
  res.cluster = in.string();
  res.mark = read_mark(in);
  res.listing = read_bool(in);
  if (read_bool(in))
    res.after = read_key(in);
  res.listing_ends = read_bool(in);
  // Numbers are not believed: each row takes at least one of the bytes.
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    auto& x = res.rows.emplace_back();
    x.key = read_key(in);
    if (read_bool(in))
      x.value = in.string();
  }
  res.current = read_bool(in);
  res.finals_anew = read_bool(in);
  res.first_sequence = in.varint();
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    auto& x = res.finals.emplace_back();
    x.sequence = in.varint();
    x.start = in.zigzag();
    x.end = in.zigzag();
    x.readings = in.varint();
    x.stored = in.zigzag();
    x.totals = in.string();
  }
  res.complete = read_bool(in);
  res.final_through = in.zigzag();
  if (!in.done())
    return malformed("a part");
  return res;
}

} // namespace weir
