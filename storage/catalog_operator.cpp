#include "storage/catalog_rows.hpp"

// What operators did, in the catalog.

namespace weir {

using namespace catalog_rows;

result<void> catalog::prepare_operator() {
  return db_.prepare({
    {put_gone_,
     "REPLACE INTO gone_disk (node, disk, declared, crc)"
     " VALUES (?1, ?2, ?3, ?4)",
     "write down a disk that is gone"},
    {get_gone_, "SELECT node, disk, declared, crc FROM gone_disk",
     "read the disks that are gone"},
    {put_event_, "INSERT INTO event (happened, what, crc) VALUES (?1, ?2, ?3)",
     "write down an event"},
    {get_events_,
     "SELECT happened, what, crc FROM event ORDER BY id DESC LIMIT ?1",
     "read the events"},
    {trim_events_,
     "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?1",
     "forget old events"},
  });
}

result<void> catalog::put_gone(const node_disk& x, int64_t declared) {
  auto done = db_.transact([&] {
    return put_gone_.run(x.node, x.disk, declared,
                         row_crc(x.node, x.disk, declared));
  });
  if (done)
    note(catalog_table::gone);
  return done;
}

result<void> catalog::load_gone(catalog_contents& out) {
  return each_gone([&](node_disk x, int64_t) {
    out.gone.push_back(std::move(x));
  });
}

result<void> catalog::each_gone(
  const std::function<void(node_disk x, int64_t declared)>& visit) {
  return get_gone_.each([&](const row& x) -> result<bool> {
    auto self = node_disk{std::string{x.bytes(0)}, std::string{x.bytes(1)}};
    auto declared = x.integer<int64_t>(2);
    if (row_crc(self.node, self.disk, declared) != x.integer<uint64_t>(3))
      return damaged(db_.path(), "disk that is gone, of node", self.node);
    visit(std::move(self), declared);
    return true;
  });
}

result<void> catalog::write_event(const event_record& x) {
  auto done = put_event_.run(x.happened, x.what, row_crc(x.happened, x.what));
  return done ? trim_events_.run(events_max) : done;
}

result<void> catalog::put_event(const event_record& x) {
  return db_.transact([&] {
    return write_event(x);
  });
}

result<std::vector<event_record>> catalog::events(size_t limit) {
  auto res = std::vector<event_record>{};
  auto note = [&](const row& x) -> result<bool> {
    auto& self = res.emplace_back();
    self.happened = x.integer<int64_t>(0);
    self.what = x.bytes(1);
    if (row_crc(self.happened, self.what) != x.integer<uint64_t>(2))
      return damaged(db_.path(), "event", self.what);
    return true;
  };
  if (auto done = get_events_.each(note, static_cast<int64_t>(limit)); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

} // namespace weir
