#pragma once

#include "storage/sqlite.hpp"

#include <memory>

struct sqlite3_backup;

namespace weir {

/// A copy of a database in the making, page by page, while that is in use.
class page_copy {
public:
  page_copy(page_copy&& x) noexcept;
  page_copy& operator=(page_copy&& x) noexcept;
  ~page_copy();

  /// Copies at most `pages` of 4096 bytes. True: the copy is whole, closed, and
  /// what the database is at this moment; what comes later is not in it. It is
  /// not synced. After a failure the copy is of no use.
  /// @pre It is not whole, and the connection is in no transaction.
  result<bool> step(int pages);

private:
  friend class connection;

  page_copy(std::shared_ptr<detail::database> from,
            std::shared_ptr<detail::database> to, sqlite3_backup* state);

  void close();

  std::shared_ptr<detail::database> from_;
  std::shared_ptr<detail::database> to_;
  sqlite3_backup* state_ = nullptr;
};

} // namespace weir
