// The options of the tool that are made from the tables of fields.
#include "field_options.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fulmar::cli {
namespace {

using json = field_options::json;

template <typename Spec>
json said(std::vector<std::string> words) {
    CLI::App command{"test"};
    field_options options;
    options.add_for_making<Spec>(command);
    std::reverse(words.begin(), words.end());
    command.parse(words);
    json body = json::object();
    options.fill(body);
    return body;
}

TEST(field_options, say_what_rest_takes) {
    EXPECT_EQ(said<core::device_spec>({}), json::object());
    EXPECT_EQ(said<core::device_spec>({"--size", "1MiB", "--block-size", "4096", "--write-cache",
                                       "through", "--description", "left disk"}),
              (json{{"size", 1048576},
                    {"block_size", 4096},
                    {"write_cache", "through"},
                    {"description", "left disk"}}));
    EXPECT_EQ(said<core::namespace_spec>(
                  {"--nsid", "3", "--on-loss", "hold", "--hold-s", "0", "--description", ""}),
              (json{{"nsid", 3}, {"on_loss", "hold"}, {"hold_s", 0}, {"description", ""}}));
    EXPECT_EQ(said<core::subsystem_spec>({"--host", "a", "--host", "b", "--listener", "l"}),
              (json{{"hosts", {"a", "b"}}, {"listeners", {"l"}}}));
}

TEST(field_options, a_flag_says_the_opposite_of_the_default) {
    EXPECT_EQ(said<core::device_spec>({"--buffered", "--no-bind", "--create"}),
              (json{{"bind", false}, {"direct", false}, {"create", true}}));
    EXPECT_EQ(said<core::subsystem_spec>({"--any-host"}), (json{{"allow_any_host", true}}));
}

TEST(field_options, refuse_what_does_not_fit) {
    EXPECT_THROW(said<core::device_spec>({"--block-size", "1000"}), CLI::ValidationError);
    EXPECT_THROW(said<core::device_spec>({"--write-cache", "never"}), CLI::ValidationError);
    EXPECT_THROW(said<core::namespace_spec>({"--nsid", "0"}), CLI::ValidationError);
    EXPECT_THROW(said<core::namespace_spec>({"--park-ms", "-1"}), CLI::ValidationError);
    EXPECT_THROW(said<core::namespace_spec>({"--nqn", "x"}), CLI::ExtrasError);
}

TEST(field_options, a_type_is_one_of_those_that_are_shipped) {
    const auto parse = [](const std::string& word) {
        CLI::App command{"test"};
        std::string said;
        check_value(*command.add_option("type", said),
                    core::find_field<core::device_spec>("type")->facts);
        command.parse(std::vector{word});
        return said;
    };
    for (const char* word : {"null", "ram", "file", "pcie", "nbd", "rbd"})
        EXPECT_EQ(parse(word), word);
    for (const char* word : {"fault", "tape"}) EXPECT_THROW(parse(word), CLI::ValidationError);
}

TEST(field_options, change_only_what_may_change_in_place) {
    CLI::App command{"test"};
    field_options options;
    options.add_for_changing<core::namespace_spec>(command);
    EXPECT_NE(command.get_option_no_throw("--description"), nullptr);
    EXPECT_EQ(command.get_option_no_throw("--uuid"), nullptr);
}

}  // namespace
}  // namespace fulmar::cli
