#pragma once

namespace weir::test::golden {

/// A block of version 1: see test/cluster/block_test.cpp for what is in it.
constexpr auto block_1
  = "01000700000000000000090000000000000003648e010406020470756d700576616c7665"
    "030576616c75650468656174046c6f6164020100020304040b040001000080a0abfef962"
    "f403f503040001010052000000000000e0bf029c7500883ce4377effffffffffffffffff"
    "01feffffffffffffffff011853ba41f0bf645d";

} // namespace weir::test::golden
