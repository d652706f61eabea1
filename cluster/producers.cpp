#include "cluster/producers.hpp"

namespace weir {

admission producer_table::check(producer_id producer, uint64_t session,
                                uint64_t after, uint64_t position,
                                size_t limit) const {
  auto known = find(producer);
  if (known == nullptr) {
    if (after > 0)
      return admission::unknown_producer;
    return states_.size() < limit ? admission::fresh : admission::too_many;
  }
  if (session < known->session)
    return admission::stale_session;
  if (position <= known->last)
    return admission::duplicate;
  return after == known->last ? admission::fresh : admission::gap;
}

producer_state& producer_table::enter(producer_id producer, uint64_t session,
                                      uint64_t position, time_ms heard) {
  auto& x = states_[producer];
  if (session > x.session) {
    x.session = session;
    x.counts = {};
  }
  x.last = std::max(x.last, position);
  x.heard = std::max(x.heard, heard);
  return x;
}

const producer_state* producer_table::find(producer_id producer) const {
  auto i = states_.find(producer);
  return i != states_.end() ? &i->second : nullptr;
}

void producer_table::encode(byte_writer out) const {
  out.varint(states_.size());
  for (auto& [id, x] : states_) {
    out.fixed(id.high);
    out.fixed(id.low);
    out.varint(x.session);
    out.varint(x.last);
    out.varint(x.counts.accepted);
    out.varint(x.counts.late);
    out.varint(x.counts.future);
    out.varint(x.counts.refused);
    out.zigzag(x.heard);
  }
}

bool producer_table::decode(byte_reader& in) {
  states_.clear();
  auto n = in.varint();
  for (auto i = uint64_t{0}; i < n && in.ok(); ++i) {
    auto id = producer_id{};
    id.high = in.fixed<uint64_t>();
    id.low = in.fixed<uint64_t>();
    auto x = producer_state{};
    x.session = in.varint();
    x.last = in.varint();
    x.counts.accepted = in.varint();
    x.counts.late = in.varint();
    x.counts.future = in.varint();
    x.counts.refused = in.varint();
    x.heard = in.zigzag();
    if (in.ok())
      states_.emplace(id, x);
  }
  return in.ok();
}

} // namespace weir
