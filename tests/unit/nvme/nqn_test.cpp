// Unit tests of fulmar/nvme/nqn.hpp and copy_text.hpp.
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/nqn.hpp>

#include <gtest/gtest.h>

#include <string>

namespace fulmar::nvme {
namespace {

TEST(nqn, well_formed_names) {
    for (const std::string_view nqn : {
             std::string_view{"nqn.2014-08.org.nvmexpress.discovery"},
             std::string_view{"nqn.2014-08.com.example:nvme:nvm-subsystem-sn-d78432"},
             std::string_view{"nqn.2014-08.org.nvmexpress:uuid:"
                              "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
             std::string_view{"nqn.2014-08.org.nvmexpress:uuid:"
                              "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"},
             std::string_view{"nqn.2026-12.io.fulmar:disk 1"},
             std::string_view{"nqn.2026-01.io.fulmar:\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa6"},
         })
        EXPECT_TRUE(validate_nqn(nqn) == nqn_check::ok && form_of_nqn(nqn) == nqn_form::qualified)
            << nqn;
    EXPECT_EQ(form_of_nqn(discovery_nqn), nqn_form::qualified);
}

TEST(nqn, names_that_real_hosts_and_targets_have_are_valid) {
    for (const std::string_view name : {
             std::string_view{"nqn.2014-08.org.nvmexpress:uuid:f81d4fae7dec11d0a76500a0c91e6bf6"},
             std::string_view{"uuid:node-1"},
             std::string_view{"host"},
             std::string_view{"blktests-subsystem-0"},
             std::string_view{" "},
         }) {
        EXPECT_EQ(validate_nqn(name), nqn_check::ok) << name;
        EXPECT_NE(form_of_nqn(name), nqn_form::qualified) << name;
    }
}

TEST(nqn, length_limit_is_223) {
    const std::string head = "nqn.2026-01.io.fulmar:";
    const std::string longest = head + std::string(nqn_bytes_max - head.size(), 'x');
    EXPECT_EQ(validate_nqn(longest), nqn_check::ok);
    EXPECT_EQ(validate_nqn(longest + 'x'), nqn_check::too_long);
    EXPECT_EQ(validate_nqn(""), nqn_check::empty);
}

TEST(nqn, names_that_are_not_qualified_say_why) {
    const auto check = [](std::string_view nqn, nqn_form expected) {
        EXPECT_EQ(form_of_nqn(nqn), expected) << nqn << ": " << describe(form_of_nqn(nqn));
    };
    check("iqn.2014-08.org.example:x", nqn_form::no_prefix);
    check("NQN.2014-08.org.example:x", nqn_form::no_prefix);
    check("nqn.", nqn_form::bad_date);
    check("nqn.2014-8.org.example:x", nqn_form::bad_date);
    check("nqn.2014-00.org.example:x", nqn_form::bad_date);
    check("nqn.2014-13.org.example:x", nqn_form::bad_date);
    check("nqn.2014/08.org.example:x", nqn_form::bad_date);
    check("nqn.2014-08", nqn_form::bad_date);
    check("nqn.2014-08.", nqn_form::bad_domain);
    check("nqn.2014-08.:x", nqn_form::bad_domain);
    check("nqn.2014-08.org..example:x", nqn_form::bad_domain);
    check("nqn.2014-08.org.example.:x", nqn_form::bad_domain);
    check("nqn.2014-08.-org.example:x", nqn_form::bad_domain);
    check("nqn.2014-08.org-.example:x", nqn_form::bad_domain);
    check("nqn.2014-08.org.ex_ample:x", nqn_form::bad_domain);
    check("nqn.2014-08.org.nvmexpress:uuid:", nqn_form::bad_uuid);
    check("nqn.2014-08.org.nvmexpress:uuid:f81d4fae7dec11d0a76500a0c91e6bf6", nqn_form::bad_uuid);
    check("nqn.2014-08.org.nvmexpress:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6x",
          nqn_form::bad_uuid);
    check("nqn.2014-08.org.nvmexpress:uuid:g81d4fae-7dec-11d0-a765-00a0c91e6bf6",
          nqn_form::bad_uuid);
}

TEST(nqn, control_characters_and_broken_utf8_are_refused) {
    const std::string head = "nqn.2026-01.io.fulmar:";
    for (const std::string_view tail : {"\n", "\x1b[31m", "\x7f", "\xc2\x85"})
        EXPECT_EQ(validate_nqn(head + std::string{tail}), nqn_check::bad_character);
    EXPECT_EQ(validate_nqn(head + std::string(1, '\0')), nqn_check::bad_character);
    for (const std::string_view tail :
         {"\xff", "\x80", "\xc0\xaf", "\xc3", "\xe2\x82", "\xe0\x80\xaf", "\xed\xa0\x80",
          "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x28\xa1"})
        EXPECT_EQ(validate_nqn(head + std::string{tail}), nqn_check::bad_utf8);
}

TEST(nqn, utf8_is_told_from_other_bytes) {
    for (const char* good : {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa6"})
        EXPECT_TRUE(is_utf8(good)) << good;
    for (const char* bad : {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"})
        EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(nqn, reading_a_field_needs_a_terminator_within_the_limit) {
    nqn_field field{};
    EXPECT_FALSE(read_nqn(field));
    EXPECT_TRUE(copy_nul_padded(field, "anything"));
    EXPECT_EQ(read_nqn(field), "anything");
    EXPECT_TRUE(copy_nul_padded(field, std::string(223, 'x')));
    EXPECT_EQ(read_nqn(field)->size(), 223u);
    EXPECT_TRUE(copy_nul_padded(field, std::string(224, 'x')));
    EXPECT_FALSE(read_nqn(field));
    field.fill('x');
    EXPECT_FALSE(read_nqn(field));
}

TEST(copy_text, space_padding) {
    std::array<char, 8> field{};
    EXPECT_TRUE(copy_space_padded(field, "abc"));
    EXPECT_EQ(std::string_view(field.data(), 8), "abc     ");
    EXPECT_EQ(field_text(field), "abc");
    EXPECT_TRUE(copy_space_padded(field, "abcdefgh"));
    EXPECT_EQ(field_text(field), "abcdefgh");
    EXPECT_FALSE(copy_space_padded(field, "abcdefghi"));
    EXPECT_EQ(field_text(field), "abcdefgh");
    EXPECT_FALSE(copy_space_padded(field, "a\n\xc3\xbc"));
    EXPECT_EQ(field_text(field), "a???");
    EXPECT_TRUE(copy_space_padded(field, ""));
    EXPECT_EQ(field_text(field), "");
}

TEST(copy_text, nul_padding_always_terminates) {
    std::array<char, 4> field{};
    EXPECT_TRUE(copy_nul_padded(field, "abc"));
    EXPECT_EQ(field_text(field), "abc");
    EXPECT_FALSE(copy_nul_padded(field, "abcd"));
    EXPECT_EQ(field[3], '\0');
    EXPECT_EQ(field_text(field), "abc");
    EXPECT_EQ(field_text(std::array<char, 4>{'a', 'b', 'c', 'd'}), "abcd");
    EXPECT_EQ(field_text(std::array<char, 4>{'a', '\0', 'c', 'd'}), "a");
}

}  // namespace
}  // namespace fulmar::nvme
