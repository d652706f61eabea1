#include "actors/dialer.hpp"

#include "test/actors/coordinator_fixture.hpp"

using namespace weir;
using namespace weir::test;

// A node's is in node_host_test.cpp.
TEST_SUITE("actors/dialer") {
  TEST_CASE_FIXTURE(coordinator_fixture, "a coordinator's door opens to the "
                                         "same version and cluster") {
    begin();
    auto greet = [this](const hello& x) {
      return ask<welcome>(boss, x);
    };
    for (auto role : {"client", "node"}) {
      auto in = must(greet({wire_version, "", role, ""}));
      CHECK(in.role == "coordinator");
      CHECK(in.wire == wire_version);
      CHECK(in.cluster == "c1");
      must(greet({wire_version, in.cluster, role, ""}));
      auto other = greet({"weir/0", in.cluster, role, ""});
      CHECK(code_of(other) == ec::version_mismatch);
      CHECK(contains(text_of(other),
                     std::string{"this "} + role + " speaks weir/0"));
      CHECK(contains(text_of(other), wire_version));
      auto stranger = greet({wire_version, "elsewhere", role, ""});
      CHECK(code_of(stranger) == ec::wrong_cluster);
      CHECK(contains(text_of(stranger), "belongs to cluster " + in.cluster
                                          + ", but this " + role
                                          + " to elsewhere"));
    }
  }
}
