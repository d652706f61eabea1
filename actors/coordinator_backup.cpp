#include "actors/coordinator_host.hpp"

#include "messages/types.hpp"
#include "storage/file.hpp"

#include <fmt/format.h>

// The catalog, for a backup: a copy beside the file, which is handed out in
// pieces.

namespace weir {

namespace {

/// Copied in one turn of the actor, a megabyte: some milliseconds.
constexpr int pages_per_step = 256;

/// A message should stay below a megabyte.
constexpr size_t piece_bytes = 512 << 10;

/// A backup that has asked for nothing for so long is gone, ms.
constexpr int64_t silence_max = 60'000;

} // namespace

caf::result<catalog_piece> coordinator_host_state::copy(const copy_catalog& x) {
  auto path = context_.store->path() + ".copy";
  if (copy_ && copy_->backup != x.backup
      && ticks() - copy_->heard < silence_max)
    return to_error({ec::busy, "another backup is reading the catalog; wait "
                               "for it, or for a minute if it is gone"});
  auto anew = x.offset == 0
              && (!copy_ || copy_->backup != x.backup || copy_->moment > 0);
  if (anew) {
    copy_.reset();
    auto pages = context_.store->copy_to(path);
    if (!pages)
      return to_error(pages.error());
    copy_.emplace(catalog_copy{x.backup, std::move(*pages), 0, 0, 0});
  }
  if (!copy_ || copy_->backup != x.backup)
    return to_error({ec::not_found, "the coordinator knows nothing of this "
                                    "copy (any more)"});
  copy_->heard = ticks();
  auto failed = [&](const failure& why) {
    copy_.reset();
    static_cast<void>(remove_file(path));
    return to_error(why);
  };
  if (copy_->moment == 0) {
    auto whole = copy_->pages.step(pages_per_step);
    if (!whole)
      return failed(whole.error());
    if (!*whole)
      return catalog_piece{};
    auto size = file_size(path);
    if (!size)
      return failed(size.error());
    copy_->moment = context_.now();
    copy_->size = size->value_or(0);
  }
  auto res = catalog_piece{{}, copy_->size, copy_->moment};
  auto bytes = read_file_part(path, x.offset, piece_bytes);
  if (!bytes)
    return failed(bytes.error());
  res.bytes = std::move(*bytes);
  // Whoever asks for the last piece again begins anew.
  if (x.offset + res.bytes.size() >= copy_->size) {
    copy_.reset();
    if (auto removed = remove_file(path); !removed)
      return to_error(removed.error());
  }
  return res;
}

} // namespace weir
