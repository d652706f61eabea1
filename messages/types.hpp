#pragma once

#include "messages/backup_wire.hpp"
#include "messages/cluster_wire.hpp"
#include "messages/local.hpp"
#include "messages/window_wire.hpp"
#include "messages/wire.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/error.hpp>
#include <caf/type_id.hpp>

// Makes the messages known to CAF. Type ids live in the process alone: only
// names travel.

CAF_BEGIN_TYPE_ID_BLOCK(weir_wire, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(weir_wire, (weir::hello))
CAF_ADD_TYPE_ID(weir_wire, (weir::welcome))
CAF_ADD_TYPE_ID(weir_wire, (weir::join_node))
CAF_ADD_TYPE_ID(weir_wire, (weir::joined))
CAF_ADD_TYPE_ID(weir_wire, (weir::heartbeat))
CAF_ADD_TYPE_ID(weir_wire, (weir::heartbeat_ack))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_heartbeat))
CAF_ADD_TYPE_ID(weir_wire, (weir::settings_text))
CAF_ADD_TYPE_ID(weir_wire, (weir::open_producer))
CAF_ADD_TYPE_ID(weir_wire, (weir::producer_opened))
CAF_ADD_TYPE_ID(weir_wire, (weir::report_session))
CAF_ADD_TYPE_ID(weir_wire, (weir::session_reported))
CAF_ADD_TYPE_ID(weir_wire, (weir::append_frame))
CAF_ADD_TYPE_ID(weir_wire, (weir::append_ack))
CAF_ADD_TYPE_ID(weir_wire, (weir::open_session))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_routes))
CAF_ADD_TYPE_ID(weir_wire, (weir::routes))
CAF_ADD_TYPE_ID(weir_wire, (weir::average_batch))
CAF_ADD_TYPE_ID(weir_wire, (weir::average_answers))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_status))
CAF_ADD_TYPE_ID(weir_wire, (weir::cluster_status))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_settings))
CAF_ADD_TYPE_ID(weir_wire, (weir::change_settings))
CAF_ADD_TYPE_ID(weir_wire, (weir::plan_text))
CAF_ADD_TYPE_ID(weir_wire, (weir::seal_windows))
CAF_ADD_TYPE_ID(weir_wire, (weir::sealed_partials))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_partials))
CAF_ADD_TYPE_ID(weir_wire, (weir::held_partials))
CAF_ADD_TYPE_ID(weir_wire, (weir::change_windows))
CAF_ADD_TYPE_ID(weir_wire, (weir::windows_changed))
CAF_ADD_TYPE_ID(weir_wire, (weir::window_query))
CAF_ADD_TYPE_ID(weir_wire, (weir::follow_windows))
CAF_ADD_TYPE_ID(weir_wire, (weir::window_answers))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_windows))
CAF_ADD_TYPE_ID(weir_wire, (weir::window_list))
CAF_ADD_TYPE_ID(weir_wire, (weir::meet_node))
CAF_ADD_TYPE_ID(weir_wire, (weir::replica_message))
CAF_ADD_TYPE_ID(weir_wire, (weir::peer_list))
CAF_ADD_TYPE_ID(weir_wire, (weir::announce_shards))
CAF_ADD_TYPE_ID(weir_wire, (weir::shard_decision))
CAF_ADD_TYPE_ID(weir_wire, (weir::fence))
CAF_ADD_TYPE_ID(weir_wire, (weir::drop_copy))
CAF_ADD_TYPE_ID(weir_wire, (weir::proposal))
CAF_ADD_TYPE_ID(weir_wire, (weir::fence_report))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_catalog))
CAF_ADD_TYPE_ID(weir_wire, (weir::catalog_part))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_survivor))
CAF_ADD_TYPE_ID(weir_wire, (weir::survivor))
CAF_ADD_TYPE_ID(weir_wire, (weir::get_records))
CAF_ADD_TYPE_ID(weir_wire, (weir::shard_records))
CAF_ADD_TYPE_ID(weir_wire, (weir::drain_node))
CAF_ADD_TYPE_ID(weir_wire, (weir::remove_node))
CAF_ADD_TYPE_ID(weir_wire, (weir::forget_node))
CAF_ADD_TYPE_ID(weir_wire, (weir::promote_replica))
CAF_ADD_TYPE_ID(weir_wire, (weir::operator_answer))
CAF_ADD_TYPE_ID(weir_wire, (weir::plan_moves))
CAF_ADD_TYPE_ID(weir_wire, (weir::planned_moves))
CAF_ADD_TYPE_ID(weir_wire, (weir::check_shards))
CAF_ADD_TYPE_ID(weir_wire, (weir::shard_checks))
CAF_ADD_TYPE_ID(weir_wire, (weir::begin_backup))
CAF_ADD_TYPE_ID(weir_wire, (weir::backup_begun))
CAF_ADD_TYPE_ID(weir_wire, (weir::read_backup_chunk))
CAF_ADD_TYPE_ID(weir_wire, (weir::backup_chunk))
CAF_ADD_TYPE_ID(weir_wire, (weir::read_backup_log))
CAF_ADD_TYPE_ID(weir_wire, (weir::backup_log))
CAF_ADD_TYPE_ID(weir_wire, (weir::end_backup))
CAF_ADD_TYPE_ID(weir_wire, (weir::copy_catalog))
CAF_ADD_TYPE_ID(weir_wire, (weir::catalog_piece))

CAF_END_TYPE_ID_BLOCK(weir_wire)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::local_block)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::store_entry)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::store_refused)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::commit_now)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::read_log)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::log_part)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::truncate_log)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::remove_shard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::put_aside_shard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_put_aside)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::load_checkpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::loaded_checkpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::begin_checkpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::weigh_checkpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::checkpoint_advice)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::put_chunk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::finish_checkpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::abort_checkpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::checkpoint_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::checkpoint_shard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_checkpointed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::set_durability)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::report_shard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::timer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::listening)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::dial)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::dialed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::outgoing_parcel)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::ask_averages)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::seal_shard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_sealed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_windows)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::load_record)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::loaded_record)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::put_record)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::record_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::cut_log)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::stage_log)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::install_log)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::settle_log)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::open_copy)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::opened_copy)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::read_chunk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::checkpoint_chunk)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::announced_shard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::peer_bytes)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::peer_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::outgoing_peer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_moved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::shard_check)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::check_shard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::check_log)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::log_checked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::begin_copy)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::copy_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(weir::promise_generation)

namespace weir {

/// Registers every message and the rendering of our errors.
void add_messages(caf::actor_system_config& cfg);

/// A failure as an error that travels: category "weir", code, sentence.
caf::error to_error(const failure& x);

/// The sentence of an error, wherever it comes from.
/// @param whom whom we asked, for errors of the connection itself
failure to_failure(const caf::error& x, const std::string& whom);

} // namespace weir
