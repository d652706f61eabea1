#include "storage/catalog_copy.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {

catalog_copy::catalog_copy(std::unique_ptr<catalog> db, catalog_lineage lineage,
                           std::string cluster)
  : db_(std::move(db)),
    lineage_(std::move(lineage)),
    cluster_(std::move(cluster)) {
  // nop
}

result<catalog_copy> catalog_copy::open(const std::string& path) {
  auto db = catalog::open(path);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto lineage = db->lineage();
  if (!lineage)
    return tl::unexpected(std::move(lineage.error()));
  auto cluster = db->cluster();
  if (!cluster)
    return tl::unexpected(std::move(cluster.error()));
  return catalog_copy{std::make_unique<catalog>(std::move(*db)),
                      std::move(*lineage),
                      *cluster ? (*cluster)->id : std::string{}};
}

catalog_wish catalog_copy::wish() const {
  auto res = catalog_wish{};
  res.held = lineage_.held;
  res.listing = listing_;
  res.after = after_;
  res.last_sequence = lineage_.last_sequence;
  res.final_through = lineage_.final_through;
  return res;
}

result<void> catalog_copy::take(const catalog_page& x) {
  if (!cluster_.empty() && x.cluster != cluster_)
    return fail(ec::wrong_cluster,
                fmt::format("it is a copy of cluster {}, and not of {}",
                            cluster_, x.cluster));
  if (x.mark.generation < lineage_.promised)
    return fail(ec::conflict,
                fmt::format("the coordinator's directory is of generation {}, "
                            "but one of generation {} has taken its place",
                            x.mark.generation, lineage_.promised));
  auto next = lineage_;
  if (!x.listing || x.listing_ends)
    next.held = x.mark;
  if (x.finals_anew)
    next.last_sequence = 0;
  if (!x.finals.empty())
    next.last_sequence = std::max(next.last_sequence, x.finals.back().sequence);
  if (x.current && x.complete)
    next.final_through = x.final_through;
  next.promised = std::max(next.promised, x.mark.generation);
  // Nothing new is worth no write.
  auto same = next == lineage_ && x.rows.empty() && x.finals.empty()
              && !x.listing && !x.finals_anew
              && x.first_sequence <= first_sequence_;
  if (auto done = same ? result<void>{} : db_->apply(x, next); !done)
    return done;
  lineage_ = next;
  first_sequence_ = std::max(first_sequence_, x.first_sequence);
  cluster_ = x.cluster;
  current_ = x.current;
  complete_ = x.current && x.complete;
  listing_.reset();
  if (x.listing && !x.listing_ends) {
    listing_ = x.mark;
    if (!x.rows.empty())
      after_ = x.rows.back().key;
  }
  return {};
}

result<void> catalog_copy::promise(uint64_t generation) {
  if (generation <= lineage_.promised)
    return {};
  auto next = lineage_;
  next.promised = generation;
  if (auto done = db_->put_lineage(next); !done)
    return done;
  lineage_ = next;
  return {};
}

result<catalog_page> catalog_copy::page(const catalog_wish& x) {
  db_->begin_feed(lineage_.held);
  return db_->page(x, lineage_.final_through);
}

} // namespace weir
