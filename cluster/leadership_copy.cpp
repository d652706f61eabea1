#include "cluster/leadership.hpp"

#include <algorithm>

// How a learner gets a checkpoint of its primary.

namespace weir {

void leadership::begin_copy(peer& to, int64_t now) {
  if (!to.learner) {
    to.lost = true; // A member has what is committed, or isn't one.
    return;
  }
  end_copy(to);
  to.copy = peer::transfer{};
  to.copy->id = ++transfers_;
  to.progressed(now);
  to.rewound_at = now;
  context_.out->push_back(copy_open{to.who.node, to.copy->id});
}

void leadership::end_copy(peer& to) {
  if (to.copy)
    context_.out->push_back(copy_close{to.who.node, to.copy->id});
  to.copy.reset();
}

void leadership::copy_opened(const std::string& node, uint64_t transfer,
                             const std::optional<shard_meta>& meta,
                             uint64_t chunks, int64_t now) {
  auto to = find(node);
  if (to == nullptr || !to->copy || to->copy->id != transfer || to->copy->begin)
    return;
  auto begin = copy_begin{};
  begin.shard = context_.shard;
  begin.from = context_.self;
  begin.transfer = transfer;
  begin.chunks = chunks;
  if (meta) {
    begin.from_index = meta->from_index;
    begin.end = meta->end;
    begin.meta = meta->bytes;
  }
  to->needed_after = begin.from_index;
  to->copy->begin = std::move(begin);
  send_begin(*to, now);
}

void leadership::send_begin(peer& to, int64_t now) {
  auto begin = *to.copy->begin;
  begin.epoch = config_.epoch;
  to.sent_at = now;
  send(to, std::move(begin));
}

void leadership::pump_copy(peer& to) {
  auto& x = *to.copy;
  if (!x.begun || x.reading || x.sent >= x.begin->chunks
      || x.sent - x.taken >= context_.options->learner_credits)
    return;
  x.reading = true;
  context_.out->push_back(copy_read_chunk{to.who.node, x.id, x.sent});
}

void leadership::copy_read(const std::string& node, uint64_t transfer,
                           uint64_t number, std::string bytes, uint64_t covers,
                           int64_t now) {
  auto to = find(node);
  if (to == nullptr || !to->copy || to->copy->id != transfer
      || !to->copy->reading)
    return;
  to->copy->reading = false;
  if (number == to->copy->sent) {
    ++to->copy->sent;
    to->sent_at = now;
    send(*to, copy_chunk{context_.shard, config_.epoch, context_.self, transfer,
                         number, std::move(bytes), covers});
  }
  pump_copy(*to);
}

void leadership::receive(const copy_taken& x, int64_t now) {
  auto from = find(x.from);
  if (from == nullptr || x.epoch != config_.epoch || !from->copy
      || from->copy->id != x.transfer || !from->copy->begin)
    return;
  auto& copy = *from->copy;
  if (!copy.begun || x.chunks > copy.taken)
    from->progressed(now);
  copy.begun = true;
  copy.taken = std::max(copy.taken, std::min(x.chunks, copy.begin->chunks));
  copy.sent = std::max(copy.sent, copy.taken);
  if (copy.taken < copy.begin->chunks)
    return pump_copy(*from);
  // It will say where its log ends, in answer to whatever it gets.
  auto needed = copy.begin->from_index;
  end_copy(*from);
  from->rewind(context_.copy->tail());
  from->needed_after = needed;
  send_heartbeat(*from, now);
}

void leadership::resend_copy(peer& to, int64_t now) {
  to.rewound_at = now;
  if (!to.copy->begin)
    return; // It is still being opened.
  if (!to.copy->begun)
    return send_begin(to, now);
  to.copy->sent = to.copy->taken;
  to.copy->reading = false;
  pump_copy(to);
}

} // namespace weir
