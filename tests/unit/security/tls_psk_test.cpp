// Unit tests of fulmar/security/tls_psk.hpp: libnvme's published key, its two digests, and keys
// that an independent implementation (Python's hmac and hashlib, the formulas of NVMe/TCP 1.0,
// section 3.6.1, written down anew) has derived.
#include "unit/security/vectors.hpp"

#include <fulmar/security/tls_psk.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace fulmar::security {
namespace {

constexpr std::string_view psk_host = "nqn.psk-test-host";
constexpr std::string_view psk_subsystem = "nqn.psk-test-subsys";
constexpr std::string_view published =
    "NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:";

struct psk_vector {
    std::string_view text;
    tls_identity_version version;
    tls_derivation how;
    std::string_view identity;
    std::string_view psk;
};
constexpr psk_vector psk_vectors[] = {
    {"NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::digest, tls_derivation::standard,
     "NVMe1R01 nqn.psk-test-host nqn.psk-test-subsys iSbjiStwJ/1TrTvDlt2fjFmzvsytOJelidNnA+X5lEU=",
     "8fc3c0badfd4c0c66fa3ca33aadd0314f85536cc9bc47338b60f3e6e563786ca"},
    {"NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::digest, tls_derivation::old_libnvme,
     "NVMe1R01 nqn.psk-test-host nqn.psk-test-subsys 66GuqV08TsAGII39teWUfwQwizjv06Jy8jOcX3NAAzM=",
     "b9f5ab2a41ba6e72a23a12066302a2f775fa6c0942c8e0b18ca8ac07edf305e2"},
    {"NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::plain, tls_derivation::standard,
     "NVMe0R01 nqn.psk-test-host nqn.psk-test-subsys",
     "05c6503551ad136e6ee32e6eeb3f6d500b69701d84ec71e328f65c7f51566f68"},
    {"NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::plain, tls_derivation::old_libnvme,
     "NVMe0R01 nqn.psk-test-host nqn.psk-test-subsys",
     "09fb1983ac6d6d0353e7cae4f23daddd651c367fa347c59d9cf6936f5a83eafb"},
    {"NVMeTLSkey-1:00:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::digest, tls_derivation::standard,
     "NVMe1R01 nqn.psk-test-host nqn.psk-test-subsys quJVUJjp/BImWR0UQay/MjSfEgyAr6TyBOWybS/B404=",
     "a45d08ee4639c7570729bb3e57e905e466a49a15ece5401af906830c4d3bdb0b"},
    {"NVMeTLSkey-1:00:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::digest, tls_derivation::old_libnvme,
     "NVMe1R01 nqn.psk-test-host nqn.psk-test-subsys quJVUJjp/BImWR0UQay/MjSfEgyAr6TyBOWybS/B404=",
     "d50f6d3dd79345b6e8217744524df5ac0dc66964ff70cc5fd18e1b9d57ce7fcf"},
    {"NVMeTLSkey-1:00:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::plain, tls_derivation::standard,
     "NVMe0R01 nqn.psk-test-host nqn.psk-test-subsys",
     "ec85300ba827726bd3bc4fc07f3a34aec5fe7c8ccac05fefc2f021c74e0df9ef"},
    {"NVMeTLSkey-1:00:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:",
     tls_identity_version::plain, tls_derivation::old_libnvme,
     "NVMe0R01 nqn.psk-test-host nqn.psk-test-subsys",
     "e2b16189378b34adba9fec995ab479040cedec0bc7c6b47728ee4d8de6ff52ba"},
    {"NVMeTLSkey-1:02:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::digest, tls_derivation::standard,
     "NVMe1R02 nqn.psk-test-host nqn.psk-test-subsys "
     "yTzDogZ+1jYunchtkwasc82BxexYKIIrCq4wCLuM3n/C28VzpF2VGj16rOehISC1",
     "989b70412056e34771cfc8f5cb05729263773432eca96ebc6b47ca176861f36218d85205a89a1b37193be0edeae33"
     "18b"},
    {"NVMeTLSkey-1:02:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::digest, tls_derivation::old_libnvme,
     "NVMe1R02 nqn.psk-test-host nqn.psk-test-subsys "
     "TLGJVVPuRbJG2EEOnR6l/g4zydk7DQhMMUtetUi/bapAfqeQ83miD9+CdFZWVMgN",
     "d670f696a576c18044e0e9b3af22b1cb78813ec756a40b5700bb47a20275931a4359c1cb42561d97c53f52d25fe35"
     "315"},
    {"NVMeTLSkey-1:02:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::plain, tls_derivation::standard,
     "NVMe0R02 nqn.psk-test-host nqn.psk-test-subsys",
     "06ff8c633fddbe380d162ebe1151142057f90184d5f9a39dd07e8e821df32bf93d93bfaf0c4bfb2e556d290f92669"
     "552"},
    {"NVMeTLSkey-1:02:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::plain, tls_derivation::old_libnvme,
     "NVMe0R02 nqn.psk-test-host nqn.psk-test-subsys",
     "69b43ab525bffd51d9e541c5a0f2956748349be27ef9ace64b6b47c6f5a110f71d632d6d293282b3f4c4426f9daa2"
     "267"},
    {"NVMeTLSkey-1:00:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::digest, tls_derivation::standard,
     "NVMe1R02 nqn.psk-test-host nqn.psk-test-subsys "
     "RnBV+qW/4QdqCXdZ2cKcUnezNzUTYFoEer5yBRMTrsBJOmNRklgrxGSs+cOCxCAu",
     "5e2f6f49374b2b661336a09c15eda675c25140d2f75d93f5e02139ada7939084e8d009adc655d6a5a4a0bf8b25e52"
     "ccd"},
    {"NVMeTLSkey-1:00:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::digest, tls_derivation::old_libnvme,
     "NVMe1R02 nqn.psk-test-host nqn.psk-test-subsys "
     "RnBV+qW/4QdqCXdZ2cKcUnezNzUTYFoEer5yBRMTrsBJOmNRklgrxGSs+cOCxCAu",
     "afc72ba781cdb717837716ef15f50c20030b27f1ac86876acb7a57bb1a1f56131bc8a1eba60ed89be6661d5f31eca"
     "5f6"},
    {"NVMeTLSkey-1:00:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::plain, tls_derivation::standard,
     "NVMe0R02 nqn.psk-test-host nqn.psk-test-subsys",
     "2755e77eb00eb72787295ddcc854730c56eceead6b32e8cab21e25a6c03cf2da821c5564aee5b329c46604bd15701"
     "c10"},
    {"NVMeTLSkey-1:00:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     tls_identity_version::plain, tls_derivation::old_libnvme,
     "NVMe0R02 nqn.psk-test-host nqn.psk-test-subsys",
     "031d8178890c2eee40821393f6b65e857d9e8d32851867c1b5231ff190e6a1853a0f99ae7999c9864e7b2fe20be7a"
     "b4a"},
};

TEST(tls_psk, identities_and_keys_are_those_of_the_formulas) {
    for (const psk_vector& v : psk_vectors) {
        SCOPED_TRACE(v.identity);
        const auto key = parse_tls_key(v.text);
        ASSERT_TRUE(key) << key.error().text();
        EXPECT_EQ(write_tls_key(*key).reveal_text(), v.text);
        const auto psk = derive_tls_psk(*key, psk_host, psk_subsystem, v.version, v.how);
        ASSERT_TRUE(psk) << psk.error().text();
        EXPECT_EQ(psk->identity, v.identity);
        EXPECT_EQ(test::dhchap_vectors::hex_of(psk->key.reveal()), v.psk);
        const auto read = read_tls_identity(psk->identity);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->version, v.version);
        EXPECT_EQ(read->suite, psk->suite);
        EXPECT_EQ(read->host_nqn, psk_host);
        EXPECT_EQ(read->subsystem_nqn, psk_subsystem);
    }
}

TEST(tls_psk, any_changed_character_of_a_key_is_refused) {
    const std::string good(published);
    for (std::size_t at = 0; at < good.size(); ++at) {
        if (at == 14) continue;  // without a transform it is another key, which nobody can tell
        for (const char c : std::string("A/+0z:=\n \x80")) {
            if (good[at] == c) continue;
            std::string bad = good;
            bad[at] = c;
            EXPECT_FALSE(parse_tls_key(bad)) << at << " " << c;
        }
        EXPECT_FALSE(parse_tls_key(std::string_view(good).substr(0, at)));
    }
}

TEST(tls_psk, hostile_texts_are_no_keys) {
    const std::string body(published.substr(16));
    for (const std::string& bad :
         {std::string(published) + ":", "NVMeTLSkey-1:02:" + body, "NVMeTLSkey-1:03:" + body,
          "NVMeTLSkey-1:99:" + body, "NVMeTLSkey-2:01:" + body, "nvmetlskey-1:01:" + body,
          "NVMeTLSkey-1:01:" + std::string(4000, 'A') + ":", std::string("NVMeTLSkey-1:01::"),
          std::string("NVMeTLSkey-1:01:AAAA:"), std::string("NVMeTLSkey-1:01:===="),
          std::string("NVMeTLSkey-1:"), std::string("DHHC-1:01:") + body, std::string()})
        EXPECT_FALSE(parse_tls_key(bad)) << bad;
}

TEST(tls_psk, what_is_wrong_never_shows_the_key) {
    std::string bad(published);
    bad[20] = bad[20] == 'x' ? 'y' : 'x';
    const auto wrong = parse_tls_key(bad);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().text().find(bad.substr(24, 6)), std::string::npos);
}

TEST(tls_psk, made_keys_are_read_back) {
    for (const tls_suite suite : {tls_suite::aes128_gcm_sha256, tls_suite::aes256_gcm_sha384}) {
        const auto one = generate_tls_key(suite);
        const auto other = generate_tls_key(suite);
        ASSERT_TRUE(one && other);
        EXPECT_EQ(one->suite(), suite);
        EXPECT_FALSE(equal(one->bytes.reveal(), other->bytes.reveal()));
        const auto read = parse_tls_key(write_tls_key(*one).reveal_text());
        ASSERT_TRUE(read);
        EXPECT_TRUE(equal(read->bytes.reveal(), one->bytes.reveal()));
        EXPECT_EQ(read->hash, one->hash);
    }
}

TEST(tls_psk, hostile_identities_are_none) {
    for (const char* bad : {"", "NVMe1R01", "NVMe1R01 ", "NVMe1R01 host", "NVMe1R01 host subsystem",
                            "NVMe1R01 host subsystem ", "NVMe1R01  subsystem digest",
                            "NVMe0R01 host subsystem digest", "NVMe1G01 host subsystem digest",
                            "NVMe1R03 host subsystem digest", "NVMe1R00 host subsystem digest",
                            "NVMe2R01 host subsystem digest", "NVMe1R11 host subsystem digest",
                            "NVMe1R01host subsystem digest", "NVMe1R01 host subsystem digest more",
                            "Client_identity"})
        EXPECT_FALSE(read_tls_identity(bad)) << bad;
    EXPECT_FALSE(read_tls_identity("NVMe0R01 host " + std::string(4000, 's')));
    EXPECT_TRUE(read_tls_identity("NVMe0R02 host subsystem"));
}

// The context of an expansion has one byte for its length.
TEST(tls_psk, names_that_do_not_fit_have_no_identity_of_version_0) {
    const auto key = parse_tls_key(published);
    const std::string host = "nqn." + std::string(200, 'h');
    const std::string subsystem = "nqn." + std::string(200, 's');
    EXPECT_FALSE(derive_tls_psk(*key, host, subsystem, tls_identity_version::plain));
    EXPECT_TRUE(derive_tls_psk(*key, host, subsystem, tls_identity_version::digest));
}

}  // namespace
}  // namespace fulmar::security
