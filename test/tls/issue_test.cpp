#include "tls/issue.hpp"

#include "test/tls/support.hpp"
#include "tls/new_directory.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

using namespace weir;
using namespace weir::test;

namespace fs = std::filesystem;

namespace {

openssl_ptr<X509> parsed(const certificates& self, const std::string& pem) {
  self.write("one.pem", pem);
  return std::move(must(read_certificates(self.file("one.pem"))).front());
}

mode_t mode_of(const std::string& path) {
  struct stat info;
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777;
}

} // namespace

TEST_SUITE("tls/issue") {
  TEST_CASE_FIXTURE(certificates, "a CA may issue certificates, and no CAs") {
    auto x = parsed(*this, must(make_authority("ca", 10, now)).certificate);
    CHECK(X509_check_ca(x.get()) == 1);
    CHECK(X509_get_pathlen(x.get()) == 0);
    CHECK(X509_get_key_usage(x.get()) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
    CHECK(X509_get_signature_nid(x.get()) == NID_ecdsa_with_SHA256);
    CHECK(facts_of(*x).valid_until == now + 10 * a_day);
  }

  TEST_CASE_FIXTURE(certificates, "a certificate is for servers and clients") {
    init("ca", now);
    auto made = must(issue_certificate(file("ca"), "n1", 10, now));
    auto x = parsed(*this, made.certificate);
    CHECK(X509_check_ca(x.get()) == 0);
    CHECK(X509_get_key_usage(x.get()) == KU_DIGITAL_SIGNATURE);
    CHECK(X509_get_extended_key_usage(x.get())
          == (XKU_SSL_SERVER | XKU_SSL_CLIENT));
    CHECK(X509_check_host(x.get(), "n1", 0, 0, nullptr) == 1);
    CHECK(made.authority == read("ca/ca.pem"));
  }

  TEST_CASE_FIXTURE(certificates, "no two certificates have the same number") {
    init("ca", now);
    auto one = parsed(
      *this, must(issue_certificate(file("ca"), "n", 10, now)).certificate);
    auto two = parsed(
      *this, must(issue_certificate(file("ca"), "n", 10, now)).certificate);
    CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(one.get()),
                           X509_get0_serialNumber(two.get()))
          != 0);
  }

  TEST_CASE_FIXTURE(certificates, "a certificate ends with its CA") {
    init("ca", now, 20);
    auto x = parsed(
      *this, must(issue_certificate(file("ca"), "n1", 100, now)).certificate);
    CHECK(facts_of(*x).valid_until == now + 20 * a_day);
  }

  TEST_CASE_FIXTURE(certificates, "an expired CA issues nothing") {
    init("ca", now - 20 * a_day, 10);
    auto res = issue_certificate(file("ca"), "n1", 1, now);
    CHECK(code_of(res) == ec::invalid_argument);
    CHECK(contains(text_of(res), " expired at "));
  }

  TEST_CASE_FIXTURE(certificates, "neither does one without its key") {
    init("ca", now);
    init("other", now);
    write("ca/ca-key.pem", read("other/ca-key.pem"));
    auto res = issue_certificate(file("ca"), "n1", 1, now);
    CHECK(contains(text_of(res), " is not the key of the CA in "));
    fs::remove(file("ca/ca-key.pem"));
    CHECK(contains(text_of(issue_certificate(file("ca"), "n1", 1, now)),
                   "ca-key.pem is missing"));
  }

  TEST_CASE_FIXTURE(certificates, "names and days are checked") {
    init("ca", now);
    for (std::string name : {"", ".", "..", "../n1", "a/b", "a b", "n\n1"})
      CHECK(code_of(issue_certificate(file("ca"), name, 1, now))
            == ec::invalid_argument);
    CHECK(code_of(issue_certificate(file("ca"), std::string(65, 'a'), 1, now))
          == ec::invalid_argument);
    must(issue_certificate(file("ca"), std::string(64, 'a'), 1, now));
    for (auto days : {-1, 0, 36'501})
      CHECK(code_of(make_authority("ca", days, now)) == ec::invalid_argument);
    must(make_authority("ca", 36'500, now));
  }

  TEST_CASE_FIXTURE(certificates, "a new directory is its owner's alone") {
    must(write_new_directory(file("a/b"), {{"x", "1"}, {"y", ""}}));
    CHECK(read("a/b/x") == "1");
    CHECK(mode_of(file("a/b")) == 0700);
    CHECK(mode_of(file("a/b/x")) == 0600);
    CHECK(mode_of(file("a/b/y")) == 0600);
  }

  TEST_CASE_FIXTURE(certificates, "what is there is not overwritten") {
    must(write_new_directory(file("a"), {{"x", "1"}}));
    auto res = write_new_directory(file("a"), {{"x", "2"}});
    CHECK(code_of(res) == ec::conflict);
    CHECK(contains(text_of(res), file("a") + " exists already"));
    CHECK(read("a/x") == "1");
    write("file", "3");
    CHECK(code_of(write_new_directory(file("file"), {})) == ec::conflict);
    // Nothing is left over.
    auto left = std::distance(fs::directory_iterator{path}, {});
    CHECK(left == 2);
  }

  TEST_CASE_FIXTURE(certificates, "an empty directory is taken") {
    fs::create_directories(file("a"));
    must(write_new_directory(file("a/"), {{"x", "1"}}));
    CHECK(read("a/x") == "1");
  }
}
