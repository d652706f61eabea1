#include "tls/identity.hpp"

#include "test/tls/support.hpp"
#include "tls/inspect.hpp"

using namespace weir;
using namespace weir::test;

namespace {

struct fixture : certificates {
  fixture() {
    init("ca", now);
    dir = add("n1", "ca", now);
  }

  /// The sentence of a directory that can't be used.
  std::string refusal(std::time_t at = 0) const {
    auto res = load_identity(dir, at == 0 ? now : at);
    CHECK(code_of(res) == ec::invalid_argument);
    return text_of(res);
  }

  std::string dir;
};

} // namespace

TEST_SUITE("tls/identity") {
  TEST_CASE_FIXTURE(fixture, "a new certificate can be used, without a word") {
    auto x = must(load_identity(dir, now));
    CHECK(x.warnings.empty());
    auto facts = facts_of(*x.certificate);
    CHECK(facts.subject == "O = weir, CN = n1");
    CHECK(facts.issuer == "O = weir, CN = ca");
    CHECK(!facts.authority);
    CHECK(facts.valid_until == now + 100 * a_day);
  }

  TEST_CASE_FIXTURE(fixture, "a missing file is named, with what to do") {
    for (std::string name : {"ca.pem", "cert.pem", "key.pem"}) {
      auto content = read("n1/" + name);
      std::filesystem::remove(file("n1/" + name));
      auto text = refusal();
      CHECK(contains(text, file("n1/" + name) + " is missing"));
      CHECK(contains(text, "weir certs add"));
      write("n1/" + name, content);
    }
    must(load_identity(dir, now));
  }

  TEST_CASE_FIXTURE(fixture, "a file that can't be read says why") {
    for (std::string name : {"ca.pem", "cert.pem", "key.pem"}) {
      auto content = read("n1/" + name);
      std::filesystem::remove(file("n1/" + name));
      std::filesystem::create_symlink(name, file("n1/" + name));
      CHECK(contains(refusal(), file("n1/" + name) + " can't be read: "));
      std::filesystem::remove(file("n1/" + name));
      write("n1/" + name, content);
    }
  }

  TEST_CASE_FIXTURE(fixture, "a file of something else, or cut, is named") {
    for (std::string name : {"ca.pem", "cert.pem", "key.pem"}) {
      auto content = read("n1/" + name);
      for (auto& bad : {std::string{}, std::string{"hello\n"},
                        content.substr(0, content.size() / 2)}) {
        write("n1/" + name, bad);
        auto text = refusal();
        CHECK(contains(text, file("n1/" + name) + " is no "));
        CHECK(contains(text, "in PEM form"));
      }
      write("n1/" + name, content);
    }
  }

  TEST_CASE_FIXTURE(fixture, "an expired certificate is not used") {
    must(load_identity(dir, now + 99 * a_day));
    auto text = refusal(now + 101 * a_day);
    CHECK(contains(text, file("n1/cert.pem") + " expired at "
                           + utc_text(now + 100 * a_day)));
    CHECK(contains(text, "weir certs add"));
  }

  TEST_CASE_FIXTURE(fixture, "neither is one before its time") {
    auto text = refusal(now - 2 * a_day);
    // The CA was made at the same time.
    CHECK(contains(text, "is valid only from "));
    CHECK(contains(text, "clock"));
  }

  TEST_CASE_FIXTURE(fixture, "an expired CA is named as such") {
    init("old", now - 200 * a_day, 150);
    dir = add("n2", "old", now - 100 * a_day);
    CHECK(contains(refusal(), file("n2/")));
    CHECK(contains(refusal(), " expired at "));
  }

  TEST_CASE_FIXTURE(fixture, "the certificate of another CA is not used") {
    init("other", now);
    add("n2", "other", now);
    write("n1/cert.pem", read("n2/cert.pem"));
    write("n1/key.pem", read("n2/key.pem"));
    auto text = refusal();
    CHECK(
      contains(text, file("n1/cert.pem") + " was not issued by the CA in "));
    CHECK(contains(text, "(O = weir, CN = other)"));
  }

  TEST_CASE_FIXTURE(fixture, "that of a CA with the same name neither") {
    auto again = must(make_authority("ca", 10, now));
    write("n1/ca.pem", again.certificate);
    CHECK(contains(refusal(), " was not issued by the CA in "));
  }

  TEST_CASE_FIXTURE(fixture, "a key of another certificate is not used") {
    add("n2", "ca", now);
    write("n1/key.pem", read("n2/key.pem"));
    CHECK(contains(refusal(), file("n1/key.pem") + " is not the key of "
                                + file("n1/cert.pem")));
  }

  TEST_CASE_FIXTURE(fixture, "a CA is not for use by a process") {
    write("n1/cert.pem", read("ca/ca.pem"));
    write("n1/key.pem", read("ca/ca-key.pem"));
    CHECK(contains(refusal(), file("n1/cert.pem") + " can't be used"));
  }

  TEST_CASE_FIXTURE(fixture, "two CAs are trusted while one succeeds another") {
    init("next", now);
    write("n1/ca.pem", read("next/ca.pem") + read("ca/ca.pem"));
    CHECK(must(load_identity(dir, now)).authorities.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a key that others may read is warned of") {
    chmod(file("n1/key.pem").c_str(), 0640);
    auto x = must(load_identity(dir, now));
    REQUIRE(x.warnings.size() == 1);
    CHECK(contains(x.warnings[0], file("n1/key.pem")));
    CHECK(contains(x.warnings[0], "mode 640"));
    CHECK(contains(x.warnings[0], "chmod 600"));
  }

  TEST_CASE_FIXTURE(fixture, "a certificate that expires soon is warned of") {
    CHECK(must(load_identity(dir, now + 69 * a_day)).warnings.empty());
    auto x = must(load_identity(dir, now + 71 * a_day));
    REQUIRE(x.warnings.size() == 1);
    CHECK(contains(x.warnings[0], " expires at "));
  }

  TEST_CASE_FIXTURE(fixture,
                    "a directory shows its certificates and troubles") {
    auto good = inspect_certificates(dir, now);
    CHECK(good.problems.empty());
    REQUIRE(good.certificates.size() == 2);
    CHECK(good.certificates[0].facts.authority);
    CHECK(good.certificates[1].facts.subject == "O = weir, CN = n1");
    auto late = inspect_certificates(dir, now + 101 * a_day);
    REQUIRE(late.problems.size() == 1);
    CHECK(contains(late.problems[0], " expired at "));
    CHECK(late.certificates.size() == 2);
    auto ca = inspect_certificates(file("ca"), now);
    CHECK(ca.problems.empty());
    CHECK(ca.certificates.size() == 1);
    CHECK(inspect_certificates(file("nowhere"), now).problems.size() == 1);
    write("ca/ca-key.pem", read("n1/key.pem"));
    CHECK(inspect_certificates(file("ca"), now).problems.size() == 1);
  }
}
