#pragma once

#include "storage/catalog.hpp"

#include <memory>
#include <optional>
#include <string>

namespace weir {

/// A copy of a coordinator's catalog, and what to ask for next. It has no
/// messages: whoever drives it sends `wish`, and hands what comes back to
/// `take`, until it is `complete`; and again when the source has changed. Any
/// answer may be lost, repeated or late: asking again is always right.
class catalog_copy {
public:
  /// Opens or creates the file; see `catalog::open` for the errors.
  static result<catalog_copy> open(const std::string& path);

  /// What it lacks.
  catalog_wish wish() const;

  /// Takes in what a source has answered to the present `wish`; on the disk
  /// when it returns. Errors: `wrong_cluster` for one of another cluster;
  /// `conflict` for one of a directory that was given up (see `promise`);
  /// `malformed`; those of writing.
  result<void> take(const catalog_page& x);

  /// From now on nothing of a directory of an earlier generation is taken.
  result<void> promise(uint64_t generation);

  /// It had every row when the last page was made, ...
  bool current() const {
    return current_;
  }

  /// ... and every result.
  bool complete() const {
    return complete_;
  }

  const catalog_lineage& lineage() const {
    return lineage_;
  }

  /// As a source for others.
  result<catalog_page> page(const catalog_wish& x);

  catalog& contents() {
    return *db_;
  }

private:
  catalog_copy(std::unique_ptr<catalog> db, catalog_lineage lineage,
               std::string cluster);

  std::unique_ptr<catalog> db_;
  catalog_lineage lineage_;
  /// Empty until it is known.
  std::string cluster_;
  /// A listing that has begun; it begins anew after a restart.
  std::optional<catalog_mark> listing_;
  catalog_key after_;
  /// Results before it were removed, as far as known.
  uint64_t first_sequence_ = 0;
  bool current_ = false;
  bool complete_ = false;
};

} // namespace weir
