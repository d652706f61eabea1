#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

/// What a member of a line's object means.
enum class ndjson_key : uint8_t { other, entity, time, value, data };

inline ndjson_key ndjson_key_of(std::string_view name) {
  switch (name.size()) {
    case 4:
      return name == "data" ? ndjson_key::data : ndjson_key::other;
    case 5:
      return name == "value" || name == "Value" ? ndjson_key::value
                                                : ndjson_key::other;
    case 6:
      return name == "entity" ? ndjson_key::entity : ndjson_key::other;
    case 8:
      return name == "EntityID" ? ndjson_key::entity : ndjson_key::other;
    case 9:
      if (name == "timestamp" || name == "Timestamp")
        return ndjson_key::time;
      return name == "entity_id" || name == "sensor_id" ? ndjson_key::entity
                                                        : ndjson_key::other;
    default:
      return ndjson_key::other;
  }
}

} // namespace weir
