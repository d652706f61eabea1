#pragma once

#include "cluster/catalog_mark.hpp"
#include "cluster/sealing.hpp"
#include "storage/catalog_types.hpp"
#include "windows/failure.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

// How a copy of a catalog is brought up to date: it says what it holds, and
// gets a page of what it lacks, as often as it likes. The source keeps nothing
// in mind between two pages.

namespace weir {

/// Tables that travel as rows. Values travel; they never change meaning.
/// Results of windows are asked for by their numbers instead.
enum class catalog_table : uint8_t {
  cluster = 1,
  /// A row is a version.
  settings = 2,
  rollup = 3,
  /// All of it is one row.
  gone = 4,
  node = 5,
  shard = 6,
  known = 7,
  producer = 8,
};

/// A row of any of these tables.
struct catalog_key {
  catalog_table table = catalog_table::cluster;
  /// Of tables with numbers as keys, ...
  uint64_t number = 0;
  /// ... and of those with texts.
  std::string text;

  friend bool operator==(const catalog_key& x, const catalog_key& y) {
    return x.table == y.table && x.number == y.number && x.text == y.text;
  }

  friend bool operator<(const catalog_key& x, const catalog_key& y) {
    return std::tie(x.table, x.number, x.text)
           < std::tie(y.table, y.number, y.text);
  }
};

/// What a copy holds, and so what it lacks.
struct catalog_wish {
  /// It has every row as of then, or later.
  catalog_mark held;
  /// All rows are being listed, those as of this mark, up to `after`.
  std::optional<catalog_mark> listing;
  catalog_key after;
  /// Of the results of windows it has those up to this number, where they have
  /// not expired.
  uint64_t last_sequence = 0;
  /// Up to here every result of a window is in the copy, and what the rows say
  /// of windows is as new.
  time_ms final_through = before_time;

  std::string encode() const;
  /// Fails with `malformed`.
  static result<catalog_wish> decode(std::string_view bytes);
};

/// A row as it is, or that it is gone.
struct catalog_row {
  catalog_key key;
  std::optional<std::string> value;

  friend bool operator==(const catalog_row& x, const catalog_row& y) {
    return x.key == y.key && x.value == y.value;
  }
};

struct catalog_page {
  /// Id of the cluster.
  std::string cluster;
  /// What the copy holds with these rows; in a listing, as soon as that ends.
  catalog_mark mark;
  /// The rows are all that there are, between `after` and the last one of
  /// them: others that the copy has there are gone.
  bool listing = false;
  std::optional<catalog_key> after;
  /// This is the end of the listing: nor are there others behind.
  bool listing_ends = false;
  std::vector<catalog_row> rows;
  /// No row is missing in the copy now.
  bool current = false;

  /// Results of windows with other numbers than these may be in the copy: they
  /// are of a past that was given up. All are sent again.
  bool finals_anew = false;
  /// Those before this number have expired.
  uint64_t first_sequence = 0;
  std::vector<final_row> finals;
  /// Nor is a result.
  bool complete = false;
  /// With it: windows that end by then are final.
  time_ms final_through = before_time;

  std::string encode() const;
  /// Fails with `malformed`.
  static result<catalog_page> decode(std::string_view bytes);
};

/// Bytes of rows and of results in a page, about: a message should stay below
/// a megabyte.
constexpr size_t catalog_page_bytes = 512 << 10;

/// Results in a page: an empty one costs bytes, too.
constexpr size_t catalog_page_finals = 2'000;

/// Expired results that a copy removes with a page: a commit takes as long.
constexpr size_t catalog_page_expired = 10'000;

} // namespace weir
