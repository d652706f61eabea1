#pragma once

namespace weir {

/// Another descriptor of the same file, from a range that is gone through in
/// turn, so that a number comes back only after hundreds of others: CAF 0.17.6
/// takes a connection for one that just closed under the same number
/// (docs/decisions/0009). Any thread may call it.
/// @returns -1 if all of the range are taken
int next_descriptor(int fd);

} // namespace weir
